// Texts to sentence embeddings with a sentence-transformers folder. Depends on io, text, nn and model.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/matrix.hpp>
#include <bert/io/model_path.hpp>
#include <bert/io/sentence_config.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/model/dense.hpp>
#include <bert/tasks/similarity.hpp>
#include <bert/tasks/task_model.hpp>
#include <bert/text/tokenizer.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
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
    std::optional<std::string> prompt;        ///< put before each text; "" for none
    std::optional<std::string> prompt_name;   ///< one of the folder's prompts; not used where `prompt` is set
    LongText long_text = LongText::truncate;  ///< what becomes of texts longer than the model takes
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
    explicit SentenceEncoder(const ModelPath& folder, const SentenceEncoderOptions& options = {});

    /// Opens a model whose settings are the caller's, not the folder's. Errors: as above.
    SentenceEncoder(SentenceConfig config, const SentenceEncoderOptions& options);

    /// One row per text. Errors: input (unknown prompt name, a text too long under LongText::error), format (invalid
    /// UTF-8, where that was asked for).
    Matrix encode(const std::vector<std::string>& texts, const EmbedOptions& options = {}) const;

    /// encode() with the prompt that the folder names "query", or without one where it names none.
    Matrix encode_query(const std::vector<std::string>& texts, EmbedOptions options = {}) const;

    /// encode() with the prompt that the folder names "document", or without one where it names none. (Folders that
    /// call it "passage" need prompt_name set, with sentence-transformers too.)
    Matrix encode_document(const std::vector<std::string>& texts, EmbedOptions options = {}) const;

    /// encode() that also tells what each text became.
    SentenceEmbeddings embed(const std::vector<std::string>& texts, const EmbedOptions& options = {}) const;

    /// How alike the rows of a and b are, by the folder's measure: a.rows() x b.rows(). Euclidean and Manhattan
    /// distances are negated, so that larger means more alike. Errors: shape.
    Matrix similarity(const ConstRows<float>& a, const ConstRows<float>& b) const;

    /// Length of an embedding.
    Index dimension() const noexcept;

    /// Most tokens of a text, special tokens included.
    std::size_t max_seq_length() const noexcept { return max_seq_length_; }

    /// Frees the scratch memory that is kept from call to call: as much as the largest of them needed.
    void shrink() const { task_.shrink(); }

    const AnyBertModel& model() const noexcept { return task_.model(); }       ///< what it computes with
    const Tokenizer& tokenizer() const noexcept { return task_.tokenizer(); }  ///< as the folder has it
    const SentenceConfig& config() const noexcept { return config_; }          ///< pooling, modules, prompts and limits
    std::size_t threads() const noexcept { return task_.threads(); }           ///< that it computes with

private:
    /// A part of a text that the model sees at once.
    struct Window {
        Index row;    // of its text
        Index skip;   // leading tokens that pooling leaves out
        float share;  // of the text's pooled vector
    };

    void tokenize(std::size_t row, const std::string& text, LongText policy, TokenIds& encoded) const;

    static TextInfo describe(const TokenIds& encoded, LongText policy);

    /// `skip`: leading tokens of the text that pooling leaves out.
    static void add_windows(std::size_t row, const TokenIds& encoded, Index skip, std::vector<Window>& windows);

    /// Adds the vectors of a step's inputs to the rows of their texts. pooled: texts x pooled size.
    void pool_step(const TaskStep& step, const Window* windows, Matrix& pooled) const;

    static TaskOptions task_options(const SentenceEncoderOptions& options);

    void verify() const;

    Index pooled_size() const noexcept;

    void choose_length();

    void load_modules();

    void choose_prompt(const char* name, EmbedOptions& options) const;

    std::string prompt_of(const EmbedOptions& options) const;

    /// Tokens that pooling has to skip: the prompt's with what stands before it, where the folder excludes it.
    Index prompt_tokens(const std::string& prompt) const;

    /// Pooled vectors through the folder's modules and the options.
    Matrix finish(Matrix embeddings, Workspace& workspace) const;

    SentenceConfig config_;
    SentenceEncoderOptions options_;
    TaskModel task_;
    std::size_t max_seq_length_ = 0;
    std::vector<Dense> dense_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/sentence_encoder.ipp>
#endif
