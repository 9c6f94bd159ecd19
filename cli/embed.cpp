// bert embed: texts to vectors, as JSON lines or a NumPy array.
#include "commands.hpp"
#include "encoder_options.hpp"
#include "records.hpp"

#include <bert/bert.hpp>

#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <map>
#include <memory>
#include <string>

namespace {

struct EmbedOptions {
    std::string folder;
    bert::SentenceEncoderOptions encoder;
    bert::EmbedOptions embed;
    InputOptions input;
    std::string output;
    bool query = false;
    bool document = false;
    bool quiet = false;
};

/// Header of a NumPy file of rows x columns floats (format version 1.0), padded to a multiple of 64 bytes.
std::string npy_header(bert::Index rows, bert::Index columns) {
    std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                       std::to_string(columns) + "), }";
    constexpr std::size_t prefix = 10;  // magic, version and length
    text.append(63 - (prefix + text.size()) % 64, ' ').push_back('\n');
    std::string header("\x93NUMPY\x01\x00", 8);
    header.push_back(static_cast<char>(text.size() & 0xFF));
    header.push_back(static_cast<char>(text.size() >> 8));
    return header + text;
}

/// The record with its embedding added, as JSON. Numbers are written by hand: as doubles they would be longer.
std::string with_embedding(Record record, const bert::TextInfo& info, const bert::ConstRows<float>& embedding) {
    record.erase("embedding");
    if (info.truncated) record["truncated"] = true;
    std::string line = record.dump(-1, ' ', false, Record::error_handler_t::replace);
    line.pop_back();
    line += record.empty() ? "\"embedding\":[" : ",\"embedding\":[";
    for (bert::Index i = 0; i < embedding.cols(); ++i) {
        if (i > 0) line += ',';
        line += shortest(embedding(0, i));
    }
    return line + "]}\n";
}

void run_embed(EmbedOptions& options) {
    const bool npy = options.output.size() > 4 && options.output.compare(options.output.size() - 4, 4, ".npy") == 0;
    const bert::SentenceEncoder encoder(options.folder, options.encoder);
    const Input input = read_input(options.input);
    Output output(options.output);

    const bool shows_progress = !options.quiet && isatty(STDERR_FILENO) != 0;
    if (shows_progress) {
        options.embed.progress = [](std::size_t done, std::size_t total) {
            std::fprintf(stderr, "\r%zu of %zu texts%s", done, total, done == total ? "\n" : "");
        };
    }
    if (options.query || options.document) {
        const char* const name = options.query ? "query" : "document";
        const auto prompt = encoder.config().prompts.find(name);
        options.embed.prompt = prompt == encoder.config().prompts.end() ? "" : prompt->second;
    }
    const bert::SentenceEmbeddings result = encoder.embed(input.texts, options.embed);

    if (npy) {
        const bert::Matrix& rows = result.embeddings;
        output.write(npy_header(rows.rows(), rows.cols()));
        output.write(rows.data(), static_cast<std::size_t>(rows.size()) * sizeof(float));
    } else {
        for (std::size_t i = 0; i < input.texts.size(); ++i) {
            output.write(
                with_embedding(input.records[i], result.texts[i], result.embeddings.row(static_cast<bert::Index>(i))));
        }
    }
    output.commit();

    std::size_t truncated = 0;
    for (const bert::TextInfo& info : result.texts) truncated += info.truncated;
    if (truncated > 0 && !options.quiet) {
        std::fprintf(stderr, "bert: %zu of %zu texts were cut to %zu tokens (--long-text windows embeds all of them)\n",
                     truncated, input.texts.size(), encoder.max_seq_length());
    }
}

}  // namespace

void add_embed(CLI::App& app) {
    const auto options = std::make_shared<EmbedOptions>();
    CLI::App& command = *app.add_subcommand("embed", "Embed texts: one vector a text");
    add_encoder_options(command, options->folder, options->encoder);
    add_input_options(command, options->input);
    command.add_option("-o,--output", options->output,
                       "File to write, a NumPy array if it ends in .npy, else JSON lines (default: standard output)");
    auto* const prompt = command.add_option("--prompt", options->embed.prompt, "Text to put before each text");
    auto* const name = command.add_option("--prompt-name", options->embed.prompt_name, "One of the folder's prompts");
    auto* const query =
        command.add_flag("--query", options->query, "Embed as queries, with the folder's prompt for them");
    auto* const document =
        command.add_flag("--document", options->document, "Embed as documents, with the folder's prompt for them");
    prompt->excludes(name, query, document);
    name->excludes(query, document);
    query->excludes(document);
    command
        .add_option("--long-text", options->embed.long_text,
                    "What to do with texts of too many tokens: truncate, error, or windows (average of all of it)")
        ->option_text("POLICY")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, bert::LongText>{{"truncate", bert::LongText::truncate},
                                                                          {"error", bert::LongText::error},
                                                                          {"windows", bert::LongText::average_windows}})
                .description(""));
    command.add_option("--token-budget", options->embed.token_budget, "Tokens to compute at once: bounds memory")
        ->capture_default_str();
    command.add_flag("-q,--quiet", options->quiet, "No progress and no note of texts that were cut");
    command.footer(
        R"(Plain lines become {"text": ..., "embedding": [...]}; JSON objects keep their fields and get "embedding".
An empty line is a text of its own. Nothing is written before everything has succeeded.

  echo "A cat sat down." | bert embed all-MiniLM-L6-v2
  bert embed all-MiniLM-L6-v2 texts.txt -o vectors.npy
  bert embed all-MiniLM-L6-v2 articles.jsonl --field body --long-text windows > embedded.jsonl)");
    command.callback([options] { run_embed(*options); });
}
