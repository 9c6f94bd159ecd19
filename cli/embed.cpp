// bert embed: texts to vectors, a window at a time, so that corpora may be larger than memory.
#include "arrow_tables.hpp"
#include "commands.hpp"
#include "embedding_format.hpp"
#include "encoder_options.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "records.hpp"
#include "row_file.hpp"

#include <bert/kernels/dispatch.hpp>
#include <bert/tasks/sentence_encoder.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

struct EmbedOptions {
    std::string folder;
    bert::SentenceEncoderOptions encoder;
    bert::EmbedOptions embed;
    InputOptions input;
    std::string output;
    std::optional<EmbeddingFormat> format;
    bool force = false;
    bool query = false;
    bool document = false;
    bool quiet = false;
};

/// Texts that are embedded together, in the order of the input.
struct Window {
    std::vector<TextRecord> texts;
    std::exception_ptr error;  ///< what ended reading behind them
    bool last = false;
};

Window next_window(TextReader& reader) {
    Window window;
    try {
        window.last = !read_window(reader, [&](TextRecord&& text) { window.texts.push_back(std::move(text)); });
    } catch (...) {
        window.error = std::current_exception();
        window.last = true;
    }
    return window;
}

/// All that the output depends on, beside the input.
Record describe_job(const EmbedOptions& options, const bert::SentenceEncoder& encoder, EmbeddingFormat format) {
    const auto or_null = [](const auto& value) { return value ? Record(*value) : Record(nullptr); };
    const bert::SentenceEncoderOptions& model = options.encoder;
    Record job = {{"model", model_checksum(options.folder)},
                  {"kernels", bert::choose_kernels<float>(model.load.kernels).name},
                  {"weights", static_cast<int>(encoder.model().weights())},
                  {"max length", encoder.max_seq_length()},
                  {"normalize", or_null(model.normalize)},
                  {"dimensions", encoder.dimension()},
                  {"prompt", or_null(options.embed.prompt)},
                  {"prompt name", or_null(options.embed.prompt_name)},
                  {"long texts", static_cast<int>(options.embed.long_text)},
                  {"output format", static_cast<int>(format)},
                  {"input format", options.input.format},
                  {"field", options.input.field},
                  {"errors", options.input.skip_errors}};
    job["pooling"] = model.pooling ? Record(static_cast<int>(*model.pooling)) : Record(nullptr);
    return job;
}

/// Embeds what a reader gives and writes it in order.
class Embedding {
public:
    Embedding(const EmbedOptions& options, const bert::SentenceEncoder& encoder, EmbeddingFormat format)
        : options_(options),
          encoder_(encoder),
          format_(format),
          reader_(options.input),
          file_(
              options.output, [&] { return describe_job(options, encoder, format); }, options.force),
          done_(file_.found()) {
        if (!file_.seekable() && (has_counted_header(format) || is_made_at_the_end(format))) {
            throw CLI::ValidationError("this format needs a file to be written to (-o), not a pipe or a device");
        }
        if (!reader_.skip_to(done_.input)) {
            throw CLI::ValidationError(file_.state_path() +
                                       ": the input of the unfinished run has changed; --force begins anew");
        }
        if (done_.bytes == 0) file_.write(header());
        progress_.emplace(options.quiet, done_.input.bytes, reader_.total_bytes());
    }

    void run() {
        try {
            for (bool last = false; !last;) {
                if (!next_.valid()) read_ahead();
                Window window = next_.get();
                last = window.last;
                if (!last) read_ahead();
                embed(window);
                if (window.error) std::rethrow_exception(window.error);
                throw_if_interrupted();
            }
        } catch (...) {
            interrupt();
            file_.save(done_);
            throw;
        }
        done_.input = reader_.position();
        progress_->show(new_rows(), reader_.total_bytes().value_or(done_.input.bytes));
        RowFile::Make make;
        if (is_made_at_the_end(format_)) {
            make = [&](const std::filesystem::path& rows, const std::filesystem::path& made) {
                write_parquet(rows, static_cast<std::size_t>(encoder_.dimension()), made);
            };
        }
        file_.finish(header(), done_, make);
    }

    const Checkpoint& done() const { return done_; }

private:
    std::uint64_t new_rows() const { return done_.rows - file_.found().rows; }

    std::string header() const {
        return embedding_header(format_, done_.rows, encoder_.dimension(), options_.input.field);
    }

    void read_ahead() {
        next_ = std::async(std::launch::async, [this] { return next_window(reader_); });
    }

    void embed(const Window& window) {
        // Texts of like length together fill the steps of a computation evenly.
        std::vector<std::size_t> order(window.texts.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return window.texts[a].text.size() > window.texts[b].text.size();
        });
        std::vector<std::string> texts;
        std::vector<std::size_t> place(order.size());  // of a text in `texts`
        for (std::size_t i = 0; i < order.size(); ++i) {
            texts.push_back(window.texts[order[i]].text);
            place[order[i]] = i;
        }
        bert::EmbedOptions call = options_.embed;
        call.progress = [&](std::size_t done, std::size_t total) {
            throw_if_interrupted();
            const std::uint64_t bytes = window.texts.back().position.bytes - done_.input.bytes;
            progress_->show(new_rows() + done, done_.input.bytes + bytes * done / total);
        };
        // Cut texts are found afterwards, so that the message can name their place.
        if (call.long_text == bert::LongText::error) call.long_text = bert::LongText::truncate;
        const bert::SentenceEmbeddings result = encoder_.embed(texts, call);
        for (std::size_t i = 0; i < order.size(); ++i) {
            write(window.texts[i], result.texts[place[i]].truncated,
                  result.embeddings.row(static_cast<bert::Index>(place[i])));
        }
        save_now_and_then();
    }

    void write(const TextRecord& text, bool truncated, const bert::ConstRows<float>& embedding) {
        if (truncated && options_.embed.long_text == bert::LongText::error) {
            const bert::Error error(bert::ErrorKind::input, text.place + ": the text has more than " +
                                                                std::to_string(encoder_.max_seq_length()) + " tokens");
            throw_or_skip(options_.input, error, text.position.skipped + done_.skipped);
            ++done_.skipped;
        } else {
            file_.write(embedding_row(format_, text.record, text.text, truncated, embedding));
            ++done_.rows;
            done_.truncated += truncated;
        }
        done_.input = text.position;
    }

    /// What was written behind the last save is lost when the program is killed. The first window is saved at once: a
    /// run that is killed again and again still ends.
    void save_now_and_then() {
        const auto now = std::chrono::steady_clock::now();
        if (file_.seekable() && now - saved_ < std::chrono::milliseconds(500)) return;
        file_.save(done_);
        saved_ = now;
    }

    const EmbedOptions& options_;
    const bert::SentenceEncoder& encoder_;
    EmbeddingFormat format_;
    TextReader reader_;
    RowFile file_;
    Checkpoint done_;
    std::optional<Progress> progress_;
    std::chrono::steady_clock::time_point saved_{};
    std::future<Window> next_;  // last, for it ends before what it reads from
};

void run_embed(EmbedOptions& options) {
    const EmbeddingFormat format = options.format.value_or(format_of(options.output));
    if (format == EmbeddingFormat::parquet) require_arrow();
    const bert::SentenceEncoder encoder(options.folder, options.encoder);
    if (options.query || options.document) {
        const char* const name = options.query ? "query" : "document";
        const auto prompt = encoder.config().prompts.find(name);
        options.embed.prompt = prompt == encoder.config().prompts.end() ? "" : prompt->second;
    }
    notice_interrupts();
    std::optional<Embedding> embedding(std::in_place, options, encoder, format);
    try {
        embedding->run();
    } catch (const Interrupted&) {
        const bool resumable = !options.output.empty();
        const auto rows = static_cast<unsigned long long>(embedding->done().rows);
        embedding.reset();
        std::fprintf(stderr, "bert: interrupted after %llu texts%s\n", rows,
                     !resumable      ? ""
                     : options.force ? "; the same command without --force goes on from there"
                                     : "; the same command goes on from there");
        throw;
    }
    const Checkpoint done = embedding->done();
    embedding.reset();
    report_skipped(done.skipped + done.input.skipped);
    if (done.truncated > 0 && !options.quiet) {
        std::fprintf(stderr,
                     "bert: %llu of %llu texts were cut to %zu tokens (--long-text windows embeds all of them)\n",
                     static_cast<unsigned long long>(done.truncated), static_cast<unsigned long long>(done.rows),
                     encoder.max_seq_length());
    }
}

}  // namespace

void add_embed(CLI::App& app) {
    const auto options = std::make_shared<EmbedOptions>();
    CLI::App& command = *app.add_subcommand("embed", "Embed texts: one vector a text");
    add_encoder_options(command, options->folder, options->encoder);
    add_input_options(command, options->input);
    command.add_option("-o,--output", options->output,
                       "File to write, by its ending a NumPy array (.npy), .safetensors, .csv, .parquet or JSON lines "
                       "(default: standard output)");
    auto* const format = command
                             .add_option("--output-format", options->format,
                                         "jsonl, npy, safetensors, csv or parquet, whatever the name ends in")
                             ->option_text("NAME")
                             ->transform(CLI::CheckedTransformer(std::map<std::string, EmbeddingFormat>{
                                                                     {"jsonl", EmbeddingFormat::jsonl},
                                                                     {"npy", EmbeddingFormat::npy},
                                                                     {"safetensors", EmbeddingFormat::safetensors},
                                                                     {"csv", EmbeddingFormat::csv},
                                                                     {"parquet", EmbeddingFormat::parquet}})
                                             .description(""));
    command
        .add_flag_callback(
            "--json", [options] { options->format = EmbeddingFormat::jsonl; },
            "Write JSON lines, whatever the name ends in")
        ->excludes(format);
    command.add_flag("--force", options->force, "Overwrite a file that is there, and forget an unfinished run");
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
An empty line is a text of its own. Memory does not grow with the number of texts. A run that was interrupted or killed
goes on where it was when the same command is given again; until it has finished, OUTPUT.part and OUTPUT.state hold it.

  echo "A cat sat down." | bert embed all-MiniLM-L6-v2
  bert embed all-MiniLM-L6-v2 texts.txt -o vectors.npy
  bert embed all-MiniLM-L6-v2 articles.csv --column body --on-error skip -o vectors.safetensors
  bert embed all-MiniLM-L6-v2 articles.jsonl --field body --long-text windows > embedded.jsonl)");
    command.callback([options] { run_embed(*options); });
}
