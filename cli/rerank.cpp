// bert rerank: documents in the order in which they fit a query, by a cross-encoder or by late interaction, as JSON
// lines.
#include "commands.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

namespace {

struct RerankOptions {
    std::string folder;
    bert::TaskOptions task;
    bert::RerankOptions rerank;
    std::string query;
    InputOptions input;
};

void run_rerank(const RerankOptions& options) {
    const auto tasks = bert::served_tasks(options.folder);
    std::optional<bert::Colbert> late_interaction;
    std::optional<bert::Reranker> cross_encoder;
    if (std::find(tasks.begin(), tasks.end(), bert::Task::late_interaction) != tasks.end()) {
        late_interaction.emplace(options.folder, options.task);
    } else {
        cross_encoder.emplace(options.folder, options.task);
    }
    Input input = read_input(options.input);
    const auto ranked = cross_encoder ? cross_encoder->rank(options.query, input.texts, options.rerank)
                                      : late_interaction->rank(options.query, input.texts, options.rerank.top_k);
    Output output("");
    for (const bert::RankedDocument& document : ranked) {
        Record& record = input.records[document.index];
        record["index"] = document.index;
        record["score"] = score_of(document.score);
        if (document.truncated) record["truncated"] = true;
        output.write_line(record);
    }
    output.commit();
}

}  // namespace

void add_rerank(CLI::App& app) {
    const auto options = std::make_shared<RerankOptions>();
    CLI::App& command = *app.add_subcommand("rerank", "Put documents in the order in which they fit a query");
    add_task_options(command, options->folder, options->task);
    command.add_option("query", options->query, "The query")->required();
    add_input_options(command, options->input);
    command.add_option("--top-k", options->rerank.top_k, "Most documents (default: all)");
    command.footer(
        "The folder is a cross-encoder, or a ColBERT model of late interaction.\n\n"
        "  bert rerank ms-marco-MiniLM-L6-v2 'who lives in Paris?' --top-k 3 documents.txt");
    command.callback([options] { run_rerank(*options); });
}
