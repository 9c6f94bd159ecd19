// How a folder wants text to be generated: `generation_config.json` as a plain struct. Depends on core and io.
// Names, defaults and precedence follow transformers' GenerationConfig.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/json.hpp>
#include <bert/io/model_path.hpp>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
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

    std::optional<std::int32_t> bos_token_id;
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

/// Reads what an object of either file says.
class GenerationConfigReader {
public:
    GenerationConfigReader(const Json& json, const std::filesystem::path& path) : json_(json), path_(path) {}

    GenerationConfig read() const {
        check_supported();
        GenerationConfig config;
        integer("max_length", config.max_length, 0);
        integer("max_new_tokens", config.max_new_tokens, 0);
        integer("min_length", config.min_length, 0);
        integer("min_new_tokens", config.min_new_tokens, 0);
        config.do_sample = get_bool(json_, "do_sample", path_);
        integer("num_beams", config.num_beams, 1);
        integer("num_return_sequences", config.num_return_sequences, 1);
        config.early_stopping = early_stopping();
        config.length_penalty = get_number(json_, "length_penalty", path_);
        config.use_cache = get_bool(json_, "use_cache", path_);
        config.temperature = get_number(json_, "temperature", path_);
        integer("top_k", config.top_k, 0);
        config.top_p = get_number(json_, "top_p", path_);
        config.min_p = get_number(json_, "min_p", path_);
        config.repetition_penalty = get_number(json_, "repetition_penalty", path_);
        integer("no_repeat_ngram_size", config.no_repeat_ngram_size, 0);
        config.bad_words_ids = bad_words();
        config.suppress_tokens = tokens("suppress_tokens");
        config.begin_suppress_tokens = tokens("begin_suppress_tokens");
        integer("forced_bos_token_id", config.forced_bos_token_id);
        config.forced_eos_token_id = tokens("forced_eos_token_id");
        config.renormalize_logits = get_bool(json_, "renormalize_logits", path_);
        integer("bos_token_id", config.bos_token_id);
        config.eos_token_id = tokens("eos_token_id");
        integer("pad_token_id", config.pad_token_id);
        integer("decoder_start_token_id", config.decoder_start_token_id);
        return config;
    }

private:
    static constexpr std::int32_t limit = std::numeric_limits<std::int32_t>::max();

    template <class T>
    void integer(const char* key, std::optional<T>& out, std::int32_t low = -limit) const {
        if (const auto value = get_integer(json_, key, path_, low, limit)) out = static_cast<T>(*value);
    }

    std::int32_t token(const Json& value, const char* key) const {
        if (!value.is_number_integer() || value.get<double>() < 0 ||
            value.get<double>() > std::numeric_limits<std::int32_t>::max()) {
            wrong_type(path_, key, "token ids", value);
        }
        return value.get<std::int32_t>();
    }

    std::vector<std::int32_t> token_list(const Json& value, const char* key) const {
        if (!value.is_array()) return {token(value, key)};
        std::vector<std::int32_t> list;
        for (const Json& element : value) list.push_back(token(element, key));
        return list;
    }

    std::optional<std::vector<std::int32_t>> tokens(const char* key) const {
        const Json* const value = find(json_, key);
        return value ? std::optional(token_list(*value, key)) : std::nullopt;
    }

    std::optional<std::vector<std::vector<std::int32_t>>> bad_words() const {
        const Json* const value = find(json_, "bad_words_ids");
        if (!value) return std::nullopt;
        if (!value->is_array()) wrong_type(path_, "bad_words_ids", "a list of lists of token ids", *value);
        std::vector<std::vector<std::int32_t>> words;
        for (const Json& word : *value) {
            if (!word.is_array()) wrong_type(path_, "bad_words_ids", "a list of lists of token ids", word);
            words.push_back(token_list(word, "bad_words_ids"));
        }
        return words;
    }

    std::optional<EarlyStopping> early_stopping() const {
        const Json* const value = find(json_, "early_stopping");
        if (!value) return std::nullopt;
        if (value->is_boolean()) return value->get<bool>() ? EarlyStopping::yes : EarlyStopping::no;
        if (!value->is_string() || value->get_ref<const std::string&>() != "never")
            wrong_type(path_, "early_stopping", "true, false or \"never\"", *value);
        return EarlyStopping::never;
    }

    /// Fails where a setting is in force that changes results and that this library does not know.
    void check_supported() const {
        const auto refuse = [&](const char* key) {
            if (find(json_, key)) fail(ErrorKind::unsupported, path_, ": \"", key, "\" is not supported");
        };
        const auto refuse_unless = [&](const char* key, double neutral) {
            const auto value = get_number(json_, key, path_);
            if (value && *value != neutral) {
                fail(ErrorKind::unsupported, path_, ": \"", key, "\" should be ", neutral, ", given ", *value,
                     ": other values are not supported");
            }
        };
        for (const char* key : {"sequence_bias", "exponential_decay_length_penalty", "top_h", "constraints",
                                "force_words_ids", "watermarking_config", "stop_strings", "max_time", "dola_layers"}) {
            refuse(key);
        }
        for (const char* key : {"typical_p", "encoder_repetition_penalty", "num_beam_groups", "guidance_scale"}) {
            refuse_unless(key, 1);
        }
        for (const char* key :
             {"epsilon_cutoff", "eta_cutoff", "encoder_no_repeat_ngram_size", "diversity_penalty", "penalty_alpha"}) {
            refuse_unless(key, 0);
        }
    }

    const Json& json_;
    const std::filesystem::path& path_;
};

}  // namespace detail

/// The settings of `first`, and where it has none those of `second`.
inline GenerationConfig merge(GenerationConfig first, const GenerationConfig& second) {
    detail::for_each_setting(first, second, [](auto& own, const auto& other) {
        if (!own) own = other;
    });
    return first;
}

/// Reads `folder`/generation_config.json; in older folders, which have none, the settings stand in config.json, where
/// those of its "decoder" fill what the outer ones leave open. Errors: file, format, unsupported (settings in force
/// that this library does not know).
inline GenerationConfig load_generation_config(const ModelPath& folder) {
    const auto own = folder / "generation_config.json";
    if (detail::is_there(own)) return detail::GenerationConfigReader(detail::read_json_object(own), own).read();
    const auto path = folder / "config.json";
    const detail::JsonDocument json = detail::read_json_object(path);
    const GenerationConfig config = detail::GenerationConfigReader(json, path).read();
    const detail::Json* const decoder = detail::find(json, "decoder");
    if (!decoder || !decoder->is_object()) return config;
    return merge(config, detail::GenerationConfigReader(*decoder, path).read());
}

BERT_NAMESPACE_END
