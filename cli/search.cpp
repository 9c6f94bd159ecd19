// bert search: the documents closest to each query.
#include "commands.hpp"
#include "encoder_options.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

struct SearchOptions {
    std::string folder;
    bert::SentenceEncoderOptions encoder;
    InputOptions documents;
    std::vector<std::string> queries;
    std::size_t top_k = 10;
    std::optional<bert::Similarity> measure;
};

void run_search(const SearchOptions& options) {
    const bert::SentenceEncoder encoder(options.folder, options.encoder);
    const Input documents = read_input(options.documents);
    if (documents.texts.empty()) throw bert::Error(bert::ErrorKind::input, "there are no documents to search");
    bert::SemanticSearchOptions search;
    search.top_k = options.top_k;
    search.measure = options.measure.value_or(encoder.config().similarity);
    const auto found =
        bert::semantic_search(encoder.encode_query(options.queries), encoder.encode_document(documents.texts), search);
    Output output("");
    for (std::size_t i = 0; i < options.queries.size(); ++i) {
        Record hits = Record::array();
        for (const bert::SearchHit& hit : found[i]) {
            Record record = {{"corpus_id", hit.corpus_id}, {"score", score_of(hit.score)}};
            record["document"] = documents.records[static_cast<std::size_t>(hit.corpus_id)];
            hits.push_back(std::move(record));
        }
        output.write_line({{"query", options.queries[i]}, {"hits", std::move(hits)}});
    }
    output.commit();
}

}  // namespace

void add_search(CLI::App& app) {
    const auto options = std::make_shared<SearchOptions>();
    CLI::App& command = *app.add_subcommand("search", "Find the texts closest in meaning to queries");
    add_encoder_options(command, options->folder, options->encoder);
    add_input_options(command, options->documents);
    command.add_option("-q,--query", options->queries, "Text to look for; may be given several times")->required();
    command.add_option("-k,--top-k", options->top_k, "Most hits per query")->capture_default_str();
    add_measure_option(command, options->measure);
    command.footer(
        R"(Each query becomes {"query": ..., "hits": [{"corpus_id": ..., "score": ..., "document": ...}, ...]}.

  bert search all-MiniLM-L6-v2 articles.jsonl --field title --query 'rising prices')");
    command.callback([options] { run_search(*options); });
}
