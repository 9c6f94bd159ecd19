// Text to text with two BERTs: translation, abstractive summaries. Depends on io, text, model and tasks/generation.
#pragma once

#include <bert/core/workspace_pool.hpp>
#include <bert/io/decoder_config.hpp>
#include <bert/io/generation_config.hpp>
#include <bert/io/model_path.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/model/any_decoder_model.hpp>
#include <bert/nn/linear.hpp>
#include <bert/tasks/generation.hpp>
#include <bert/tasks/language_model.hpp>
#include <bert/text/tokenizer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What became of a source on its way to the model.
struct SourceInfo {
    std::size_t tokens = 0;  ///< tokens that the encoder read
    bool truncated = false;  ///< whether the end of the text was left out
};

/// Generated texts with an account of each source.
struct Seq2SeqResult {
    std::vector<std::vector<GeneratedSequence>> sequences;  ///< per source, best first with beams
    std::vector<SourceInfo> sources;                        ///< one a text that went in
};

/// How a Seq2Seq is opened.
struct Seq2SeqOptions : LanguageModelOptions {
    bool truncate = false;  ///< leave out the end of a source that is too long, and say so, instead of failing
    /// A folder with the tokenizer of generated texts, where it is not the one of the sources.
    std::optional<ModelPath> target_tokenizer;
};

/// `transformers.EncoderDecoderModel` of two BERTs or BertGenerations (Rothe et al. 2019,
/// https://arxiv.org/abs/1907.12461). Const calls may be made from several threads at once.
class Seq2Seq {
public:
    /// Opens a folder. Tokenizers are optional as in CausalLM. Errors: file, format, shape, vocabulary, unsupported (a
    /// folder without encoder and decoder).
    explicit Seq2Seq(const ModelPath& folder, const Seq2SeqOptions& options = {});

    /// A text for each source, tokenized with its special tokens. Errors: input (see bert::generate(); a source too
    /// long; no tokenizer; no token to start with), format (invalid UTF-8, where that is asked for).
    Seq2SeqResult generate(const std::vector<std::string>& sources, const GenerationOptions& options = {}) const;

    /// The same for sources given as tokens, of token type 0. Errors: input.
    std::vector<std::vector<GeneratedSequence>> generate_ids(const std::vector<std::vector<std::int32_t>>& sources,
                                                             const GenerationOptions& options = {}) const;

    const AnyBertModel& encoder() const noexcept { return encoder_; }     ///< reads
    const AnyDecoderModel& decoder() const noexcept { return decoder_; }  ///< writes
    /// Nothing where the folder has none: then ids go in and come out.
    const std::optional<Tokenizer>& tokenizer() const noexcept { return tokenizer_; }
    /// The folder's defaults.
    const GenerationConfig& generation_config() const noexcept { return generation_config_; }
    std::size_t threads() const noexcept { return workspaces_->threads().size(); }  ///< that it computes with

    /// The states that the decoder attends to, brought to its hidden size: tokens x hidden for a checked batch.
    Matrix encode(const Batch& batch, Workspace& workspace) const;

private:
    Seq2Seq(const ModelPath& folder, const Seq2SeqOptions& options, const EncoderDecoderConfig& config,
            const Checkpoint& checkpoint);

    static AnyBertModel load_encoder(const ModelConfig& config, const Checkpoint& checkpoint, WeightType type,
                                     const LoadOptions& load);

    /// All before the first is computed: a call fails at once or not for its sources.
    void check_sources(const std::vector<std::vector<std::int32_t>>& sources) const;

    std::vector<KeyValueCache<float>> read(const std::vector<std::vector<std::int32_t>>& sources,
                                           const std::vector<std::size_t>& wanted, Workspace& workspace) const;

    bool truncate_;
    GenerationConfig generation_config_;
    std::optional<Tokenizer> tokenizer_;         // of the sources
    std::optional<Tokenizer> target_tokenizer_;  // of the generated texts, where it is another
    AnyBertModel encoder_;
    AnyDecoderModel decoder_;
    std::optional<Linear<float>> projection_;
    std::unique_ptr<WorkspacePool> workspaces_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/seq2seq.ipp>
#endif
