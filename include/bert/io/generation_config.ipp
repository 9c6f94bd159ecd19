// Definitions of io/generation_config.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/generation_config.hpp>
#include <bert/io/model_json.hpp>

#include <filesystem>
#include <limits>
#include <string>

BERT_NAMESPACE_BEGIN

namespace detail {

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
        integer("num_return_sequences", config.num_return_sequences, 1, 1024);  // callers may ask for more
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
    void integer(const char* key, std::optional<T>& out, std::int32_t low = -limit, std::int32_t high = limit) const {
        if (const auto value = get_integer(json_, key, path_, low, high)) out = static_cast<T>(*value);
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

BERT_INLINE GenerationConfig merge(GenerationConfig first, const GenerationConfig& second) {
    detail::for_each_setting(first, second, [](auto& own, const auto& other) {
        if (!own) own = other;
    });
    return first;
}

BERT_INLINE GenerationConfig load_generation_config(const ModelPath& folder) {
    const auto own = folder / "generation_config.json";
    if (detail::is_there(own)) return detail::GenerationConfigReader(detail::read_json_object(own), own).read();
    const auto path = folder / "config.json";
    const detail::JsonDocument json = detail::read_json_object(path);
    GenerationConfig config = detail::GenerationConfigReader(json, path).read();
    const detail::Json* const decoder = detail::find(json, "decoder");
    if (!decoder || !decoder->is_object()) return config;
    const std::filesystem::path part = path.string() + ", \"decoder\"";
    return merge(config, detail::GenerationConfigReader(*decoder, part).read());
}

BERT_NAMESPACE_END
