// Definitions of io/safetensors_writer.hpp.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/error.hpp>
#include <bert/io/atomic_file.hpp>
#include <bert/io/json.hpp>
#include <bert/io/safetensors_writer.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

BERT_NAMESPACE_BEGIN

BERT_INLINE std::size_t NewTensor::elements() const noexcept {
    std::size_t product = 1;
    for (const Index extent : shape) product *= static_cast<std::size_t>(extent);
    return product;
}

BERT_INLINE NewTensor float_tensor(std::string name, std::vector<Index> shape, std::function<void(float*)> fill) {
    return {std::move(name), DType::f32, std::move(shape),
            [fill = std::move(fill)](std::byte* out) { fill(reinterpret_cast<float*>(out)); }};
}

namespace detail {

/// Name and size of an element type. Errors: input (a type that is not written).
BERT_INLINE const DTypeInfo& dtype_info(DType dtype) {
    for (const auto& info : dtypes) {
        if (info.dtype == dtype) return info;
    }
    fail(ErrorKind::input, "a tensor of this type cannot be written");
}

}  // namespace detail

BERT_INLINE void write_safetensors(const std::filesystem::path& path, std::vector<NewTensor> tensors,
                                   std::map<std::string, std::string> metadata) {
    const auto size_of = [](const NewTensor& tensor) { return detail::dtype_info(tensor.dtype).bytes; };
    std::sort(tensors.begin(), tensors.end(), [&](const auto& a, const auto& b) {
        return size_of(a) != size_of(b) ? size_of(a) > size_of(b) : a.name < b.name;
    });
    metadata["format"] = "pt";
    detail::JsonDocument header;
    header["__metadata__"] = metadata;
    std::uint64_t offset = 0;
    std::size_t largest = 0;
    for (const NewTensor& tensor : tensors) {
        if (header.contains(tensor.name)) {
            detail::fail(ErrorKind::input, path, ": tensor \"", tensor.name, "\" is given twice");
        }
        const std::size_t bytes = tensor.elements() * size_of(tensor);
        const std::uint64_t end = offset + bytes;
        detail::Json& entry = header[tensor.name] = detail::Json::object();
        entry["dtype"] = detail::dtype_info(tensor.dtype).name;
        entry["shape"] = tensor.shape;
        entry["data_offsets"] = std::vector<std::uint64_t>{offset, end};
        offset = end;
        largest = std::max(largest, bytes);
    }
    std::string text = header.dump(-1, ' ', false, detail::Json::error_handler_t::replace);
    // Data begins at a cache line.
    constexpr std::size_t line = 64;
    const std::uint64_t length = (text.size() + sizeof(std::uint64_t) + line - 1) / line * line - sizeof(std::uint64_t);
    text.resize(length, ' ');
    if (length > detail::max_header_bytes) {
        detail::fail(ErrorKind::unsupported, path, ": a header of ", length, " bytes; readers take at most ",
                     detail::max_header_bytes);
    }

    detail::AtomicFile file(path);
    file.write(&length, sizeof length);
    file.write(text);
    AlignedBuffer<std::byte> values(largest);
    for (const NewTensor& tensor : tensors) {
        const std::size_t bytes = tensor.elements() * size_of(tensor);
        tensor.fill(values.data());
        file.write(values.data(), bytes);
    }
    file.commit();
}

BERT_NAMESPACE_END
