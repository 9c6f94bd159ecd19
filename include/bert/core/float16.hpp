// The two 16-bit floating-point formats of checkpoints, as storage that converts to float. Depends on config.hpp only.
#pragma once

#include <bert/config.hpp>

#include <cstdint>
#include <cstring>

BERT_NAMESPACE_BEGIN

/// IEEE 754 binary16 ("F16" in safetensors). Every value converts to float exactly.
struct float16 {
    std::uint16_t bits = 0;  ///< sign, 5 bits of exponent, 10 of fraction

    /// The nearest float16, ties to even: infinite from 65520 on; a NaN stays one.
    static float16 from_float(float value) noexcept {
        std::uint32_t word;
        std::memcpy(&word, &value, sizeof word);
        const auto sign = static_cast<std::uint16_t>((word >> 16) & 0x8000u);
        const std::uint32_t size = word & 0x7FFFFFFFu;
        std::uint32_t half;
        if (size > 0x7F800000u) {
            half = 0x7E00u;
        } else if (size >= 0x477FF000u) {
            half = 0x7C00u;
        } else if (size >= 0x38800000u) {  // normal: 10 of 23 bits stay; what is carried goes to the exponent
            half = (size - 0x38000000u + 0xFFFu + ((size >> 13) & 1u)) >> 13;
        } else {  // subnormal: the sum's last bit is worth 2^-24, the step of these
            constexpr float shift = 0.5f;
            float sum;
            std::memcpy(&sum, &size, sizeof sum);
            sum += shift;
            std::uint32_t rounded;
            std::memcpy(&rounded, &sum, sizeof rounded);
            half = rounded - 0x3F000000u;
        }
        return {static_cast<std::uint16_t>(sign | half)};
    }

    /// Exact: every half is a float.
    explicit operator float() const noexcept {
        const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
        std::uint32_t exponent = (bits >> 10) & 0x1Fu;
        std::uint32_t mantissa = bits & 0x3FFu;
        std::uint32_t word = sign;
        if (exponent == 0x1F) {
            word |= 0x7F800000u | (mantissa << 13);
        } else if (exponent != 0) {
            word |= ((exponent + 112) << 23) | (mantissa << 13);
        } else if (mantissa != 0) {  // subnormal: shift the leading one into place
            exponent = 113;
            while ((mantissa & 0x400u) == 0) {
                mantissa <<= 1;
                --exponent;
            }
            word |= (exponent << 23) | ((mantissa & 0x3FFu) << 13);
        }
        float value;
        std::memcpy(&value, &word, sizeof value);
        return value;
    }
};

/// The upper half of an IEEE 754 binary32 ("BF16" in safetensors). Every value converts to float exactly.
struct bfloat16 {
    std::uint16_t bits = 0;  ///< those of the float that the value is the upper half of

    /// The nearest bfloat16, ties to even; a NaN stays one.
    static bfloat16 from_float(float value) noexcept {
        std::uint32_t word;
        std::memcpy(&word, &value, sizeof word);
        if ((word & 0x7FFFFFFFu) > 0x7F800000u) return {static_cast<std::uint16_t>((word >> 16) | 0x40u)};
        return {static_cast<std::uint16_t>((word + 0x7FFFu + ((word >> 16) & 1u)) >> 16)};
    }

    /// Exact: every bfloat16 is a float.
    explicit operator float() const noexcept {
        const std::uint32_t word = static_cast<std::uint32_t>(bits) << 16;
        float value;
        std::memcpy(&value, &word, sizeof value);
        return value;
    }
};

BERT_NAMESPACE_END
