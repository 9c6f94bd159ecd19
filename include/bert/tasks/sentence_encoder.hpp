// Texts to sentence embeddings with a sentence-transformers folder. Depends on io, text, nn and model.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/matrix.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/error.hpp>
#include <bert/io/sentence_config.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/model/dense.hpp>
#include <bert/nn/pooling.hpp>
#include <bert/tasks/similarity.hpp>
#include <bert/text/tokenizer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
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
    WeightType weights = WeightType::float32;   ///< what the model computes with
    unsigned threads = 0;                       ///< 0: as many as the process may use
    std::optional<Executor> executor;           ///< the caller's own threads, instead of `threads` of the library's
    LoadOptions load;                           ///< how the model's files are opened
    /// Accept a vocabulary much smaller than the embedding table. Some folders are published so; in others the
    /// vocabulary file was cut short, which would go unnoticed.
    bool allow_unused_embeddings = false;
    InvalidUtf8 invalid_utf8 = InvalidUtf8::replace;  ///< what to do with text that is not UTF-8
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
    /// Opens a folder of sentence-transformers, or any folder of a BERT model (then with mean pooling).
    /// Errors: file, format, shape, vocabulary, unsupported; input (options out of range).
    explicit SentenceEncoder(const std::filesystem::path& folder, const SentenceEncoderOptions& options = {})
        : SentenceEncoder(load_sentence_config(folder), options) {}

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

        Pass pass(*this, pooled, prompt_tokens(prompt));
        std::string text;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            text.assign(prompt).append(texts[i]);
            result.texts[i] = pass.add(i, text, options.long_text);
            if (pass.tokens() < options.token_budget && i + 1 < texts.size()) continue;
            pass.compute(options.token_budget);
            if (options.progress) options.progress(i + 1, texts.size());
        }
        result.embeddings = finish(std::move(pooled), pass.workspace());
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

    const AnyBertModel& model() const noexcept { return model_; }
    const Tokenizer& tokenizer() const noexcept { return tokenizer_; }
    const SentenceConfig& config() const noexcept { return config_; }
    std::size_t threads() const noexcept { return shared_->threads.size(); }

private:
    struct Shared {
        explicit Shared(const SentenceEncoderOptions& options)
            : threads(options.executor ? ThreadPool(*options.executor) : ThreadPool(options.threads)) {}
        ThreadPool threads;
        std::mutex mutex;  // guards what follows
        std::vector<std::unique_ptr<Workspace>> idle;
    };

    /// One call's work: collects tokenized windows and turns them into pooled vectors, a bounded number of tokens at a
    /// time.
    class Pass {
    public:
        /// pooled: texts x pooled size, zero; `skip`: leading tokens that pooling leaves out.
        Pass(const SentenceEncoder& encoder, Matrix& pooled, Index skip)
            : encoder_(encoder), pooled_(pooled), skip_(skip), workspace_(encoder.borrow_workspace()) {}
        Pass(const Pass&) = delete;
        Pass& operator=(const Pass&) = delete;
        ~Pass() { encoder_.return_workspace(std::move(workspace_)); }

        Workspace& workspace() { return *workspace_; }

        /// Tokens waiting to be computed.
        std::size_t tokens() const noexcept { return ids_.size(); }

        TextInfo add(std::size_t row, const std::string& text, LongText policy) {
            EncodeOptions options;
            options.max_length = encoder_.max_seq_length_;
            options.overflowing = policy == LongText::average_windows;
            encoder_.tokenizer_.encode_ids(text, options, encoded_);
            if (policy == LongText::error && encoded_.truncated) {
                detail::fail(ErrorKind::input, "text ", row, " has ", encoded_.total_tokens, " tokens; at most ",
                             encoder_.max_seq_length_, " fit");
            }
            TextInfo info;
            info.tokens = encoded_.ids.size();
            info.windows = encoded_.window_ends.size();
            info.truncated = encoded_.truncated && !options.overflowing;
            std::size_t begin = 0;
            for (const std::size_t end : encoded_.window_ends) {
                const double share = static_cast<double>(end - begin) / static_cast<double>(info.tokens);
                // The prompt stands in the first window alone.
                windows_.push_back({row, end - begin, begin == 0 ? skip_ : 0, static_cast<float>(share)});
                begin = end;
            }
            ids_.insert(ids_.end(), encoded_.ids.begin(), encoded_.ids.end());
            type_ids_.insert(type_ids_.end(), encoded_.type_ids.begin(), encoded_.type_ids.end());
            return info;
        }

        /// Computes everything that waits, at most `budget` tokens at once (one window at least).
        void compute(std::size_t budget) {
            std::size_t begin = 0;  // first token of the step
            for (std::size_t first = 0; first < windows_.size();) {
                std::size_t last = first;
                std::size_t end = begin;
                while (last < windows_.size() && (last == first || end + windows_[last].tokens - begin <= budget)) {
                    end += windows_[last++].tokens;
                }
                compute_step(first, last, begin);
                first = last;
                begin = end;
            }
            ids_.clear();
            type_ids_.clear();
            windows_.clear();
        }

    private:
        struct Window {
            std::size_t row;
            std::size_t tokens;
            Index skip;   // leading tokens that pooling leaves out
            float share;  // of the text's pooled vector
        };

        void compute_step(std::size_t first, std::size_t last, std::size_t begin) {
            batch_.clear();
            for (std::size_t i = first; i < last; ++i) {
                batch_.add(ids_.data() + begin, type_ids_.data() + begin, windows_[i].tokens);
                begin += windows_[i].tokens;
            }
            const Workspace::Frame frame(*workspace_);
            const Index hidden_size = encoder_.model_.config().hidden_size;
            Eigen::Map<Matrix> hidden(workspace_->take<float>(static_cast<std::size_t>(batch_.tokens() * hidden_size)),
                                      batch_.tokens(), hidden_size);
            encoder_.model_.forward(batch_, hidden, *workspace_);

            double* const sums = workspace_->take<double>(static_cast<std::size_t>(hidden_size));
            float* const vector = workspace_->take<float>(static_cast<std::size_t>(hidden_size));
            for (std::size_t i = first; i < last; ++i) {
                const auto text = static_cast<Index>(i - first);
                const auto rows = hidden.middleRows(batch_.offsets[i - first], batch_.length(text));
                Index column = 0;
                for (const PoolingMode mode : encoder_.config_.pooling) {
                    pool(mode, rows, windows_[i].skip, sums, vector);
                    pooled_.row(static_cast<Index>(windows_[i].row)).segment(column, hidden_size) +=
                        windows_[i].share * Eigen::Map<Eigen::RowVectorXf>(vector, hidden_size);
                    column += hidden_size;
                }
            }
        }

        const SentenceEncoder& encoder_;
        Matrix& pooled_;
        Index skip_;
        std::unique_ptr<Workspace> workspace_;
        TokenIds encoded_;  // of the text at hand
        std::vector<std::int32_t> ids_;
        std::vector<std::int32_t> type_ids_;
        std::vector<Window> windows_;
        Batch batch_;
    };

    SentenceEncoder(SentenceConfig config, const SentenceEncoderOptions& options)
        : config_(std::move(config)),
          options_(options),
          tokenizer_(Tokenizer::load(config_.transformer_folder, {options.invalid_utf8, config_.do_lower_case})),
          model_(AnyBertModel::load(config_.transformer_folder, options.weights, options.load)),
          shared_(std::make_unique<Shared>(options)) {
        if (options.pooling) config_.pooling = {*options.pooling};
        if (options.truncate_dim) config_.truncate_dim = options.truncate_dim;
        check_vocabulary();
        choose_length();
        load_modules();
        if (config_.truncate_dim && *config_.truncate_dim < 1) {
            detail::fail(ErrorKind::input, "truncate_dim should be positive, given ", *config_.truncate_dim);
        }
    }

    Index pooled_size() const noexcept {
        return static_cast<Index>(config_.pooling.size()) * model_.config().hidden_size;
    }

    void check_vocabulary() const {
        const auto tokens = static_cast<Index>(tokenizer_.vocab_size());
        const Index rows = model_.config().vocab_size;
        // Tables are often padded to a round number of rows.
        constexpr Index padding = 256;
        if (tokens > rows || (tokens + padding <= rows && !options_.allow_unused_embeddings)) {
            detail::fail(ErrorKind::vocabulary, config_.transformer_folder, ": the vocabulary has ", tokens,
                         " ids, but the model ", rows, " word embeddings",
                         tokens > rows ? "" : " (allow_unused_embeddings accepts that)");
        }
    }

    void choose_length() {
        const auto model_limit = static_cast<std::size_t>(model_.config().max_position_embeddings);
        if (options_.max_seq_length && *options_.max_seq_length > model_limit) {
            detail::fail(ErrorKind::input, "max_seq_length should be at most ", model_limit, ", given ",
                         *options_.max_seq_length);
        }
        max_seq_length_ = model_limit;
        if (options_.max_seq_length) max_seq_length_ = *options_.max_seq_length;
        else if (config_.max_seq_length) max_seq_length_ = std::min(*config_.max_seq_length, model_limit);
        else if (const auto limit = tokenizer_.model_max_length()) max_seq_length_ = std::min(*limit, model_limit);
        if (max_seq_length_ <= tokenizer_.num_special_tokens(false)) {
            detail::fail(ErrorKind::input, "max_seq_length should leave room beside ",
                         tokenizer_.num_special_tokens(false), " special tokens, given ", max_seq_length_);
        }
    }

    void load_modules() {
        if (config_.pooling_dimension && *config_.pooling_dimension != model_.config().hidden_size) {
            detail::fail(ErrorKind::shape, config_.transformer_folder, ": pooling was made for ",
                         *config_.pooling_dimension, " dimensions, but the model has ", model_.config().hidden_size);
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
        const Encoding encoding = tokenizer_.encode(prompt);
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

    std::unique_ptr<Workspace> borrow_workspace() const {
        const std::lock_guard<std::mutex> lock(shared_->mutex);
        if (shared_->idle.empty()) return std::make_unique<Workspace>(&shared_->threads);
        auto workspace = std::move(shared_->idle.back());
        shared_->idle.pop_back();
        return workspace;
    }

    void return_workspace(std::unique_ptr<Workspace> workspace) const noexcept {
        try {
            const std::lock_guard<std::mutex> lock(shared_->mutex);
            shared_->idle.push_back(std::move(workspace));
        } catch (const std::exception&) {
            // Without memory to keep it, the workspace is freed and the next call makes its own.
        }
    }

    SentenceConfig config_;
    SentenceEncoderOptions options_;
    Tokenizer tokenizer_;
    AnyBertModel model_;
    std::size_t max_seq_length_ = 0;
    std::vector<Dense> dense_;
    std::unique_ptr<Shared> shared_;
};

BERT_NAMESPACE_END
