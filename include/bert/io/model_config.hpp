// A BERT model's `config.json` as a plain struct. Depends on core and io.
// Names and defaults follow transformers' BertConfig.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/json.hpp>
#include <bert/io/model_path.hpp>

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What the logits of a classifier stand for. Where config.json does not say, their number decides.
enum class ProblemType {
    regression,    ///< values as they are
    single_label,  ///< one of several classes (softmax)
    multi_label,   ///< each class for itself (sigmoid)
};

/// The sizes and choices that make a BERT encoder. The defaults are those of BERT-base.
struct ModelConfig {
    Index vocab_size = 30522;
    Index hidden_size = 768;
    Index num_hidden_layers = 12;
    Index num_attention_heads = 12;
    Index intermediate_size = 3072;
    Index max_position_embeddings = 512;  ///< the most tokens a text may have
    Index type_vocab_size = 2;            ///< token types (segment ids); 0 for BertGeneration, which has none
    double layer_norm_eps = 1e-12;
    Activation hidden_act = Activation::gelu;
    std::string hidden_act_name = "gelu";    ///< as config.json writes it
    std::vector<std::string> architectures;  ///< e.g. {"BertForMaskedLM"}: the class the checkpoint was saved from
    std::string model_type = "bert";         ///< "bert" or "bert-generation"
    bool is_decoder = false;                 ///< attention is causal: a token sees itself and those before it
    bool add_cross_attention = false;        ///< a decoder that also attends to an encoder's states
    bool tie_word_embeddings = true;         ///< a language-model head may share its weights with the embeddings

    // Of heads.
    Index num_labels = 2;                   ///< outputs of a classifier
    std::map<Index, std::string> id2label;  ///< names of the outputs; those not named are called "LABEL_<id>"
    std::map<std::string, Index> label2id;  ///< the other way round, as config.json says it
    std::optional<ProblemType> problem_type;
    /// The class of the activation of a cross-encoder, as sentence-transformers writes it.
    std::optional<std::string> cross_encoder_activation;

    Index head_dim() const noexcept { return hidden_size / num_attention_heads; }
};

/// The name of output `id` of a classifier.
inline std::string label_name(const ModelConfig& config, Index id) {
    const auto name = config.id2label.find(id);
    return name == config.id2label.end() ? "LABEL_" + std::to_string(id) : name->second;
}

namespace detail {

/// Reads what concerns the heads of a model. Errors: format, unsupported (unknown problem_type).
inline void read_head_config(const Json& json, const std::filesystem::path& path, ModelConfig& config) {
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

/// Checks that sizes are positive and that heads divide the hidden size. Errors: shape. `source` is named in messages.
inline void check_model_config(const ModelConfig& config, const std::filesystem::path& source) {
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
inline ModelConfig parse_model_config(const Json& json, const std::filesystem::path& path) {
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

/// Reads the `folder`/config.json of an encoder. Errors: file, format, shape, unsupported (another architecture,
/// relative positions, a decoder, an activation with parameters).
inline ModelConfig load_model_config(const ModelPath& folder) {
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
