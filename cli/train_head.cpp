// bert train-head: a classifier on a frozen encoder, from a file of examples.
#include "commands.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

struct TrainHeadOptions {
    std::string folder;
    std::string examples;
    std::string output;
    bert::TaskOptions task;
    bert::TrainingFileOptions file;
    bert::HeadTrainerOptions training;
    bool force = false;
};

Record metrics_record(const bert::HeadMetrics& metrics) {
    Record record = {{"examples", metrics.examples}, {"loss", score_of(static_cast<float>(metrics.loss))}};
    const auto add = [&](const char* name, const std::optional<double>& value) {
        if (value) record[name] = score_of(static_cast<float>(*value));
    };
    add("accuracy", metrics.accuracy);
    add("macro_f1", metrics.macro_f1);
    add("mean_squared_error", metrics.mean_squared_error);
    add("r_squared", metrics.r_squared);
    return record;
}

void run_train_head(const TrainHeadOptions& options) {
    if (!options.force && std::filesystem::exists(options.output) && !std::filesystem::is_empty(options.output)) {
        throw CLI::ValidationError(options.output + " exists; --force overwrites it");
    }
    const bert::HeadTrainer trainer(options.folder, options.task);
    const bert::TrainedHead head =
        trainer.train(bert::read_training_file(options.examples, options.file), options.training);
    trainer.save(head, options.output);
    Record record = {{"folder", options.output}, {"labels", head.labels}, {"iterations", head.iterations}};
    if (head.truncated > 0) record["truncated"] = head.truncated;
    record["train"] = metrics_record(head.train);
    if (head.held_out) record["held_out"] = metrics_record(*head.held_out);
    if (head.test) record["test"] = metrics_record(*head.test);
    Output output("");
    output.write_line(record);
    output.commit();
}

}  // namespace

void add_train_head(CLI::App& app) {
    const auto options = std::make_shared<TrainHeadOptions>();
    bert::HeadTrainerOptions& training = options->training;
    CLI::App& command = *app.add_subcommand("train-head", "Train a classifier on a frozen encoder");
    add_task_options(command, options->folder, options->task);
    command.add_option("examples", options->examples, "File of examples: .tsv, .csv, .jsonl or .ndjson")->required();
    command.add_option("-o,--output", options->output, "Folder to write, for transformers and this tool")->required();
    command.add_flag("--force", options->force, "Overwrite a model that is there");
    command.add_option("--task", training.task, "classification, multi-label, regression or tokens")
        ->option_text("NAME")
        ->transform(CLI::CheckedTransformer(
                        std::map<std::string, bert::HeadTask>{{"classification", bert::HeadTask::classification},
                                                              {"multi-label", bert::HeadTask::multi_label},
                                                              {"regression", bert::HeadTask::regression},
                                                              {"tokens", bert::HeadTask::tokens}})
                        .description(""));
    command.add_option("--text", options->file.text, "Column of texts")->capture_default_str();
    command.add_option("--pair", options->file.pair, "Column of second texts, if any")->capture_default_str();
    command.add_option("--label", options->file.label, "Column of labels")->capture_default_str();
    command.add_option("--split", options->file.split, "Column that says train, validation or test, if any")
        ->capture_default_str();
    command.add_option("--label-separator", options->file.label_separator,
                       "Text between several labels of one example");
    command
        .add_option("--labels", training.labels,
                    "Labels in the order of their ids, separated by commas (default: sorted)")
        ->delimiter(',')
        ->allow_extra_args(false);
    command.add_option("--pooler", training.pooler, "identity or checkpoint: the layer below the classifier")
        ->option_text("NAME")
        ->transform(CLI::CheckedTransformer(
                        std::map<std::string, bert::HeadPooler>{{"identity", bert::HeadPooler::identity},
                                                                {"checkpoint", bert::HeadPooler::checkpoint}})
                        .description(""));
    command.add_option("--optimizer", training.optimizer, "lbfgs or adam")
        ->option_text("NAME")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, bert::HeadOptimizer>{{"lbfgs", bert::HeadOptimizer::lbfgs},
                                                                               {"adam", bert::HeadOptimizer::adam}})
                .description(""));
    command.add_option("--max-iterations", training.max_iterations, "Most iterations, or epochs of adam")
        ->capture_default_str();
    command.add_option("--l2", training.l2, "Weight decay")->capture_default_str();
    command.add_option("--learning-rate", training.learning_rate, "Of adam")->capture_default_str();
    command.add_option("--batch-size", training.batch_size, "Of adam")->capture_default_str();
    command.add_option("--held-out", training.held_out, "Share of examples that decides when to end")
        ->capture_default_str();
    command.add_option("--patience", training.patience, "Iterations to go on without a gain")->capture_default_str();
    command.add_flag("--balanced", training.balanced, "Let rare labels weigh more");
    command.add_option("--seed", training.seed, "Of the split and of adam's order")->capture_default_str();
    command.footer(R"(Writes a report as JSON: loss, accuracy and F1 on what was trained, held out, and marked "test".

  bert train-head all-MiniLM-L6-v2 examples/data/sentiment.tsv -o sentiment)");
    command.callback([options] { run_train_head(*options); });
}
