// Writing a folder of a BERT model with a head, from the folder of its encoder. Depends on core and io.
#pragma once

#include <bert/io/model_path.hpp>
#include <bert/io/safetensors_writer.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What config.json has to say about a head.
struct HeadConfig {
    std::string architecture;                 ///< "BertForSequenceClassification", "BertForTokenClassification"
    std::vector<std::string> labels;          ///< by id
    std::optional<std::string> problem_type;  ///< as transformers names it
};

/// Writes `target` (made where it is missing) as transformers' save_pretrained would: config.json, model.safetensors
/// with the encoder of `source` under "bert." and the tensors of `head`, all as float32, and the tokenizer's files as
/// they are. Each file appears as a whole or not at all, the weights last. Errors: file, format, unsupported; input
/// (target is the source).
void write_head_folder(const ModelPath& source, const std::filesystem::path& target, const HeadConfig& config,
                       std::vector<NewTensor> head);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/model_writer.ipp>
#endif
