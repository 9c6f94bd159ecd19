// bert classify and bert next-sentence: classes of texts and of pairs of texts, as JSON lines.
#include "commands.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

struct ClassifyOptions {
    std::string folder;
    bert::TaskOptions task;
    bert::ClassifyOptions classify;
    bert::ZeroShotOptions zero_shot;
    InputOptions input;
    std::vector<std::string> labels;
    std::string pair_field = "text_pair";
    bool pairs = false;
};

/// The records' pairs.
std::vector<bert::TextPair> read_pairs(Input& input, const std::string& field) {
    const std::vector<std::string> seconds = take_second_texts(input, field);
    std::vector<bert::TextPair> pairs;
    for (std::size_t i = 0; i < seconds.size(); ++i) pairs.push_back({input.texts[i], seconds[i]});
    return pairs;
}

/// Writes the records with the labels of their texts. `results`: of a classifier, one for each record.
template <class Results>
void write_labels(Input& input, const Results& results, Output& output) {
    for (std::size_t i = 0; i < results.size(); ++i) {
        Record& record = input.records[i];
        record["labels"] = Record::array();
        for (const auto& label : results[i].labels) {
            record["labels"].push_back({{"label", label.label}, {"score", score_of(label.score)}});
        }
        if (results[i].truncated) record["truncated"] = true;
        output.write_line(record);
    }
}

void run_zero_shot(const ClassifyOptions& options) {
    const bert::ZeroShotClassifier model(options.folder, options.task);
    answer_in_windows(options.input, [&](Input& input, Output& output) {
        write_labels(input, model.classify_batch(input.texts, options.labels, options.zero_shot), output);
    });
}

void run_classify(const ClassifyOptions& options) {
    const bert::TextClassifier model(options.folder, options.task);
    answer_in_windows(options.input, [&](Input& input, Output& output) {
        write_labels(input,
                     options.pairs ? model.classify_pairs(read_pairs(input, options.pair_field), options.classify)
                                   : model.classify_batch(input.texts, options.classify),
                     output);
    });
}

void run_next_sentence(const ClassifyOptions& options) {
    const bert::NextSentence model(options.folder, options.task);
    answer_in_windows(options.input, [&](Input& input, Output& output) {
        const auto results = model.score_batch(read_pairs(input, options.pair_field));
        for (std::size_t i = 0; i < results.size(); ++i) {
            Record& record = input.records[i];
            record["is_next"] = score_of(results[i].probability);
            if (results[i].truncated) record["truncated"] = true;
            output.write_line(record);
        }
    });
}

void add_pair_field(CLI::App& command, ClassifyOptions& options) {
    command.add_option("--pair-field", options.pair_field, "The field of JSON objects that holds the second text")
        ->capture_default_str();
}

}  // namespace

void add_classify(CLI::App& app) {
    const auto options = std::make_shared<ClassifyOptions>();
    CLI::App& command = *app.add_subcommand("classify", "Classify texts, or pairs of texts");
    add_task_options(command, options->folder, options->task);
    add_input_options(command, options->input);
    auto* const pairs =
        command.add_flag("--pairs", options->pairs, "Texts come in pairs: two fields, or a line with a tab between");
    add_pair_field(command, *options);
    command.add_option("--top-k", options->classify.top_k, "Most labels (default: all)");
    command
        .add_option("--function", options->classify.function,
                    "What makes scores: softmax, sigmoid or none (default: what the folder says)")
        ->option_text("NAME")
        ->transform(CLI::CheckedTransformer(
                        std::map<std::string, bert::ScoreFunction>{{"softmax", bert::ScoreFunction::softmax},
                                                                   {"sigmoid", bert::ScoreFunction::sigmoid},
                                                                   {"none", bert::ScoreFunction::none}})
                        .description(""));
    auto* const labels = command
                             .add_option("--labels", options->labels,
                                         "Labels of your own, separated by commas, for a model of entailment")
                             ->delimiter(',')
                             ->allow_extra_args(false)
                             ->excludes(pairs);
    command.add_flag("--multi-label", options->zero_shot.multi_label, "Score each of --labels for itself")
        ->needs(labels);
    command.add_option("--hypothesis", options->zero_shot.hypothesis, "The sentence that a label is put into")
        ->capture_default_str()
        ->needs(labels);
    command.footer(
        "  echo 'I loved it.' | bert classify my-sentiment-model\n"
        "  bert classify my-nli-model --labels sports,politics articles.txt");
    command.callback([options] {
        if (options->labels.empty()) run_classify(*options);
        else run_zero_shot(*options);
    });
}

void add_next_sentence(CLI::App& app) {
    const auto options = std::make_shared<ClassifyOptions>();
    CLI::App& command =
        *app.add_subcommand("next-sentence", "Tell whether the second text of a pair follows the first");
    add_task_options(command, options->folder, options->task);
    add_input_options(command, options->input);
    add_pair_field(command, *options);
    command.footer(
        "Pairs are lines with a tab between the texts, or JSON objects with two fields.\n\n"
        "  printf 'He sat down.\\tThen he slept.\\n' | bert next-sentence bert-base-uncased");
    command.callback([options] { run_next_sentence(*options); });
}
