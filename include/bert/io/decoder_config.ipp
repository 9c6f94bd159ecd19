// Definitions of io/decoder_config.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/decoder_config.hpp>
#include <bert/io/model_config.ipp>
#include <bert/io/model_json.hpp>

#include <string>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The object of config.json with its model_type, for messages that say what a folder holds instead.
BERT_INLINE JsonDocument read_generating_config(const ModelPath& path, bool encoder_decoder) {
    JsonDocument json = read_json_object(path);
    const std::string type = get_string(json, "model_type", path).value_or("bert");
    if ((type == "encoder-decoder") != encoder_decoder) {
        fail(ErrorKind::unsupported, path, ": \"model_type\" is \"", type, "\": ",
             encoder_decoder ? "Seq2Seq opens \"encoder-decoder\" alone; decoders by themselves are for CausalLM"
                             : "an encoder with a decoder is for Seq2Seq, CausalLM opens decoders by themselves");
    }
    return json;
}

}  // namespace detail

BERT_INLINE bool is_encoder_decoder(const ModelPath& folder) {
    const auto path = folder / "config.json";
    return detail::get_string(detail::read_json_object(path), "model_type", path) == "encoder-decoder";
}

BERT_INLINE bool is_decoder(const ModelPath& folder) {
    const auto path = folder / "config.json";
    const detail::JsonDocument json = detail::read_json_object(path);
    return detail::get_bool(json, "is_decoder", path).value_or(false) &&
           !detail::get_bool(json, "add_cross_attention", path).value_or(false);
}

BERT_INLINE ModelConfig load_decoder_config(const ModelPath& folder) {
    const auto path = folder / "config.json";
    ModelConfig config = detail::parse_model_config(detail::read_generating_config(path, false), path);
    if (!config.is_decoder) {
        detail::fail(ErrorKind::unsupported, path,
                     ": \"is_decoder\" is not true: this is an encoder, which generates no "
                     "text");
    }
    if (config.add_cross_attention) {
        detail::fail(ErrorKind::unsupported, path,
                     ": \"add_cross_attention\" is true: this decoder needs the states of "
                     "an encoder, which the folder does not hold");
    }
    return config;
}

BERT_INLINE EncoderDecoderConfig load_encoder_decoder_config(const ModelPath& folder) {
    const auto path = folder / "config.json";
    const detail::JsonDocument json = detail::read_generating_config(path, true);
    const auto part = [&](const char* key) {
        const detail::Json* const object = detail::find(json, key);
        if (!object) detail::fail(ErrorKind::format, path, ": \"", key, "\" is missing");
        if (!object->is_object()) detail::wrong_type(path, key, "an object", *object);
        return detail::parse_model_config(*object, path.string() + ", \"" + key + "\"");
    };
    EncoderDecoderConfig config{part("encoder"), part("decoder")};
    if (config.encoder.is_decoder) {
        detail::fail(ErrorKind::unsupported, path,
                     ": \"is_decoder\" of \"encoder\" is true: its attention would be causal");
    }
    if (!config.decoder.is_decoder || !config.decoder.add_cross_attention) {
        detail::fail(ErrorKind::unsupported, path, ": \"",
                     config.decoder.is_decoder ? "add_cross_attention" : "is_decoder",
                     "\" of \"decoder\" should be true");
    }
    return config;
}

BERT_NAMESPACE_END
