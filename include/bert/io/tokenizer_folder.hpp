// Opening the tokenizer of a model folder: tokenizer.json, or vocab.txt with the small JSON files beside it.
// Depends on io.
#pragma once

#include <bert/config.hpp>
#include <bert/io/model_path.hpp>
#include <bert/io/tokenizer_config.hpp>

BERT_NAMESPACE_BEGIN

/// Reads the tokenizer of a model, of one tokenizer.json, or of one vocabulary (a file whose name ends in ".txt"). In a
/// folder tokenizer.json decides everything but the names of special tokens and the maximal length, which only
/// tokenizer_config.json and special_tokens_map.json know, and but what tokenizer_config.json says of normalizing where
/// it gives do_lower_case and names BertTokenizer, or no class. Without tokenizer.json the result is what transformers'
/// BertTokenizer makes of vocab.txt. Errors: file, format, vocabulary, unsupported.
TokenizerConfig load_tokenizer_config(const ModelPath& path);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/tokenizer_folder.ipp>
#endif
