// bert embed-sparse: texts to sparse vectors over the words of the vocabulary, as JSON lines.
#include "commands.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace {

struct EmbedSparseOptions {
    std::string folder;
    bert::TaskOptions task;
    bert::SpladeOptions splade;
    InputOptions input;
    bool query = false;
    bool document = false;
};

std::vector<bert::SparseVector> encode(const bert::Splade& model, const std::vector<std::string>& texts,
                                       const EmbedSparseOptions& options) {
    if (options.query) return model.encode_query(texts, options.splade);
    if (options.document) return model.encode_document(texts, options.splade);
    return model.encode(texts, options.splade);
}

void run_embed_sparse(const EmbedSparseOptions& options) {
    const bert::Splade model(options.folder, options.task);
    answer_in_windows(options.input, [&](Input& input, Output& output) {
        const auto vectors = encode(model, input.texts, options);
        for (std::size_t i = 0; i < vectors.size(); ++i) {
            Record& record = input.records[i];
            record["embedding"] = Record::array();
            for (std::size_t k = 0; k < vectors[i].ids.size(); ++k) {
                const std::int32_t id = vectors[i].ids[k];
                record["embedding"].push_back({{"index", id},
                                               {"token", model.task().tokenizer().id_to_token(id).value_or("")},
                                               {"value", score_of(vectors[i].values[k])}});
            }
            if (vectors[i].truncated) record["truncated"] = true;
            output.write_line(record);
        }
    });
}

}  // namespace

void add_embed_sparse(CLI::App& app) {
    const auto options = std::make_shared<EmbedSparseOptions>();
    CLI::App& command =
        *app.add_subcommand("embed-sparse", "Embed texts as weights of words, with a SPLADE model: one vector a text");
    add_task_options(command, options->folder, options->task);
    add_input_options(command, options->input);
    command.add_option("--max-active-dims", options->splade.max_active_dims,
                       "Most words of a vector (default: what the folder says, or all)");
    auto* const prompt = command.add_option("--prompt", options->splade.prompt, "Text to put before each text");
    auto* const query =
        command.add_flag("--query", options->query, "Embed as queries, with the folder's prompt for them");
    auto* const document =
        command.add_flag("--document", options->document, "Embed as documents, with the folder's prompt for them");
    prompt->excludes(query, document);
    query->excludes(document);
    command.footer(
        R"(Each text becomes {"text": ..., "embedding": [{"index": ..., "token": ..., "value": ...}, ...]}. Texts are
alike by the sum of the products of their values.

  bert embed-sparse splade-cocondenser-ensembledistil --document articles.txt)");
    command.callback([options] { run_embed_sparse(*options); });
}
