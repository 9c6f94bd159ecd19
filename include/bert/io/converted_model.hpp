// The format of converted models: a safetensors file with all that a model's folder holds. Depends on io.
// docs/converted-weights.md describes it.
#pragma once

#include <bert/io/model_archive.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Names in a converted model. Keys of its metadata that do not begin with "bert." are files, but for "format".
struct ConvertedNames {
    static constexpr const char* version = "bert.version";
    static constexpr const char* weights = "bert.weights";        // "f32", "f16", "bf16" or "int8"
    static constexpr const char* int8_block = "bert.int8_block";  // features that share a scale
    static constexpr const char* verification = "bert.verification";
    static constexpr const char* checksum = "bert.checksum";  // of the tensors' bytes, see checksum_of_tensors()
    static constexpr const char* vocabulary = "tokenizer.vocabulary";  // a tensor of bytes
    static constexpr const char* scale = "_scale";                     // behind the name of a tensor of 8-bit weights
};

inline constexpr const char* converted_version = "1";

inline constexpr std::pair<StorageType, std::string_view> storage_names[] = {{StorageType::float32, "f32"},
                                                                             {StorageType::float16, "f16"},
                                                                             {StorageType::bfloat16, "bf16"},
                                                                             {StorageType::int8, "int8"}};

/// Fills in what the metadata says besides files. Errors: format, unsupported.
class ConvertedMetadata {
public:
    ConvertedMetadata(const std::map<std::string, std::string>& texts, const std::filesystem::path& path);

    StorageType storage() const;

    Index int8_block() const;

    /// The text of a key, empty where there is none.
    std::string optional(const char* key) const;

private:
    const std::string& require(const char* key) const;

    const std::map<std::string, std::string>& texts_;
    const std::filesystem::path& path_;
};

/// 64 bits, in hexadecimal digits, that change with every change of eight bytes of the tensors of a safetensors file.
/// Errors: file, format.
std::string checksum_of_tensors(const std::filesystem::path& path);

}  // namespace detail

/// Opens a converted model without touching its weights. Errors: file, format, shape, unsupported (another version of
/// the format).
ModelArchive read_converted_model(const std::filesystem::path& path, bool map = true);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/converted_model.ipp>
#endif
