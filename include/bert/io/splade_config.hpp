// What sentence-transformers writes beside a model of sparse embeddings (SPLADE) as a plain struct. Depends on core and
// io. Semantics follow sentence-transformers 6.
#pragma once

#include <bert/io/sentence_config.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <string>

BERT_NAMESPACE_BEGIN

/// How word scores of tokens become one sparse vector. A plain folder of `transformers` gives the defaults.
struct SpladeConfig {
    ModelPath transformer_folder;                    ///< where config.json, weights and tokenizer are
    std::optional<std::size_t> max_seq_length;       ///< of sentence_bert_config.json, in tokens
    bool do_lower_case = false;                      ///< of sentence_bert_config.json
    bool sum = false;                                ///< add the scores of all tokens instead of taking the highest
    bool log_twice = false;                          ///< log(1 + log(1 + relu(x))) instead of log(1 + relu(x))
    std::optional<std::size_t> max_active_dims;      ///< most entries of a vector
    std::map<std::string, std::string> prompts;      ///< text put before each text, by name
    std::optional<std::string> default_prompt_name;  ///< one of `prompts`, for calls that name none
};

/// Reads it. Errors: file, format, unsupported (other modules than a Transformer and a SpladePooling).
SpladeConfig load_splade_config(const ModelPath& folder);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/splade_config.ipp>
#endif
