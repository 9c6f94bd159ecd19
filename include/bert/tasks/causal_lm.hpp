// Text generation with a BERT decoder by itself, GPT's way. Depends on io, text, model and tasks/generation.
#pragma once

#include <bert/core/workspace_pool.hpp>
#include <bert/io/generation_config.hpp>
#include <bert/io/model_path.hpp>
#include <bert/model/any_decoder_model.hpp>
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

/// Continues texts: `transformers.BertLMHeadModel` or `BertGenerationDecoder` with `is_decoder` set. Const calls may be
/// made from several threads at once.
class CausalLM {
public:
    /// Opens a folder. A tokenizer is taken from it where it has one of the WordPiece kind; without, generate_ids()
    /// still works. Errors: file, format, shape, vocabulary, unsupported (a folder without such a decoder).
    explicit CausalLM(const ModelPath& folder, const LanguageModelOptions& options = {});

    /// The continuations of each text, num_return_sequences each, best first with beams (fewer where settings leave
    /// fewer sequences). As transformers' pipeline does, texts are tokenized with their special tokens. One of no
    /// tokens at all becomes the folder's bos_token_id. Errors: input (see generate(); no tokenizer), format (invalid
    /// UTF-8, where that is asked for).
    std::vector<std::vector<GeneratedSequence>> generate(const std::vector<std::string>& prompts,
                                                         const GenerationOptions& options = {},
                                                         bool add_special_tokens = true) const;

    /// The same for prompts given as tokens. Every token is attended to. Errors: input.
    std::vector<std::vector<GeneratedSequence>> generate_ids(const std::vector<std::vector<std::int32_t>>& prompts,
                                                             const GenerationOptions& options = {}) const;

    const AnyDecoderModel& model() const noexcept { return model_; }  ///< what is generated with
    /// Nothing where the folder has none: then ids go in and come out.
    const std::optional<Tokenizer>& tokenizer() const noexcept { return tokenizer_; }
    /// The folder's defaults.
    const GenerationConfig& generation_config() const noexcept { return generation_config_; }
    std::size_t threads() const noexcept { return workspaces_->threads().size(); }  ///< that it computes with

private:
    static AnyDecoderModel load(const ModelPath& folder, const LanguageModelOptions& options);

    GenerationConfig generation_config_;
    std::optional<Tokenizer> tokenizer_;
    AnyDecoderModel model_;
    std::unique_ptr<WorkspacePool> workspaces_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/causal_lm.ipp>
#endif
