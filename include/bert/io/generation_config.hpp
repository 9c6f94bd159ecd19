// How a folder wants text to be generated: `generation_config.json` as a plain struct. Depends on core and io.
// Names, defaults and precedence follow transformers' GenerationConfig.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/model_path.hpp>

#include <cstdint>
#include <optional>
#include <vector>

BERT_NAMESPACE_BEGIN

/// When beam search ends.
enum class EarlyStopping {
    no,    ///< when the best running beam, at its present length, is worse than every finished one
    yes,   ///< as soon as there are num_beams finished ones
    never  ///< when no running beam can become better than a finished one
};

/// The settings of text generation; what is unset is left to whoever is asked next: the caller, then the folder, then
/// the defaults named here. Lengths count tokens, prompt included unless they say "new".
struct GenerationConfig {
    std::optional<Index> max_length;      ///< default: the prompt and 20 more
    std::optional<Index> max_new_tokens;  ///< goes before max_length wherever both are set
    std::optional<Index> min_length;      ///< no end token before (default 0)
    std::optional<Index> min_new_tokens;  ///< goes before min_length

    std::optional<bool> do_sample;   ///< draw tokens at random instead of taking the likeliest (default false)
    std::optional<Index> num_beams;  ///< 1: no beam search (the default)
    std::optional<Index> num_return_sequences;    ///< default 1; at most num_beams where nothing is drawn at random
    std::optional<EarlyStopping> early_stopping;  ///< default no
    std::optional<double> length_penalty;         ///< beams compete by their score / length^length_penalty (default 1)
    std::optional<bool> use_cache;  ///< keep keys and values of earlier tokens (default true); same results

    std::optional<double> temperature;  ///< scores are divided by it before drawing (default 1)
    std::optional<Index> top_k;         ///< draw from the k likeliest tokens; 0: from all (default 50)
    std::optional<double>
        top_p;  ///< draw from the fewest tokens whose probabilities add up to this (default 1: from all)
    std::optional<double> min_p;  ///< draw from tokens at least this fraction as likely as the likeliest

    std::optional<double> repetition_penalty;   ///< scores of tokens that occurred are made worse by it (default 1)
    std::optional<Index> no_repeat_ngram_size;  ///< no n tokens twice in this order; 0: allowed (the default)
    std::optional<std::vector<std::vector<std::int32_t>>> bad_words_ids;  ///< token sequences that must not come up
    std::optional<std::vector<std::int32_t>> suppress_tokens;             ///< tokens that must not come up
    std::optional<std::vector<std::int32_t>> begin_suppress_tokens;       ///< the same for the first new token
    std::optional<std::int32_t> forced_bos_token_id;                      ///< the token at position 1
    std::optional<std::vector<std::int32_t>> forced_eos_token_id;  ///< the token (one of them) that fills max_length
    std::optional<bool> renormalize_logits;                        ///< make probabilities of processed scores

    std::optional<std::int32_t> bos_token_id;               ///< what a sequence begins with where there is no prompt
    std::optional<std::vector<std::int32_t>> eos_token_id;  ///< end tokens; empty: none
    std::optional<std::int32_t> pad_token_id;               ///< without effect here: nothing is padded
    std::optional<std::int32_t> decoder_start_token_id;  ///< what Seq2Seq's decoder begins with (default: bos_token_id)
};

namespace detail {

/// Calls function(a's setting, b's setting) for each of them.
template <class A, class B, class Function>
void for_each_setting(A& a, B& b, const Function& function) {
    function(a.max_length, b.max_length);
    function(a.max_new_tokens, b.max_new_tokens);
    function(a.min_length, b.min_length);
    function(a.min_new_tokens, b.min_new_tokens);
    function(a.do_sample, b.do_sample);
    function(a.num_beams, b.num_beams);
    function(a.num_return_sequences, b.num_return_sequences);
    function(a.early_stopping, b.early_stopping);
    function(a.length_penalty, b.length_penalty);
    function(a.use_cache, b.use_cache);
    function(a.temperature, b.temperature);
    function(a.top_k, b.top_k);
    function(a.top_p, b.top_p);
    function(a.min_p, b.min_p);
    function(a.repetition_penalty, b.repetition_penalty);
    function(a.no_repeat_ngram_size, b.no_repeat_ngram_size);
    function(a.bad_words_ids, b.bad_words_ids);
    function(a.suppress_tokens, b.suppress_tokens);
    function(a.begin_suppress_tokens, b.begin_suppress_tokens);
    function(a.forced_bos_token_id, b.forced_bos_token_id);
    function(a.forced_eos_token_id, b.forced_eos_token_id);
    function(a.renormalize_logits, b.renormalize_logits);
    function(a.bos_token_id, b.bos_token_id);
    function(a.eos_token_id, b.eos_token_id);
    function(a.pad_token_id, b.pad_token_id);
    function(a.decoder_start_token_id, b.decoder_start_token_id);
}

}  // namespace detail

/// The settings of `first`, and where it has none those of `second`.
GenerationConfig merge(GenerationConfig first, const GenerationConfig& second);

/// Reads `folder`/generation_config.json; in older folders, which have none, the settings stand in config.json, where
/// those of its "decoder" fill what the outer ones leave open. Errors: file, format, unsupported (settings in force
/// that this library does not know).
GenerationConfig load_generation_config(const ModelPath& folder);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/generation_config.ipp>
#endif
