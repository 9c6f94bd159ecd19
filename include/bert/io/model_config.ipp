// Definitions of io/model_config.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/model_config.hpp>
#include <bert/io/model_json.hpp>

#include <charconv>
#include <cstdint>
#include <system_error>

BERT_NAMESPACE_BEGIN

BERT_INLINE std::string label_name(const ModelConfig& config, Index id) {
    const auto name = config.id2label.find(id);
    return name == config.id2label.end() ? "LABEL_" + std::to_string(id) : name->second;
}

namespace detail {

/// Reads what concerns the heads of a model. Errors: format, unsupported (unknown problem_type).
BERT_INLINE void read_head_config(const Json& json, const std::filesystem::path& path, ModelConfig& config) {
    constexpr std::int64_t limit = 1 << 28;
    if (const Json* const names = find(json, "id2label")) {
        if (!names->is_object()) wrong_type(path, "id2label", "an object of names by number", *names);
        for (const auto& [key, name] : names->items()) {
            std::int64_t id = -1;
            const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
            if (error != std::errc() || end != key.data() + key.size() || id < 0 || id > limit) {
                fail(ErrorKind::format, path, ": \"id2label\" names the output \"", key, "\", which is no number");
            }
            config.id2label[static_cast<Index>(id)] = name.is_string() ? name.get<std::string>() : name.dump();
        }
        config.num_labels = static_cast<Index>(config.id2label.size());
    } else if (const auto count = get_integer(json, "num_labels", path, 1, limit)) {
        config.num_labels = static_cast<Index>(*count);
    }
    if (const Json* const ids = find(json, "label2id")) {
        if (!ids->is_object()) wrong_type(path, "label2id", "an object of numbers by name", *ids);
        for (const auto& [name, id] : ids->items()) {
            // Some folders carry the names a second time in place of the numbers; id2label then says all.
            if (id.is_number_integer()) config.label2id[name] = id.get<Index>();
        }
    }
    if (const auto type = get_string(json, "problem_type", path)) {
        if (*type == "regression") config.problem_type = ProblemType::regression;
        else if (*type == "single_label_classification") config.problem_type = ProblemType::single_label;
        else if (*type == "multi_label_classification") config.problem_type = ProblemType::multi_label;
        else fail(ErrorKind::unsupported, path, ": unknown \"problem_type\" \"", *type, "\"");
    }
    config.cross_encoder_activation = get_string(json, "sbert_ce_default_activation_function", path);
    if (const Json* const own = find(json, "sentence_transformers")) {
        if (!own->is_object()) wrong_type(path, "sentence_transformers", "an object", *own);
        if (const auto name = get_string(*own, "activation_fn", path)) config.cross_encoder_activation = name;
    }
}

}  // namespace detail

BERT_INLINE void check_model_config(const ModelConfig& config, const std::filesystem::path& source) {
    const auto positive = [&](const char* name, Index value) {
        if (value < 1) detail::fail(ErrorKind::shape, source, ": \"", name, "\" should be positive, given ", value);
    };
    positive("vocab_size", config.vocab_size);
    positive("hidden_size", config.hidden_size);
    positive("num_hidden_layers", config.num_hidden_layers);
    positive("num_attention_heads", config.num_attention_heads);
    positive("intermediate_size", config.intermediate_size);
    positive("max_position_embeddings", config.max_position_embeddings);
    if (config.model_type != "bert-generation") positive("type_vocab_size", config.type_vocab_size);
    if (config.hidden_size % config.num_attention_heads != 0) {
        detail::fail(ErrorKind::shape, source, ": \"num_attention_heads\" ", config.num_attention_heads,
                     " does not divide \"hidden_size\" ", config.hidden_size);
    }
    if (!(config.layer_norm_eps >= 0 && config.layer_norm_eps < 1)) {
        detail::fail(ErrorKind::shape, source, ": \"layer_norm_eps\" should be in [0, 1), given ",
                     config.layer_norm_eps);
    }
}

namespace detail {

/// Reads one model's configuration from its object, be it all of a config.json or a part. `path` is named in errors.
/// Errors: format, shape, unsupported (another architecture, relative positions, an activation with parameters).
BERT_INLINE ModelConfig parse_model_config(const Json& json, const std::filesystem::path& path) {
    ModelConfig config;
    if (const auto type = get_string(json, "model_type", path)) config.model_type = *type;
    if (config.model_type == "bert-generation") {
        config.vocab_size = 50358;
        config.hidden_size = 1024;
        config.num_hidden_layers = 24;
        config.num_attention_heads = 16;
        config.intermediate_size = 4096;
        config.type_vocab_size = 0;
    } else if (config.model_type != "bert") {
        fail(ErrorKind::unsupported, path, ": \"model_type\" should be \"bert\", given \"", config.model_type, "\"");
    }
    if (const auto position = get_string(json, "position_embedding_type", path); position && *position != "absolute") {
        fail(ErrorKind::unsupported, path, ": \"position_embedding_type\" should be \"absolute\", given \"", *position,
             "\"");
    }
    config.is_decoder = get_bool(json, "is_decoder", path).value_or(false);
    config.add_cross_attention = get_bool(json, "add_cross_attention", path).value_or(false);
    config.tie_word_embeddings = get_bool(json, "tie_word_embeddings", path).value_or(true);

    const auto read_size = [&](const char* key, Index& value) {
        // The bound keeps every product of two sizes within 64 bits; weights of the stated shape must exist anyway.
        constexpr std::int64_t limit = 1 << 28;
        if (const auto given = get_integer(json, key, path, 1, limit)) value = static_cast<Index>(*given);
    };
    read_size("vocab_size", config.vocab_size);
    read_size("hidden_size", config.hidden_size);
    read_size("num_hidden_layers", config.num_hidden_layers);
    read_size("num_attention_heads", config.num_attention_heads);
    read_size("intermediate_size", config.intermediate_size);
    read_size("max_position_embeddings", config.max_position_embeddings);
    if (config.model_type == "bert") read_size("type_vocab_size", config.type_vocab_size);
    if (const auto eps = get_number(json, "layer_norm_eps", path)) config.layer_norm_eps = *eps;

    if (const auto name = get_string(json, "hidden_act", path)) config.hidden_act_name = *name;
    const auto activation = activation_from_name(config.hidden_act_name);
    if (!activation) {
        fail(ErrorKind::unsupported, path, ": \"hidden_act\" \"", config.hidden_act_name,
             "\" is not a known activation");
    }
    config.hidden_act = *activation;

    if (const Json* const names = find(json, "architectures")) {
        if (!names->is_array()) wrong_type(path, "architectures", "a list of names", *names);
        for (const auto& name : *names) {
            if (!name.is_string()) wrong_type(path, "architectures", "a list of names", name);
            config.architectures.push_back(name.get<std::string>());
        }
    }
    detail::read_head_config(json, path, config);
    check_model_config(config, path);
    return config;
}

}  // namespace detail

BERT_INLINE ModelConfig load_model_config(const ModelPath& folder) {
    const auto path = folder / "config.json";
    const detail::JsonDocument json = detail::read_json_object(path);
    if (detail::get_string(json, "model_type", path) == "encoder-decoder") {
        detail::fail(ErrorKind::unsupported, path,
                     ": \"model_type\" is \"encoder-decoder\": this is an encoder with a decoder; it serves: "
                     "text2text-generation");
    }
    ModelConfig config = detail::parse_model_config(json, path);
    if (config.add_cross_attention) {
        detail::fail(ErrorKind::unsupported, path,
                     ": \"add_cross_attention\" is true: this decoder needs the states of an encoder, which the folder "
                     "does not hold");
    }
    if (config.is_decoder) {
        detail::fail(ErrorKind::unsupported, path,
                     ": \"is_decoder\" is true: this is a decoder, not an encoder; it serves: text-generation");
    }
    if (config.model_type != "bert") {
        detail::fail(ErrorKind::unsupported, path, ": \"model_type\" should be \"bert\", given \"", config.model_type,
                     "\"");
    }
    return config;
}

BERT_NAMESPACE_END
