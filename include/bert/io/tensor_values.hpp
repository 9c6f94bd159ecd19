// The values of tensors as numbers to compute with, whatever format they are stored in. Depends on core and io.
#pragma once

#include <bert/core/float16.hpp>
#include <bert/error.hpp>
#include <bert/io/safetensors.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Fails where a tensor is of a format that read_values() does not know. Errors: unsupported.
inline void check_readable(const TensorView& tensor) {
    const bool is_float = tensor.dtype == DType::f32 || tensor.dtype == DType::f16 || tensor.dtype == DType::bf16;
    if (is_float || tensor.dtype == DType::q8_0 || (tensor.dtype == DType::i8 && tensor.scales)) return;
    fail(ErrorKind::unsupported, tensor.path, ": tensor \"", tensor.name,
         "\" should be of type F32, F16 or BF16, given ", tensor.dtype_name);
}

template <class Stored, class T>
void read_stored(const std::byte* source, std::size_t count, T* out) {
    if constexpr (std::is_same_v<Stored, T>) {
        if (count > 0) std::memcpy(out, source, count * sizeof(T));
    } else {
        for (std::size_t i = 0; i < count; ++i) {
            Stored value;
            std::memcpy(&value, source + i * sizeof(Stored), sizeof(Stored));
            out[i] = static_cast<T>(static_cast<float>(value));
        }
    }
}

/// A row of 8-bit weights times its scales, the one of values [first, first + block) and those behind.
template <class T>
void read_scaled(const std::byte* values, const std::byte* scales, std::size_t count, std::size_t block, T* out) {
    for (std::size_t i = 0; i < count; ++i) {
        std::int8_t value;
        float scale;
        std::memcpy(&value, values + i, sizeof value);
        std::memcpy(&scale, scales + i / block * sizeof scale, sizeof scale);
        out[i] = static_cast<T>(static_cast<float>(value) * scale);
    }
}

/// Values of GGUF's type Q8_0: `first`, the number of the first, is a multiple of 32, and so is their count, but at the
/// end of a tensor.
template <class T>
void read_q8_0(const std::byte* source, std::size_t first, std::size_t count, T* out) {
    constexpr std::size_t block = 32;
    struct Block {
        float16 scale;
        std::int8_t values[block];
    } stored;
    static_assert(sizeof stored == 34, "as in the file");
    for (std::size_t i = 0; i < count; i += block) {
        std::memcpy(&stored, source + (first + i) / block * sizeof stored, sizeof stored);
        const auto scale = static_cast<float>(stored.scale);
        for (std::size_t j = 0; j < block && i + j < count; ++j) {
            out[i + j] = static_cast<T>(static_cast<float>(stored.values[j]) * scale);
        }
    }
}

}  // namespace detail

/// Converts all values of a tensor, row-major. Errors: unsupported (its type).
template <class T>
void read_values(const TensorView& tensor, T* out) {
    const auto count = static_cast<std::size_t>(tensor.elements());
    detail::check_readable(tensor);
    if (tensor.dtype == DType::f32) return detail::read_stored<float>(tensor.data, count, out);
    if (tensor.dtype == DType::f16) return detail::read_stored<float16>(tensor.data, count, out);
    if (tensor.dtype == DType::bf16) return detail::read_stored<bfloat16>(tensor.data, count, out);
    if (tensor.dtype == DType::q8_0) return detail::read_q8_0(tensor.data, 0, count, out);
    const auto cols = static_cast<std::size_t>(tensor.shape[1]);
    const auto block = static_cast<std::size_t>(tensor.scale_block);
    const std::size_t row_scales = (cols + block - 1) / block * sizeof(float);
    for (std::size_t row = 0; row < static_cast<std::size_t>(tensor.shape[0]); ++row) {
        detail::read_scaled(tensor.data + row * cols, tensor.scales + row * row_scales, cols, block, out + row * cols);
    }
}

BERT_NAMESPACE_END
