// What sentence-transformers writes beside a cross-encoder: the activation of its scores, prompts and limits.
// Depends on core and io. Semantics follow sentence-transformers 6.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/io/sentence_config.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <string>

BERT_NAMESPACE_BEGIN

/// What a folder says about scoring pairs. A plain folder of `transformers` gives the defaults.
struct CrossEncoderConfig {
    ModelPath transformer_folder;               ///< where config.json, weights and tokenizer are
    std::optional<std::size_t> max_seq_length;  ///< of sentence_bert_config.json, in tokens
    bool do_lower_case = false;                 ///< of sentence_bert_config.json
    /// Applied to the logits. Where nothing is named: sigmoid for a single label, nothing for several.
    Activation activation = Activation::identity;
    std::map<std::string, std::string> prompts;      ///< text put before the first text of a pair, by name
    std::optional<std::string> default_prompt_name;  ///< one of `prompts`, for calls that name none
};

/// Reads it. The activation is looked for in config_sentence_transformers.json, then in config.json, under the key of
/// today ("sentence_transformers") and that of old ("sbert_ce_default_activation_function"). A class that is not
/// PyTorch's counts as not named. Errors: file, format, unsupported (other modules, an activation with parameters).
CrossEncoderConfig load_cross_encoder_config(const ModelPath& folder);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/cross_encoder_config.ipp>
#endif
