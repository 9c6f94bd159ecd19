// What a caller may ask of text generation and what comes out, and the settings in force once caller, folder and
// defaults have been heard. Depends on io.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/generation_config.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// A token just chosen.
struct GeneratedToken {
    std::size_t prompt = 0;    ///< index of the prompt or source it belongs to
    std::size_t sequence = 0;  ///< which of that prompt's num_return_sequences
    std::int32_t id = 0;       ///< of the vocabulary
    float score = 0;           ///< see GeneratedSequence::token_scores
    bool last = false;         ///< whether the sequence ends with it
};

/// Options of one call: the settings that GenerationConfig names, and what belongs to the call alone.
struct GenerationOptions : GenerationConfig {
    /// Draws repeat with the same seed. (They are not those of PyTorch's generator.) A prompt's draws depend on the
    /// seed and on which of its sequences it is, not on the other prompts of the call.
    std::uint64_t seed = 0;
    /// Called with every token as soon as it is chosen; not with beams, whose tokens are settled at the end. What it
    /// throws ends the call.
    std::function<void(const GeneratedToken&)> on_token;
    /// Called after every step with the number of finished prompts and their total. What it throws ends the call.
    std::function<void(std::size_t done, std::size_t total)> progress;
    /// Tokens whose keys and values are kept at once: bounds the memory of a call, whatever the number of prompts. One
    /// prompt may exceed it, with all its beams. No effect on results.
    std::size_t token_budget = 4096;
};

/// Why a sequence ended.
enum class FinishReason {
    end_token,  ///< an end token was generated
    length      ///< the length limit was reached
};

/// One continuation of a prompt.
struct GeneratedSequence {
    std::vector<std::int32_t> tokens;  ///< the new tokens, the end token included
    std::string text;                  ///< without special tokens; empty where there is no tokenizer
    /// Log-probability of each token at the time it was chosen, as transformers' compute_transition_scores gives it:
    /// of the processed scores, which beam search does not normalise again (see renormalize_logits).
    std::vector<float> token_scores;
    /// Sum of token_scores divided by tokens^length_penalty: what beams are ordered by.
    float score = 0;
    FinishReason finish = FinishReason::length;  ///< why it ended
};

/// What a model brings to the settings.
struct GenerationLimits {
    Index vocab_size = 0;                     ///< columns of the scores
    Index max_tokens = 0;                     ///< positions it knows
    std::optional<Index> default_max_length;  ///< most tokens where nobody set a length
};

namespace detail {

/// More tokens than any sequence has, with room to add to it.
inline constexpr Index endless = std::numeric_limits<Index>::max() / 4;

/// All settings for one prompt.
struct GenerationSettings {
    Index vocab_size = 0;
    Index prompt_length = 0;
    Index max_length = 0;  // where sequences end
    /// What the caller or folder set, which "never" reckons with, even where the model takes no sequence that long.
    Index nominal_max_length = 0;
    Index min_length = 0;
    bool do_sample = false;
    Index num_beams = 1;
    Index num_return_sequences = 1;
    EarlyStopping early_stopping = EarlyStopping::no;
    double length_penalty = 1;
    bool use_cache = true;
    double temperature = 1;
    Index top_k = 50;
    double top_p = 1;
    double min_p = 0;
    double repetition_penalty = 1;
    Index no_repeat_ngram_size = 0;
    std::vector<std::vector<std::int32_t>> bad_words_ids;
    std::vector<std::int32_t> suppress_tokens;
    std::vector<std::int32_t> begin_suppress_tokens;
    std::optional<std::int32_t> forced_bos_token_id;
    std::vector<std::int32_t> forced_eos_token_id;
    bool renormalize_logits = false;
    std::vector<std::int32_t> eos_token_id;

    bool is_end(std::int32_t token) const;
};

/// The settings in force for a prompt of `prompt_length` tokens: the caller's `options`, then the folder's, then
/// transformers' defaults. Errors: input.
GenerationSettings settle(const GenerationConfig& options, const GenerationConfig& folder,
                          const GenerationLimits& limits, std::size_t prompt, std::size_t prompt_length);

}  // namespace detail

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/generation_options.ipp>
#endif
