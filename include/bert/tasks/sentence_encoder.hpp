// Texts to sentence embeddings with a sentence-transformers folder. Depends on io, text, nn and model.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/model_path.hpp>
#include <bert/io/sentence_config.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/model/dense.hpp>
#include <bert/nn/pooling.hpp>
#include <bert/tasks/similarity.hpp>
#include <bert/tasks/task_model.hpp>
#include <bert/tasks/verification.hpp>
#include <bert/text/tokenizer.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

BERT_NAMESPACE_BEGIN

/// How a SentenceEncoder is opened. What is not set follows the folder.
struct SentenceEncoderOptions {
    std::optional<std::size_t> max_seq_length;  ///< most tokens of a text, [CLS] and [SEP] included
    std::optional<bool> normalize;              ///< true: unit length; false: leave out the folder's Normalize module
    std::optional<PoolingMode> pooling;         ///< instead of the folder's
    std::optional<Index> truncate_dim;          ///< keep the first dimensions only (Matryoshka embeddings)
    std::optional<WeightType> weights;          ///< what the model computes with; see choose_weights()
    unsigned threads = 0;                       ///< 0: as many as the process may use
    std::optional<Executor> executor;           ///< the caller's own threads, instead of `threads` of the library's
    LoadOptions load;                           ///< how the model's files are opened
    /// Accept a vocabulary much smaller than the embedding table. Some folders are published so; in others the
    /// vocabulary file was cut short, which would go unnoticed.
    bool allow_unused_embeddings = false;
    InvalidUtf8 invalid_utf8 = InvalidUtf8::replace;  ///< what to do with text that is not UTF-8
    /// Fail unless the model makes the embeddings that it carries, as converted models do. See also bert::verify().
    bool verify = false;
};

/// What becomes of a text with more than max_seq_length tokens.
enum class LongText {
    truncate,         ///< embed its beginning, as sentence-transformers does, and say so in TextInfo::truncated
    error,            ///< fail, naming the text
    average_windows,  ///< embed all of it in windows and average their pooled vectors, weighted by their tokens
};

/// Options of one call.
struct EmbedOptions {
    std::optional<std::string> prompt;       ///< put before each text; "" for none
    std::optional<std::string> prompt_name;  ///< one of the folder's prompts; not used where `prompt` is set
    LongText long_text = LongText::truncate;
    /// Tokens computed at once: bounds the memory of a call, whatever the number and length of texts. No effect on
    /// results.
    std::size_t token_budget = 1024;
    /// Called after every step with the number of texts done and their total. What it throws ends the call.
    std::function<void(std::size_t done, std::size_t total)> progress;
};

/// What a text became on the way to its embedding.
struct TextInfo {
    std::size_t tokens = 0;   ///< tokens computed, with the special ones of every window
    std::size_t windows = 1;  ///< more than 1 under LongText::average_windows only
    bool truncated = false;   ///< whether the end of the text was left out
};

/// Embeddings with an account of each text.
struct SentenceEmbeddings {
    Matrix embeddings;            ///< texts x dimension
    std::vector<TextInfo> texts;  ///< one per text
};

/// Embeds texts so that close meanings get close vectors (Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084).
///
/// Const calls may be made from several threads at once: they share the model, and the pool of threads goes to one of
/// them at a time. A text's embedding has the same bits alone, in any company and on any number of threads.
class SentenceEncoder {
public:
    /// Opens a model of sentence-transformers, or any BERT model (then with mean pooling): a folder or one file, see
    /// ModelPath.
    /// Errors: file, format, shape, vocabulary, unsupported; input (options out of range).
    explicit SentenceEncoder(const ModelPath& folder, const SentenceEncoderOptions& options = {})
        : SentenceEncoder(load_sentence_config(folder), options) {}

    /// Opens a model whose settings are the caller's, not the folder's. Errors: as above.
    SentenceEncoder(SentenceConfig config, const SentenceEncoderOptions& options)
        : config_(std::move(config)),
          options_(options),
          task_(config_.transformer_folder, task_options(options), {config_.do_lower_case, {}}) {
        if (options.pooling) config_.pooling = {*options.pooling};
        if (options.truncate_dim) config_.truncate_dim = options.truncate_dim;
        choose_length();
        load_modules();
        if (config_.truncate_dim && *config_.truncate_dim < 1) {
            detail::fail(ErrorKind::input, "truncate_dim should be positive, given ", *config_.truncate_dim);
        }
        if (options.verify) verify();
    }

    /// One row per text. Errors: input (unknown prompt name, a text too long under LongText::error), format (invalid
    /// UTF-8, where that was asked for).
    Matrix encode(const std::vector<std::string>& texts, const EmbedOptions& options = {}) const {
        return embed(texts, options).embeddings;
    }

    /// encode() with the prompt that the folder names "query", or without one where it names none.
    Matrix encode_query(const std::vector<std::string>& texts, EmbedOptions options = {}) const {
        choose_prompt("query", options);
        return encode(texts, options);
    }

    /// encode() with the prompt that the folder names "document", or without one where it names none. (Folders that
    /// call it "passage" need prompt_name set, with sentence-transformers too.)
    Matrix encode_document(const std::vector<std::string>& texts, EmbedOptions options = {}) const {
        choose_prompt("document", options);
        return encode(texts, options);
    }

    /// encode() that also tells what each text became.
    SentenceEmbeddings embed(const std::vector<std::string>& texts, const EmbedOptions& options = {}) const {
        const std::string prompt = prompt_of(options);
        SentenceEmbeddings result;
        result.texts.resize(texts.size());
        Matrix pooled = Matrix::Zero(static_cast<Index>(texts.size()), pooled_size());

        std::vector<Window> windows;  // of the texts that wait in `run`, after the first `computed` ones
        std::size_t computed = 0;
        TaskRun run(task_, options.token_budget,
                    [&](const TaskStep& step) { pool_step(step, windows.data() + (step.first - computed), pooled); });
        const Index skip = prompt_tokens(prompt);
        std::string text;
        TokenIds encoded;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            text.assign(prompt).append(texts[i]);
            tokenize(i, text, options.long_text, encoded);
            result.texts[i] = describe(encoded, options.long_text);
            add_windows(i, encoded, skip, windows);
            run.add(encoded);
            if (!run.full() && i + 1 < texts.size()) continue;
            run.compute();
            computed += windows.size();
            windows.clear();
            if (options.progress) options.progress(i + 1, texts.size());
        }
        result.embeddings = finish(std::move(pooled), run.workspace());
        return result;
    }

    /// How alike the rows of a and b are, by the folder's measure: a.rows() x b.rows(). Euclidean and Manhattan
    /// distances are negated, so that larger means more alike. Errors: shape.
    Matrix similarity(const ConstRows<float>& a, const ConstRows<float>& b) const {
        return bert::similarity(a, b, config_.similarity);
    }

    /// Length of an embedding.
    Index dimension() const noexcept {
        Index size = pooled_size();
        if (!dense_.empty()) size = dense_.back().out_features();
        return config_.truncate_dim ? std::min(size, *config_.truncate_dim) : size;
    }

    /// Most tokens of a text, special tokens included.
    std::size_t max_seq_length() const noexcept { return max_seq_length_; }

    /// Frees the scratch memory that is kept from call to call: as much as the largest of them needed.
    void shrink() const { task_.shrink(); }

    const AnyBertModel& model() const noexcept { return task_.model(); }
    const Tokenizer& tokenizer() const noexcept { return task_.tokenizer(); }
    const SentenceConfig& config() const noexcept { return config_; }
    std::size_t threads() const noexcept { return task_.threads(); }

private:
    /// A part of a text that the model sees at once.
    struct Window {
        Index row;    // of its text
        Index skip;   // leading tokens that pooling leaves out
        float share;  // of the text's pooled vector
    };

    void tokenize(std::size_t row, const std::string& text, LongText policy, TokenIds& encoded) const {
        EncodeOptions options;
        options.max_length = max_seq_length_;
        options.overflowing = policy == LongText::average_windows;
        tokenizer().encode_ids(text, options, encoded);
        if (policy == LongText::error && encoded.truncated) {
            detail::fail(ErrorKind::input, "text ", row, " has ", encoded.total_tokens, " tokens; at most ",
                         max_seq_length_, " fit");
        }
    }

    static TextInfo describe(const TokenIds& encoded, LongText policy) {
        return {encoded.ids.size(), encoded.window_ends.size(),
                encoded.truncated && policy != LongText::average_windows};
    }

    /// `skip`: leading tokens of the text that pooling leaves out.
    static void add_windows(std::size_t row, const TokenIds& encoded, Index skip, std::vector<Window>& windows) {
        std::size_t begin = 0;
        for (const std::size_t end : encoded.window_ends) {
            const double share = static_cast<double>(end - begin) / static_cast<double>(encoded.ids.size());
            // The prompt stands in the first window alone.
            windows.push_back({static_cast<Index>(row), begin == 0 ? skip : 0, static_cast<float>(share)});
            begin = end;
        }
    }

    /// Adds the vectors of a step's inputs to the rows of their texts. pooled: texts x pooled size.
    void pool_step(const TaskStep& step, const Window* windows, Matrix& pooled) const {
        const Workspace::Frame frame(step.workspace);
        const Index size = step.hidden.cols();
        double* const sums = step.workspace.take<double>(static_cast<std::size_t>(size));
        float* const vector = step.workspace.take<float>(static_cast<std::size_t>(size));
        for (Index i = 0; i < step.batch.texts(); ++i) {
            Index column = 0;
            for (const PoolingMode mode : config_.pooling) {
                pool(mode, step.rows(i), windows[i].skip, sums, vector);
                pooled.row(windows[i].row).segment(column, size) +=
                    windows[i].share * Eigen::Map<Eigen::RowVectorXf>(vector, size);
                column += size;
            }
        }
    }

    static TaskOptions task_options(const SentenceEncoderOptions& options) {
        TaskOptions task;
        task.weights = options.weights;
        task.threads = options.threads;
        task.executor = options.executor;
        task.load = options.load;
        task.allow_unused_embeddings = options.allow_unused_embeddings;
        task.invalid_utf8 = options.invalid_utf8;
        return task;
    }

    void verify() const {
        if (options_.max_seq_length || options_.normalize || options_.pooling || options_.truncate_dim) {
            detail::fail(ErrorKind::input,
                         "only embeddings by the model's own settings can be verified: leave out "
                         "max_seq_length, normalize, pooling and truncate_dim");
        }
        detail::check_verification(*this, config_.transformer_folder);
    }

    Index pooled_size() const noexcept {
        return static_cast<Index>(config_.pooling.size()) * model().config().hidden_size;
    }

    void choose_length() {
        const auto model_limit = static_cast<std::size_t>(model().config().max_position_embeddings);
        if (options_.max_seq_length && *options_.max_seq_length > model_limit) {
            detail::fail(ErrorKind::input, "max_seq_length should be at most ", model_limit, ", given ",
                         *options_.max_seq_length);
        }
        max_seq_length_ = task_.max_length();
        if (options_.max_seq_length) max_seq_length_ = *options_.max_seq_length;
        else if (config_.max_seq_length) max_seq_length_ = std::min(*config_.max_seq_length, model_limit);
        if (max_seq_length_ <= tokenizer().num_special_tokens(false)) {
            detail::fail(ErrorKind::input, "max_seq_length should leave room beside ",
                         tokenizer().num_special_tokens(false), " special tokens, given ", max_seq_length_);
        }
    }

    void load_modules() {
        if (config_.pooling_dimension && *config_.pooling_dimension != model().config().hidden_size) {
            detail::fail(ErrorKind::shape, config_.transformer_folder, ": pooling was made for ",
                         *config_.pooling_dimension, " dimensions, but the model has ", model().config().hidden_size);
        }
        Index size = pooled_size();
        for (const auto& module : config_.modules) {
            const auto* const config = std::get_if<DenseConfig>(&module);
            if (!config) continue;
            if (config->in_features != size) {
                detail::fail(ErrorKind::shape, config->folder, ": \"in_features\" should be ", size, ", given ",
                             config->in_features);
            }
            dense_.push_back(load_dense(*config, options_.load));
            size = config->out_features;
        }
    }

    void choose_prompt(const char* name, EmbedOptions& options) const {
        if (options.prompt || options.prompt_name) return;
        const auto it = config_.prompts.find(name);
        options.prompt = it == config_.prompts.end() ? "" : it->second;
    }

    std::string prompt_of(const EmbedOptions& options) const {
        if (options.prompt) return *options.prompt;
        const auto& name = options.prompt_name ? options.prompt_name : config_.default_prompt_name;
        if (!name) return {};
        const auto it = config_.prompts.find(*name);
        if (it != config_.prompts.end()) return it->second;
        std::string known;
        for (const auto& prompt : config_.prompts) known += (known.empty() ? "" : ", ") + prompt.first;
        detail::fail(ErrorKind::input, "there is no prompt \"", *name,
                     "\"; the folder names: ", known.empty() ? "none" : known);
    }

    /// Tokens that pooling has to skip: the prompt's with what stands before it, where the folder excludes it.
    Index prompt_tokens(const std::string& prompt) const {
        if (config_.include_prompt || prompt.empty()) return 0;
        const Encoding encoding = tokenizer().encode(prompt);
        const bool ends_special = !encoding.empty() && encoding.special_tokens_mask.back() != 0;
        return static_cast<Index>(encoding.size()) - (ends_special ? 1 : 0);
    }

    /// Pooled vectors through the folder's modules and the options.
    Matrix finish(Matrix embeddings, Workspace& workspace) const {
        auto dense = dense_.begin();
        for (const auto& module : config_.modules) {
            if (std::holds_alternative<DenseConfig>(module)) embeddings = (dense++)->forward(embeddings, workspace);
            else if (options_.normalize.value_or(true)) normalize_rows(embeddings);
        }
        if (dimension() < embeddings.cols()) embeddings = embeddings.leftCols(dimension()).eval();
        if (options_.normalize.value_or(false)) normalize_rows(embeddings);
        return embeddings;
    }

    SentenceConfig config_;
    SentenceEncoderOptions options_;
    TaskModel task_;
    std::size_t max_seq_length_ = 0;
    std::vector<Dense> dense_;
};

BERT_NAMESPACE_END
