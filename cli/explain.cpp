// bert explain: what a model looks at in a text, and what makes two texts alike.
#include "commands.hpp"
#include "encoder_options.hpp"
#include "pages.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

struct ExplainOptions {
    std::string folder;
    bert::SentenceEncoderOptions encoder;
    std::vector<std::string> texts;
    std::string output;
    bool json = false;
    bool force = false;
};

Record matrix_record(const bert::Matrix& matrix) {
    Record rows = Record::array();
    for (bert::Index i = 0; i < matrix.rows(); ++i) {
        Record row = Record::array();
        for (bert::Index j = 0; j < matrix.cols(); ++j) row.push_back(score_of(matrix(i, j)));
        rows.push_back(std::move(row));
    }
    return rows;
}

ExplainedText explain(const bert::SentenceEncoder& encoder, const std::string& text) {
    ExplainedText result;
    result.text = text;
    bert::EncodeOptions limit;
    limit.max_length = encoder.max_seq_length();
    result.encoding = encoder.tokenizer().encode(text, limit);
    bert::EmbedOptions plain;
    plain.prompt = "";
    result.words = bert::word_contributions(encoder, text, plain);
    bert::ForwardOptions options;
    options.attentions = true;
    const auto output = encoder.model().forward(result.encoding, options);
    result.attentions = output.attentions;
    result.rollout = bert::attention_rollout(output, encoder.model().config().num_attention_heads);
    return result;
}

Record text_record(const ExplainedText& text) {
    Record words = Record::array();
    for (const auto& word : text.words) {
        words.push_back({{"text", text.text.substr(word.span.begin, word.span.end - word.span.begin)},
                         {"begin", word.span.begin},
                         {"end", word.span.end},
                         {"change", score_of(word.change)}});
    }
    Record record = {{"text", text.text}, {"tokens", text.encoding.tokens}};
    if (text.encoding.truncated) record["truncated"] = true;
    record["words"] = std::move(words);
    record["rollout"] = matrix_record(text.rollout);
    return record;
}

void run_texts(const ExplainOptions& options, const bert::SentenceEncoder& encoder, Output& output) {
    std::vector<ExplainedText> texts;
    for (const std::string& text : options.texts) texts.push_back(explain(encoder, text));
    std::optional<bert::SimilarityContributions> similarity;
    if (texts.size() == 2) similarity = bert::similarity_contributions(encoder, texts[0].text, texts[1].text);
    if (!options.json) {
        output.write(explanation_page(texts, similarity ? &*similarity : nullptr));
        return;
    }
    Record record = {{"texts", Record::array()}};
    for (const ExplainedText& text : texts) record["texts"].push_back(text_record(text));
    if (similarity) {
        record["similarity"] = {{"cosine", score_of(similarity->cosine)},
                                {"contributions", matrix_record(similarity->contributions)}};
    }
    output.write_line(record);
}

void run_explain(ExplainOptions& options) {
    if (options.texts.empty() || options.texts.size() > 2) {
        throw CLI::ValidationError("explain takes one text or two texts (bert plot draws many)");
    }
    const bert::SentenceEncoder encoder(options.folder, options.encoder);
    Output output(options.output, options.force);
    run_texts(options, encoder, output);
    output.commit();
}

}  // namespace

void add_explain(CLI::App& app) {
    const auto options = std::make_shared<ExplainOptions>();
    CLI::App& command = *app.add_subcommand("explain", "Show what a model looks at, as a page to open in a browser");
    add_encoder_options(command, options->folder, options->encoder);
    command.add_option("texts", options->texts, "A text, or two texts to compare");
    command.add_option("-o,--output", options->output, "File to write (default: standard output)");
    command.add_flag("--force", options->force, "Overwrite a file that is there");
    command.add_flag("--json", options->json, "Write the numbers as JSON instead of a page");
    command.footer(R"(  bert explain all-MiniLM-L6-v2 'A cat sat down.' 'A kitten took a seat.' -o cats.html)");
    command.callback([options] { run_explain(*options); });
}
