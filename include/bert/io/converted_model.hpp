// The format of converted models: a safetensors file with all that a model's folder holds. Depends on io.
// docs/converted-weights.md describes it.
#pragma once

#include <bert/core/mapped_file.hpp>
#include <bert/error.hpp>
#include <bert/io/model_archive.hpp>
#include <bert/io/safetensors.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

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

/// Gives the tensors of 8-bit weights the scales that are stored beside them. Errors: format, shape.
inline void attach_scales(std::map<std::string, TensorView>& tensors, Index block, const std::filesystem::path& path) {
    std::vector<std::string> used;
    for (auto& [name, tensor] : tensors) {
        if (tensor.dtype != DType::i8) continue;
        const auto scale = tensors.find(name + ConvertedNames::scale);
        if (tensor.shape.size() != 2 || scale == tensors.end() || scale->second.dtype != DType::f32) {
            fail(ErrorKind::format, path, ": tensor \"", name, "\" of type I8 should be a matrix with a tensor \"",
                 name, ConvertedNames::scale, "\" of type F32");
        }
        const std::vector<Index> shape{tensor.shape[0], (tensor.shape[1] + block - 1) / block};
        if (scale->second.shape != shape) {
            fail(ErrorKind::shape, path, ": tensor \"", scale->first, "\" should be ", to_string(shape), ", given ",
                 to_string(scale->second.shape));
        }
        tensor.scales = scale->second.data;
        tensor.scale_block = block;
        used.push_back(scale->first);
    }
    for (const std::string& name : used) tensors.erase(name);
}

/// Fills in what the metadata says besides files. Errors: format, unsupported.
class ConvertedMetadata {
public:
    ConvertedMetadata(const std::map<std::string, std::string>& texts, const std::filesystem::path& path)
        : texts_(texts), path_(path) {
        const auto version = texts.find(ConvertedNames::version);
        if (version == texts.end()) {
            fail(ErrorKind::format, path,
                 " holds weights alone: open the folder of the model, or convert it (bert convert)");
        }
        if (version->second != converted_version) {
            fail(ErrorKind::unsupported, path, ": version ", version->second,
                 " of the format of converted models; supported is ", converted_version);
        }
    }

    StorageType storage() const {
        const std::string& name = require(ConvertedNames::weights);
        for (const auto& [type, known] : storage_names) {
            if (name == known) return type;
        }
        fail(ErrorKind::unsupported, path_, ": \"", ConvertedNames::weights,
             "\" should be f32, f16, bf16 or int8, given \"", name, "\"");
    }

    Index int8_block() const {
        const std::string& text = require(ConvertedNames::int8_block);
        Index block = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), block);
        if (error != std::errc() || end != text.data() + text.size() || block < 1 || block > (Index{1} << 28)) {
            fail(ErrorKind::format, path_, ": \"", ConvertedNames::int8_block,
                 "\" should be a number of features, given \"", text, "\"");
        }
        return block;
    }

    /// The text of a key, empty where there is none.
    std::string optional(const char* key) const {
        const auto text = texts_.find(key);
        return text == texts_.end() ? std::string() : text->second;
    }

private:
    const std::string& require(const char* key) const {
        const auto text = texts_.find(key);
        if (text == texts_.end()) fail(ErrorKind::format, path_, ": \"", key, "\" is missing from the metadata");
        return text->second;
    }

    const std::map<std::string, std::string>& texts_;
    const std::filesystem::path& path_;
};

/// 64 bits, in hexadecimal digits, that change with every change of eight bytes of the tensors of a safetensors file.
/// Errors: file, format.
inline std::string checksum_of_tensors(const std::filesystem::path& path) {
    const MappedFile file(path);
    std::uint64_t sum = 0xCBF29CE484222325u;
    std::size_t at = sizeof(std::uint64_t) + header_length(file, path);
    while (at < file.size()) {
        std::uint64_t word = 0;
        const std::size_t size = std::min(sizeof word, file.size() - at);
        std::memcpy(&word, file.data() + at, size);
        sum = (sum ^ word) * 0x100000001B3u;  // FNV-1a by words; each step maps different words to different sums
        sum ^= sum >> 32;
        at += size;
    }
    char digits[17] = {};
    std::to_chars(digits, digits + 16, sum, 16);
    return digits;
}

}  // namespace detail

/// Opens a converted model without touching its weights. Errors: file, format, shape, unsupported (another version of
/// the format).
inline ModelArchive read_converted_model(const std::filesystem::path& path, bool map = true) {
    SafetensorsFile file = read_safetensors(path, map);
    const detail::ConvertedMetadata metadata(file.metadata, path);
    ModelArchive archive;
    archive.path = path;
    archive.storage = metadata.storage();
    archive.verification = metadata.optional(detail::ConvertedNames::verification);
    archive.checksum = metadata.optional(detail::ConvertedNames::checksum);
    for (auto& [key, text] : file.metadata) {
        if (key != "format" && key.rfind("bert.", 0) != 0) archive.files.emplace(key, std::move(text));
    }
    for (auto& tensor : file.tensors) {
        if (tensor.name == detail::ConvertedNames::vocabulary) {
            if (tensor.dtype != DType::u8) {
                detail::fail(ErrorKind::format, path, ": tensor \"", tensor.name, "\" should be of type U8, given ",
                             tensor.dtype_name);
            }
            archive.vocabulary = {reinterpret_cast<const char*>(tensor.data), tensor.bytes};
            archive.vocabulary_owner = tensor.file;
        } else {
            archive.tensors.emplace(tensor.name, std::move(tensor));
        }
    }
    if (archive.storage == StorageType::int8) detail::attach_scales(archive.tensors, metadata.int8_block(), path);
    return archive;
}

BERT_NAMESPACE_END
