// Definitions of io/converted_model.hpp.
#pragma once

#include <bert/core/mapped_file.hpp>
#include <bert/error.hpp>
#include <bert/io/converted_model.hpp>
#include <bert/io/safetensors.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Gives the tensors of 8-bit weights the scales that are stored beside them. Errors: format, shape.
BERT_INLINE void attach_scales(std::map<std::string, TensorView>& tensors, Index block,
                               const std::filesystem::path& path) {
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

BERT_INLINE ConvertedMetadata::ConvertedMetadata(const std::map<std::string, std::string>& texts,
                                                 const std::filesystem::path& path)
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

BERT_INLINE StorageType ConvertedMetadata::storage() const {
    const std::string& name = require(ConvertedNames::weights);
    for (const auto& [type, known] : storage_names) {
        if (name == known) return type;
    }
    fail(ErrorKind::unsupported, path_, ": \"", ConvertedNames::weights,
         "\" should be f32, f16, bf16 or int8, given \"", name, "\"");
}

BERT_INLINE Index ConvertedMetadata::int8_block() const {
    const std::string& text = require(ConvertedNames::int8_block);
    Index block = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), block);
    if (error != std::errc() || end != text.data() + text.size() || block < 1 || block > (Index{1} << 28)) {
        fail(ErrorKind::format, path_, ": \"", ConvertedNames::int8_block,
             "\" should be a number of features, given \"", text, "\"");
    }
    return block;
}

BERT_INLINE std::string ConvertedMetadata::optional(const char* key) const {
    const auto text = texts_.find(key);
    return text == texts_.end() ? std::string() : text->second;
}

BERT_INLINE const std::string& ConvertedMetadata::require(const char* key) const {
    const auto text = texts_.find(key);
    if (text == texts_.end()) fail(ErrorKind::format, path_, ": \"", key, "\" is missing from the metadata");
    return text->second;
}

BERT_INLINE std::string checksum_of_tensors(const std::filesystem::path& path) {
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

BERT_INLINE ModelArchive read_converted_model(const std::filesystem::path& path, bool map) {
    SafetensorsFile file = read_safetensors(path, map);
    const detail::ConvertedMetadata metadata(file.metadata, path);
    ModelArchive archive;
    archive.path = path;
    archive.storage = metadata.storage();
    archive.verification = metadata.optional(detail::ConvertedNames::verification);
    archive.checksum = metadata.optional(detail::ConvertedNames::checksum);
    for (auto& [key, text] : file.metadata) {
        const bool own = key.rfind("bert.", 0) == 0 && key.find('/') == std::string::npos;
        if (key != "format" && !own) archive.files.emplace(key, std::move(text));
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
