// bert rerank: documents in the order in which they fit a query, as JSON lines.
#include "commands.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <memory>
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
    const bert::Reranker model(options.folder, options.task);
    Input input = read_input(options.input);
    Output output("");
    for (const bert::RankedDocument& document : model.rank(options.query, input.texts, options.rerank)) {
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
    command.footer("  bert rerank ms-marco-MiniLM-L6-v2 'who lives in Paris?' --top-k 3 documents.txt");
    command.callback([options] { run_rerank(*options); });
}
