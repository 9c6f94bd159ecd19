// Definitions of tasks/generation_options.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/generation_options.hpp>

#include <algorithm>
#include <cmath>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE bool GenerationSettings::is_end(std::int32_t token) const {
    return std::find(eos_token_id.begin(), eos_token_id.end(), token) != eos_token_id.end();
}

/// Checks each setting by itself. Errors: input.
BERT_INLINE void check_settings(const GenerationSettings& s) {
    const auto require = [](bool holds, const char* name, const char* range, const auto& given) {
        if (!holds) fail(ErrorKind::input, name, " should be ", range, ", given ", given);
    };
    require(s.num_beams >= 1, "num_beams", "positive", s.num_beams);
    require(s.num_beams <= s.vocab_size, "num_beams", "at most the size of the vocabulary", s.num_beams);
    require(s.num_return_sequences >= 1, "num_return_sequences", "positive", s.num_return_sequences);
    if (s.num_beams > 1) {
        require(s.num_return_sequences <= s.num_beams, "num_return_sequences", "at most num_beams",
                s.num_return_sequences);
    } else if (!s.do_sample) {
        require(s.num_return_sequences == 1, "num_return_sequences", "1 without beams and sampling",
                s.num_return_sequences);
    }
    require(std::isfinite(s.length_penalty), "length_penalty", "finite", s.length_penalty);
    require(s.repetition_penalty > 0 && std::isfinite(s.repetition_penalty), "repetition_penalty", "positive",
            s.repetition_penalty);
    require(s.no_repeat_ngram_size >= 0, "no_repeat_ngram_size", "at least 0", s.no_repeat_ngram_size);
    require(s.min_length >= 0, "min_length", "at least 0", s.min_length);
    if (s.do_sample) {
        require(s.temperature > 0 && std::isfinite(s.temperature), "temperature", "positive", s.temperature);
        require(s.top_k >= 0, "top_k", "at least 0", s.top_k);
        require(s.top_p >= 0 && s.top_p <= 1, "top_p", "from 0 to 1", s.top_p);
        require(s.min_p >= 0 && s.min_p <= 1, "min_p", "from 0 to 1", s.min_p);
    }
}

/// Checks that tokens are of the vocabulary, and that what is forced is not suppressed. Errors: input.
BERT_INLINE void check_tokens(const GenerationSettings& s) {
    const auto in_vocabulary = [&](const char* name, std::int32_t token) {
        if (token < 0 || token >= s.vocab_size) {
            fail(ErrorKind::input, name, ": token ", token, " is outside the vocabulary of ", s.vocab_size);
        }
    };
    for (const auto& word : s.bad_words_ids) {
        if (word.empty()) fail(ErrorKind::input, "bad_words_ids: a sequence of no tokens");
        for (const std::int32_t token : word) in_vocabulary("bad_words_ids", token);
    }
    for (const std::int32_t token : s.suppress_tokens) in_vocabulary("suppress_tokens", token);
    for (const std::int32_t token : s.begin_suppress_tokens) in_vocabulary("begin_suppress_tokens", token);
    for (const std::int32_t token : s.forced_eos_token_id) in_vocabulary("forced_eos_token_id", token);
    if (s.forced_bos_token_id) in_vocabulary("forced_bos_token_id", *s.forced_bos_token_id);
    const auto suppressed = [&](std::int32_t token) {
        return std::find(s.suppress_tokens.begin(), s.suppress_tokens.end(), token) != s.suppress_tokens.end();
    };
    if (s.forced_bos_token_id && suppressed(*s.forced_bos_token_id)) {
        fail(ErrorKind::input, "forced_bos_token_id ", *s.forced_bos_token_id, " is one of suppress_tokens");
    }
    if (!s.forced_eos_token_id.empty() &&
        std::all_of(s.forced_eos_token_id.begin(), s.forced_eos_token_id.end(), suppressed)) {
        fail(ErrorKind::input, "every token of forced_eos_token_id is one of suppress_tokens");
    }
}

/// The length at which sequences end. `prompt` is named in errors. Errors: input.
BERT_INLINE void settle_length(const GenerationConfig& options, const GenerationConfig& merged,
                               const GenerationLimits& limits, std::size_t prompt, GenerationSettings& s) {
    // The last token of a sequence is never read by the model.
    const Index possible = limits.max_tokens + 1;
    if (merged.max_new_tokens) {
        if (*merged.max_new_tokens < 1) {
            fail(ErrorKind::input, "max_new_tokens should be positive, given ", *merged.max_new_tokens);
        }
        s.nominal_max_length = s.prompt_length + std::min(*merged.max_new_tokens, endless);
    } else if (merged.max_length) {
        s.nominal_max_length = *merged.max_length;
    } else {
        s.nominal_max_length = s.prompt_length + 20;
        if (limits.default_max_length) {
            s.nominal_max_length = std::min(s.nominal_max_length, *limits.default_max_length);
        }
    }
    s.max_length = std::min(s.nominal_max_length, possible);
    if (s.prompt_length >= s.max_length) {
        fail(ErrorKind::input, "prompt ", prompt, " has ", s.prompt_length,
             " tokens, which leaves nothing to generate: "
             "sequences end at ",
             s.max_length);
    }
    const bool own = merged.max_new_tokens ? options.max_new_tokens.has_value() : options.max_length.has_value();
    if (own && s.nominal_max_length > possible) {
        fail(ErrorKind::input, merged.max_new_tokens ? "max_new_tokens" : "max_length", " asks for sequences of ",
             s.nominal_max_length, " tokens (prompt ", prompt, " has ", s.prompt_length, "); the model makes at most ",
             possible);
    }
}

BERT_INLINE GenerationSettings settle(const GenerationConfig& options, const GenerationConfig& folder,
                                      const GenerationLimits& limits, std::size_t prompt, std::size_t prompt_length) {
    const GenerationConfig merged = merge(options, folder);
    GenerationSettings s;
    s.vocab_size = limits.vocab_size;
    s.prompt_length = static_cast<Index>(prompt_length);
    const auto take = [](const auto& setting, auto& value) {
        if (setting) value = *setting;
    };
    take(merged.do_sample, s.do_sample);
    take(merged.num_beams, s.num_beams);
    take(merged.num_return_sequences, s.num_return_sequences);
    take(merged.early_stopping, s.early_stopping);
    take(merged.length_penalty, s.length_penalty);
    take(merged.use_cache, s.use_cache);
    take(merged.temperature, s.temperature);
    take(merged.top_k, s.top_k);
    take(merged.top_p, s.top_p);
    take(merged.min_p, s.min_p);
    take(merged.repetition_penalty, s.repetition_penalty);
    take(merged.no_repeat_ngram_size, s.no_repeat_ngram_size);
    take(merged.bad_words_ids, s.bad_words_ids);
    take(merged.suppress_tokens, s.suppress_tokens);
    take(merged.begin_suppress_tokens, s.begin_suppress_tokens);
    s.forced_bos_token_id = merged.forced_bos_token_id;
    take(merged.forced_eos_token_id, s.forced_eos_token_id);
    take(merged.renormalize_logits, s.renormalize_logits);
    take(merged.eos_token_id, s.eos_token_id);
    take(merged.min_length, s.min_length);
    if (merged.min_new_tokens) {
        if (*merged.min_new_tokens < 0) {
            fail(ErrorKind::input, "min_new_tokens should be at least 0, given ", *merged.min_new_tokens);
        }
        s.min_length = s.prompt_length + std::min(*merged.min_new_tokens, endless);
    }
    settle_length(options, merged, limits, prompt, s);
    check_settings(s);
    check_tokens(s);
    return s;
}

}  // namespace detail

BERT_NAMESPACE_END
