// A model in one file, whatever the file's format. Depends on io/safetensors.
#pragma once

#include <bert/config.hpp>
#include <bert/io/safetensors.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

BERT_NAMESPACE_BEGIN

/// Number formats for the weight matrices of a converted model; what else a model has stays float32.
enum class StorageType { float32, float16, bfloat16, int8 };

/// What one file holds of a model, in place of a folder. Names are paths in that folder: "1_Pooling/config.json" for a
/// file, "2_Dense/linear.weight" for the tensor "linear.weight" of a module.
struct ModelArchive {
    std::filesystem::path path;                    ///< of the file itself
    std::map<std::string, std::string> files;      ///< text files
    std::map<std::string, TensorView> tensors;     ///< see above
    StorageType storage = StorageType::float32;    ///< of the weight matrices, where the file was converted for one
    std::string_view vocabulary;                   ///< of the tokenizer, see unpack_vocabulary(); empty for none
    std::shared_ptr<const void> vocabulary_owner;  ///< keeps the bytes of the vocabulary alive
    std::string verification;                      ///< JSON, see load_verification(); empty for none
    std::string checksum;                          ///< see checksum_of_tensors(); empty for none
};

BERT_NAMESPACE_END
