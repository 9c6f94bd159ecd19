// Definitions of io/gguf.hpp.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/gguf.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE GgufReader::GgufReader(std::shared_ptr<const MappedFile> file, const std::filesystem::path& path)
    : file_(std::move(file)), path_(path) {}

BERT_INLINE GgufFile GgufReader::read() {
    if (take(gguf_magic.size(), "the magic number") != gguf_magic) {
        fail(ErrorKind::format, path_, ": a GGUF file begins with \"GGUF\"");
    }
    const auto version = number<std::uint32_t>("the version");
    if (version != 2 && version != 3) {
        fail(ErrorKind::unsupported, path_, ": version ", version, " of GGUF; supported are 2 and 3, little-endian");
    }
    const auto tensors = number<std::uint64_t>("the number of tensors");
    const auto values = number<std::uint64_t>("the number of metadata values");
    // Names and values have lengths of their own, so that each takes eight bytes at least.
    if (tensors > left() / 8 || values > left() / 8) {
        fail(ErrorKind::format, path_, ": ", tensors, " tensors and ", values, " metadata values in a file of ",
             file_->size(), " bytes");
    }
    GgufFile result;
    result.path = path_;
    result.file = file_;
    for (std::uint64_t i = 0; i < values; ++i) {
        const std::string key(text("a metadata key"));
        const auto type = number<std::uint32_t>(key);
        if (!result.metadata.emplace(key, value(type, key)).second) {
            fail(ErrorKind::format, path_, ": metadata \"", key, "\" is given twice");
        }
    }
    for (std::uint64_t i = 0; i < tensors; ++i) result.tensors.push_back(tensor());
    place_tensors(result);
    return result;
}

BERT_INLINE std::uint64_t GgufReader::size_of(GgufType type) {
    switch (type) {
        case GgufType::uint8:
        case GgufType::int8:
        case GgufType::boolean: return 1;
        case GgufType::uint16:
        case GgufType::int16: return 2;
        case GgufType::uint32:
        case GgufType::int32:
        case GgufType::float32: return 4;
        case GgufType::uint64:
        case GgufType::int64:
        case GgufType::float64: return 8;
        case GgufType::string:
        case GgufType::array: return 0;
    }
    return 0;
}

BERT_INLINE std::string_view GgufReader::take(std::uint64_t count, std::string_view what) {
    if (count > left()) {
        fail(ErrorKind::format, path_, ": ", what, " should take ", count, " bytes, but only ", left(), " are left");
    }
    const std::string_view bytes(reinterpret_cast<const char*>(file_->data()) + at_, count);
    at_ += static_cast<std::size_t>(count);
    return bytes;
}

template <class T>
T GgufReader::number(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
}

BERT_INLINE GgufValue GgufReader::value(std::uint32_t type, const std::string& key) {
    switch (static_cast<GgufType>(type)) {
        case GgufType::uint8: return std::uint64_t{number<std::uint8_t>(key)};
        case GgufType::int8: return std::int64_t{number<std::int8_t>(key)};
        case GgufType::uint16: return std::uint64_t{number<std::uint16_t>(key)};
        case GgufType::int16: return std::int64_t{number<std::int16_t>(key)};
        case GgufType::uint32: return std::uint64_t{number<std::uint32_t>(key)};
        case GgufType::int32: return std::int64_t{number<std::int32_t>(key)};
        case GgufType::float32: return double{number<float>(key)};
        case GgufType::boolean: return number<std::uint8_t>(key) != 0;
        case GgufType::string: return text(key);
        case GgufType::array: return array(key);
        case GgufType::uint64: return number<std::uint64_t>(key);
        case GgufType::int64: return number<std::int64_t>(key);
        case GgufType::float64: return number<double>(key);
    }
    fail(ErrorKind::format, path_, ": metadata \"", key, "\" is of the unknown type ", type);
}

BERT_INLINE GgufArray GgufReader::array(const std::string& key) {
    const auto type = number<std::uint32_t>(key);
    const auto count = number<std::uint64_t>(key);
    if (type > static_cast<std::uint32_t>(GgufType::float64) || type == static_cast<std::uint32_t>(GgufType::array)) {
        fail(ErrorKind::unsupported, path_, ": metadata \"", key, "\" is a list of values of type ", type);
    }
    GgufArray result{static_cast<GgufType>(type), count, file_->data() + at_};
    const std::uint64_t size = std::max<std::uint64_t>(size_of(result.type), 1);
    if (count > left() / size) {
        fail(ErrorKind::format, path_, ": metadata \"", key, "\" should have ", count, " values, but only ", left(),
             " bytes are left");
    }
    if (result.type == GgufType::string) {
        for (std::uint64_t i = 0; i < count; ++i) text(key);
    } else {
        take(count * size, key);
    }
    return result;
}

BERT_INLINE TensorView GgufReader::tensor() {
    TensorView tensor;
    tensor.name = text("a tensor's name");
    const auto dimensions = number<std::uint32_t>(tensor.name);
    if (dimensions > 8) {
        fail(ErrorKind::format, path_, ": tensor \"", tensor.name, "\" should have ", dimensions, " dimensions");
    }
    std::vector<std::uint64_t> shape;
    for (std::uint32_t i = 0; i < dimensions; ++i) shape.push_back(number<std::uint64_t>(tensor.name));
    std::reverse(shape.begin(), shape.end());
    const std::uint64_t elements = checked_product(shape, tensor.name, path_);
    for (const std::uint64_t extent : shape) {
        // Also of tensors without elements, whose other extents no product has checked.
        if (extent > static_cast<std::uint64_t>(std::numeric_limits<Index>::max())) {
            fail(ErrorKind::format, path_, ": tensor \"", tensor.name, "\" should have an extent of ", extent);
        }
        tensor.shape.push_back(static_cast<Index>(extent));
    }
    const auto type = number<std::uint32_t>(tensor.name);
    tensor.dtype_name = "GGML type " + std::to_string(type);
    std::optional<std::uint64_t> bytes;
    for (const auto& known : types) {
        if (known.type != type) continue;
        tensor.dtype = known.dtype;
        tensor.dtype_name = known.name;
        const std::uint64_t row = shape.empty() ? 1 : shape.back();
        if (row % known.block != 0) {
            fail(ErrorKind::format, path_, ": tensor \"", tensor.name, "\" of type ", known.name, " has rows of ", row,
                 " values, which is no multiple of ", known.block);
        }
        bytes = elements / known.block * known.bytes;
    }
    offsets_.push_back(number<std::uint64_t>(tensor.name));
    tensor.bytes = static_cast<std::size_t>(bytes.value_or(0));
    return tensor;
}

BERT_INLINE void GgufReader::place_tensors(GgufFile& result) {
    std::uint64_t alignment = 32;
    if (const auto it = result.metadata.find("general.alignment"); it != result.metadata.end()) {
        const auto* const given = std::get_if<std::uint64_t>(&it->second);
        if (!given || *given == 0 || *given > (1u << 20) || (*given & (*given - 1)) != 0) {
            fail(ErrorKind::format, path_, ": \"general.alignment\" should be a power of two");
        }
        alignment = *given;
    }
    const std::uint64_t begin = (at_ + alignment - 1) / alignment * alignment;
    const std::uint64_t size = begin > file_->size() ? 0 : file_->size() - begin;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (std::size_t i = 0; i < result.tensors.size(); ++i) {
        TensorView& tensor = result.tensors[i];
        if (offsets_[i] > size || tensor.bytes > size - offsets_[i]) {
            fail(ErrorKind::format, path_, ": tensor \"", tensor.name, "\" should have ", tensor.bytes,
                 " bytes at offset ", offsets_[i], ", but all tensors have ", size);
        }
        tensor.data = file_->data() + begin + offsets_[i];
        tensor.file = file_;
        tensor.path = path_;
        if (tensor.bytes > 0) ranges.emplace_back(offsets_[i], offsets_[i] + tensor.bytes);
    }
    // Tensors that share their bytes would have a small file ask for any amount of memory.
    std::sort(ranges.begin(), ranges.end());
    for (std::size_t i = 1; i < ranges.size(); ++i) {
        if (ranges[i].first < ranges[i - 1].second) {
            fail(ErrorKind::format, path_, ": tensors overlap at data offset ", ranges[i].first);
        }
    }
}

BERT_INLINE std::vector<std::string_view> gguf_strings(const GgufArray& array, const char* key,
                                                       const std::filesystem::path& path) {
    if (array.type != GgufType::string) fail(ErrorKind::format, path, ": \"", key, "\" should be a list of texts");
    std::vector<std::string_view> texts;
    texts.reserve(static_cast<std::size_t>(array.count));
    const std::byte* at = array.data;
    for (std::uint64_t i = 0; i < array.count; ++i) {
        std::uint64_t size;
        std::memcpy(&size, at, sizeof size);
        at += sizeof size;
        texts.emplace_back(reinterpret_cast<const char*>(at), size);
        at += size;
    }
    return texts;
}

}  // namespace detail

BERT_INLINE GgufFile read_gguf(const std::filesystem::path& path, bool map) {
    return detail::GgufReader(std::make_shared<const MappedFile>(path, map), path).read();
}

BERT_NAMESPACE_END
