// The `config.json` of models that generate text, as plain structs. Depends on io.
// Names follow transformers' BertConfig, BertGenerationConfig and EncoderDecoderConfig.
#pragma once

#include <bert/io/model_config.hpp>

BERT_NAMESPACE_BEGIN

/// The two halves of an EncoderDecoderModel.
struct EncoderDecoderConfig {
    ModelConfig encoder;  ///< of the half that reads
    ModelConfig decoder;  ///< of the half that writes
};

/// Whether a folder holds an encoder with a decoder: one for Seq2Seq, not for CausalLM. Errors: file, format.
bool is_encoder_decoder(const ModelPath& folder);

/// Whether a folder holds a decoder by itself, for CausalLM. Errors: file, format.
bool is_decoder(const ModelPath& folder);

/// Reads the `folder`/config.json of a decoder by itself (BertLMHeadModel or BertGenerationDecoder).
/// Errors: file, format, shape, unsupported (as load_model_config; an encoder; cross attention).
ModelConfig load_decoder_config(const ModelPath& folder);

/// Reads the `folder`/config.json of an EncoderDecoderModel whose halves are BERT or BertGeneration.
/// Errors: file, format, shape, unsupported.
EncoderDecoderConfig load_encoder_decoder_config(const ModelPath& folder);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/decoder_config.ipp>
#endif
