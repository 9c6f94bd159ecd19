// bert search: the documents closest to each query, among texts or in a store that bert index made.
#include "commands.hpp"
#include "encoder_options.hpp"
#include "records.hpp"
#include "store_search.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

struct SearchOptions {
    std::string place;  ///< a store or a model folder
    InputOptions documents;
    std::vector<std::string> queries;
    std::optional<bert::Similarity> measure;
    StoreSearchOptions store;  ///< what a search of texts needs, too
    bool recall = false;
    bool json = false;
};

void search_texts(const SearchOptions& options) {
    const bert::SentenceEncoder encoder(options.place, options.store.encoder);
    const Input documents = read_input(options.documents);
    if (documents.texts.empty()) throw bert::Error(bert::ErrorKind::input, "there are no documents to search");
    bert::SemanticSearchOptions search;
    search.top_k = options.store.top_k;
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

Record document_of(const StoreSearcher& searcher, bert::Index row) {
    Record document = Record::parse(searcher.store().line(row), nullptr, false);
    if (!document.is_object()) throw bert::Error(bert::ErrorKind::format, "store: a document is no JSON object");
    return document;
}

void write_hits(const StoreSearcher& searcher, const std::vector<std::string>& queries) {
    const auto found = searcher.search(queries);
    Output output("");
    for (std::size_t i = 0; i < queries.size(); ++i) {
        Record hits = Record::array();
        for (const StoreHit& hit : found[i]) {
            Record record = {{"corpus_id", hit.row}, {"score", score_of(hit.score)}};
            if (hit.dense_rank > 0) record["dense_rank"] = hit.dense_rank;
            if (hit.bm25_rank > 0) record["bm25_rank"] = hit.bm25_rank;
            record["document"] = document_of(searcher, hit.row);
            hits.push_back(std::move(record));
        }
        output.write_line({{"query", queries[i]}, {"hits", std::move(hits)}});
    }
    output.commit();
}

/// The beginning of a text in one line, without anything that a terminal would obey.
std::string one_line(const std::string& text) {
    constexpr std::size_t most = 200;  // bytes
    std::string line;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (line.size() >= most && (byte & 0xC0) != 0x80) return line + " ...";
        // Control characters: ASCII's, and those of Latin 1 in UTF-8 (C2 80 to C2 9F).
        const bool latin1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
        if (latin1) ++i;
        if (!latin1 && byte >= 0x20 && byte != 0x7F) line += text[i];
        else if (!line.empty() && line.back() != ' ') line += ' ';
    }
    return line;
}

/// Asks until the input ends.
void run_prompt(const StoreSearcher& searcher) {
    const StoreManifest& manifest = searcher.store().manifest();
    std::printf("%zu documents. An empty line, or Ctrl-D, ends.\n", manifest.documents);
    std::string query;
    while (std::printf("query> "), std::fflush(stdout), std::getline(std::cin, query) && !query.empty()) {
        const auto found = searcher.search({query});
        for (const StoreHit& hit : found.front()) {
            const Record document = document_of(searcher, hit.row);
            const auto text = document.find(manifest.field);
            const std::string id = document.value(manifest.id_field, Record()).dump(-1, ' ', true);
            std::printf("%8.4f  %s  %s\n", static_cast<double>(hit.score), id.c_str(),
                        text != document.end() && text->is_string()
                            ? one_line(text->get_ref<const std::string&>()).c_str()
                            : "");
        }
    }
    std::printf("\n");
}

void search_store(const SearchOptions& options) {
    const StoreSearcher searcher(options.place, options.store);
    if (options.queries.empty() && !options.recall && !options.json && isatty(STDIN_FILENO) != 0) {
        run_prompt(searcher);
        return;
    }
    const auto queries = options.queries.empty() ? read_input(InputOptions{}).texts : options.queries;
    if (!options.recall) {
        write_hits(searcher, queries);
        return;
    }
    const RecallReport report = searcher.measure_recall(queries);
    Output output("");
    output.write_line({{"queries", queries.size()},
                       {"recall@" + std::to_string(options.store.top_k), report.recall},
                       {"approximate_ms", report.approximate_seconds * 1e3},
                       {"exact_ms", report.exact_seconds * 1e3}});
    output.commit();
}

void run_search(const CLI::App& command, SearchOptions& options) {
    std::vector<std::string>& files = options.documents.files;
    if (options.queries.empty() && !files.empty()) {
        options.queries = {files.front()};
        files.erase(files.begin());
    }
    if (Store::is_store(options.place)) {
        refuse_given(
            command,
            {"--max-length", "--normalize", "--no-normalize", "--pooling", "--truncate-dim", "--measure", "--field"},
            "was settled when " + options.place + " was made");
        refuse_given(command, {"--format", "--on-error"}, "is for files of texts: queries come one a line");
        if (!files.empty()) {
            throw bert::Error(bert::ErrorKind::input, options.place + " is a store: it takes no files of texts");
        }
        if (options.recall) {
            refuse_given(command, {"--mode", "--where"}, "does not go with --recall");
            options.store.approximate = true;
        }
        search_store(options);
        return;
    }
    refuse_given(command, {"--model", "--mode", "--where", "--approximate", "--ef", "--recall"},
                 "is for stores, and " + options.place + " is none (see bert index)");
    if (options.queries.empty()) throw bert::Error(bert::ErrorKind::input, "there is no query");
    search_texts(options);
}

}  // namespace

void add_search(CLI::App& app) {
    const auto options = std::make_shared<SearchOptions>();
    CLI::App& command = *app.add_subcommand("search", "Find the texts closest in meaning to queries");
    add_model(command, "place", options->place,
              "Store of bert index, or a model to search texts with: as for bert embed")
        ->required();
    add_encoder_settings(command, options->store.encoder);
    add_input_options(command, options->documents);
    command.get_option("files")->description(
        "The query, and, for a model folder, files of texts; none, or -, for standard input");
    command.add_option("-q,--query", options->queries, "Instead: a query; may be given several times")
        ->allow_extra_args(false);
    command.add_option("-k,--top-k", options->store.top_k, "Most hits per query")->capture_default_str();
    add_measure_option(command, options->measure);
    command
        .add_option("--mode", options->store.mode,
                    "Of a store: dense (by meaning, the default), bm25 (by words), or hybrid (both lists fused)")
        ->option_text("MODE")
        ->transform(CLI::CheckedTransformer(std::map<std::string, SearchMode>{{"dense", SearchMode::dense},
                                                                              {"bm25", SearchMode::bm25},
                                                                              {"hybrid", SearchMode::hybrid}})
                        .description(""));
    command.add_option("--where", options->store.where, "Of a store: key=value that documents have; all of them count")
        ->allow_extra_args(false);
    command.add_flag("--approximate", options->store.approximate, "Of a store: search its graph");
    command.add_option("--ef", options->store.ef, "Candidates of approximate search: more find more")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000000));
    command.add_flag("--json", options->json, "Write JSON, to a terminal too");
    command.add_flag("--recall", options->recall,
                     "Instead of hits: the share of the exact ones that approximate search finds, and times");
    add_model(command, "--model", options->store.model, "Of a store: where its model is now");
    command.footer(
        R"(Each query becomes {"query": ..., "hits": [{"corpus_id": ..., "score": ..., "document": ...}, ...]}.
A store without a query takes one from each line of standard input, or asks where that is a terminal.

  bert search all-MiniLM-L6-v2 'rising prices' articles.jsonl --field title
  bert search articles 'rising prices' --mode hybrid --where year=2024)");
    command.callback([options, &command] { run_search(command, *options); });
}
