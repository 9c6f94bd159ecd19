// Weights as 8-bit numbers with scales: the same numbers whatever kernels compute with them. Depends on kernels/table.
#pragma once

#include <bert/kernels/table.hpp>
#include <bert/kernels/target.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(BERT_X86)
BERT_TARGET_BEGIN("sse2")
#endif
BERT_NAMESPACE_BEGIN

namespace quantize {

inline constexpr std::ptrdiff_t lanes = 16;  // partial results side by side; divides int8_block

inline constexpr std::uint32_t sign_bit = 0x80000000u;

// Signs are taken from the bits: compilers make branches of comparisons here, which weights mispredict.
BERT_ALWAYS_INLINE std::uint32_t bits_of(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}
BERT_ALWAYS_INLINE float float_of(std::uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

BERT_ALWAYS_INLINE float magnitude(float x) {
    return float_of(bits_of(x) & ~sign_bit);
}

/// The nearest whole number, halves away from zero.
BERT_ALWAYS_INLINE int nearest(float x) {
    return static_cast<int>(x + float_of(bits_of(0.5f) | (bits_of(x) & sign_bit)));
}

/// The scale that makes two neighbours' magnitudes add up to 127, before rounding, where they are largest.
inline float scale_of(const float (&block)[int8_block]) {
    float best[lanes / 2] = {};
    for (std::ptrdiff_t k = 0; k < int8_block; k += lanes) {
        for (std::ptrdiff_t j = 0; j < lanes / 2; ++j) {
            const float pair = magnitude(block[k + 2 * j]) + magnitude(block[k + 2 * j + 1]);
            best[j] = pair > best[j] ? pair : best[j];
        }
    }
    float largest = 0.0f;
    for (const float value : best) largest = value > largest ? value : largest;
    return largest / 127.0f;
}

/// See quantize_int8().
inline void rows(const float* weights, std::ptrdiff_t count, std::ptrdiff_t features, std::int8_t* values,
                 float* scales) {
    for (std::ptrdiff_t row = 0; row < count; ++row) {
        for (std::ptrdiff_t first = 0; first < features; first += int8_block) {
            const std::ptrdiff_t size = features - first < int8_block ? features - first : int8_block;
            float block[int8_block];
            for (std::ptrdiff_t k = 0; k < size; ++k) block[k] = weights[first + k];
            for (std::ptrdiff_t k = size; k < int8_block; ++k) block[k] = 0.0f;
            const float largest_scale = scale_of(block);
            // A denormal scale is too coarse for neighbours to add up to 128 at most: such weights are as good as 0.
            const bool is_nothing = largest_scale < 1e-37f;
            const float divisor = is_nothing ? 1.0f : largest_scale;
            for (std::ptrdiff_t k = 0; k < size; ++k) {
                values[first + k] = static_cast<std::int8_t>(nearest(block[k] / divisor));
            }
            *scales++ = is_nothing ? 0.0f : largest_scale;
        }
        weights += features;
        values += features;
    }
}

/// A bit is set in each of four pairs of numbers, the bytes of `word`, whose magnitudes add up to more than 128.
BERT_ALWAYS_INLINE std::uint64_t large_pairs(std::uint64_t word) {
    constexpr std::uint64_t ones = 0x0101010101010101u;
    constexpr std::uint64_t lower = 0x00FF00FF00FF00FFu;
    const std::uint64_t negative = (word >> 7) & ones;
    const std::uint64_t magnitudes = (word ^ (negative * 0xFF)) + negative;  // 128 at most: no byte overflows
    const std::uint64_t sums = (magnitudes & lower) + ((magnitudes >> 8) & lower);
    return (sums + 0x007F007F007F007Fu) & 0x0100010001000100u;
}

/// See fits_int8().
inline bool fits(const std::int8_t* values, std::ptrdiff_t count, std::ptrdiff_t features) {
    // Rows of even length are one long row; what has no neighbour fits whatever it is.
    const bool even = features % 2 == 0;
    const std::ptrdiff_t rows = even ? 1 : count;
    const std::ptrdiff_t length = even ? count * features : features - 1;
    constexpr std::ptrdiff_t size = sizeof(std::uint64_t);
    std::uint64_t large = 0;
    for (std::ptrdiff_t row = 0; row < rows; ++row, values += features) {
        std::uint64_t word;
        for (std::ptrdiff_t k = 0; k < length / size; ++k) {
            std::memcpy(&word, values + size * k, size);
            large |= large_pairs(word);
        }
        word = 0;
        std::memcpy(&word, values + length / size * size, static_cast<std::size_t>(length % size));
        large |= large_pairs(word);
    }
    return large == 0;
}

}  // namespace quantize

BERT_NAMESPACE_END
#if defined(BERT_X86)
BERT_TARGET_END
#endif
