// bert entities: labels of tokens, words and names, as JSON lines.
#include "commands.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <string>

namespace {

struct EntitiesOptions {
    std::string folder;
    bert::TaskOptions task;
    bert::EntityOptions entities;
    InputOptions input;
    bool all = false;
};

void run_entities(EntitiesOptions& options) {
    const bert::TokenClassifier model(options.folder, options.task);
    if (options.all) options.entities.ignore_labels.clear();
    answer_in_windows(options.input, [&](Input& input, Output& output) {
        const auto results = model.classify_batch(input.texts, options.entities);
        for (std::size_t i = 0; i < results.size(); ++i) {
            Record& record = input.records[i];
            record["entities"] = Record::array();
            for (const bert::Entity& entity : results[i].entities) {
                record["entities"].push_back({{"label", entity.label},
                                              {"score", score_of(entity.score)},
                                              {"start", entity.span.begin},
                                              {"end", entity.span.end},
                                              {"word", entity.word}});
            }
            if (results[i].truncated) record["truncated"] = true;
            output.write_line(record);
        }
    });
}

}  // namespace

void add_entities(CLI::App& app) {
    const auto options = std::make_shared<EntitiesOptions>();
    options->entities.aggregation = bert::Aggregation::simple;
    CLI::App& command = *app.add_subcommand("entities", "Find names, or whatever a model of tokens labels");
    add_task_options(command, options->folder, options->task);
    add_input_options(command, options->input);
    command
        .add_option(
            "--aggregation", options->entities.aggregation,
            "How labels of tokens become labels of names: none, simple, first, average or max (default: simple)")
        ->option_text("NAME")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, bert::Aggregation>{{"none", bert::Aggregation::none},
                                                                             {"simple", bert::Aggregation::simple},
                                                                             {"first", bert::Aggregation::first},
                                                                             {"average", bert::Aggregation::average},
                                                                             {"max", bert::Aggregation::max}})
                .description(""));
    command.add_option("--stride", options->entities.stride,
                       "Take long texts in windows that share this many tokens (default: cut them)");
    command.add_flag("--all", options->all, "Show what is labelled O too");
    command.footer("Offsets count bytes of the text.\n\n  echo 'Anna lives in Paris.' | bert entities my-ner-model");
    command.callback([options] { run_entities(*options); });
}
