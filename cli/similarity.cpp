// bert similarity: a matrix of how alike texts are.
#include "commands.hpp"
#include "encoder_options.hpp"
#include "records.hpp"

#include <bert/bert.hpp>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

struct SimilarityOptions {
    std::string folder;
    bert::SentenceEncoderOptions encoder;
    std::vector<std::string> texts;
    std::string file;
    std::optional<bert::Similarity> measure;
    bool json = false;
};

void run_similarity(const SimilarityOptions& options) {
    std::vector<std::string> texts = options.texts;
    if (!options.file.empty()) {
        InputOptions input;
        input.files = {options.file};
        for (std::string& text : read_input(input).texts) texts.push_back(std::move(text));
    }
    if (texts.size() < 2) throw bert::Error(bert::ErrorKind::input, "similarity needs two texts or more");
    const bert::SentenceEncoder encoder(options.folder, options.encoder);
    const bert::Matrix embeddings = encoder.encode(texts);
    const bert::Matrix values =
        bert::similarity(embeddings, embeddings, options.measure.value_or(encoder.config().similarity));

    Output output("");
    if (options.json) {
        std::string rows;
        for (bert::Index row = 0; row < values.rows(); ++row) {
            rows += row == 0 ? "[" : ",[";
            for (bert::Index i = 0; i < values.cols(); ++i) rows += (i == 0 ? "" : ",") + shortest(values(row, i));
            rows += "]";
        }
        const Record names = texts;
        output.write("{\"texts\":" + names.dump(-1, ' ', false, Record::error_handler_t::replace) +
                     ",\"similarity\":[" + rows + "]}\n");
    } else {
        for (bert::Index row = 0; row < values.rows(); ++row) {
            char number[32];
            for (bert::Index i = 0; i < values.cols(); ++i) {
                std::snprintf(number, sizeof number, "%8.4f ", static_cast<double>(values(row, i)));
                output.write(number);
            }
            output.write(" " + texts[static_cast<std::size_t>(row)] + "\n");
        }
    }
    output.commit();
}

}  // namespace

void add_similarity(CLI::App& app) {
    const auto options = std::make_shared<SimilarityOptions>();
    CLI::App& command = *app.add_subcommand("similarity", "Show how alike texts are in meaning");
    add_encoder_options(command, options->folder, options->encoder);
    command.add_option("texts", options->texts, "Texts to compare with each other");
    command.add_option("--file", options->file, "File of further texts, one a line; - for standard input");
    add_measure_option(command, options->measure);
    command.add_flag("--json", options->json, "Write JSON");
    command.footer("  bert similarity all-MiniLM-L6-v2 'A cat sat down.' 'Dogs bark.'");
    command.callback([options] { run_similarity(*options); });
}
