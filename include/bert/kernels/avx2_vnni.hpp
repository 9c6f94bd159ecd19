// What AVX-VNNI adds to the AVX2 kernels: products of 8-bit numbers. Depends on kernels/avx2.
#pragma once

#include <bert/kernels/avx2.hpp>

#if defined(BERT_X86)

BERT_TARGET_BEGIN("avx2,fma,avxvnni")
BERT_NAMESPACE_BEGIN

namespace avx2_vnni {

using namespace avx2;  // what is read again below hides its namesakes there

/// See avx2::dot: here one instruction takes all four features of a sum.
struct dot {
    using Value = std::uint8_t;
    using Weight = std::int8_t;
    using Vector = __m256i;
    using Sum = __m256i;
    static constexpr int offset = 0;
    static constexpr int parts = 1;
    static constexpr int step_weights = 32;
    template <std::ptrdiff_t>
    struct Unpacked {};

    template <class Buffer>
    static const Weight* unpack(const std::int8_t* packed, std::ptrdiff_t, Buffer&) {
        return packed;
    }

    static BERT_ALWAYS_INLINE Sum zero() { return _mm256_setzero_si256(); }
    static BERT_ALWAYS_INLINE Vector load(const Weight* p) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    }
    static BERT_ALWAYS_INLINE Vector repeat(const Value* p) {
        std::int32_t four;
        std::memcpy(&four, p, sizeof four);
        return _mm256_set1_epi32(four);
    }
    static BERT_ALWAYS_INLINE Sum add(Sum sum, Vector weights, Vector values) {
        return _mm256_dpbusd_avx_epi32(sum, values, weights);
    }
    static BERT_ALWAYS_INLINE vec to_float(Sum sum) { return {_mm256_cvtepi32_ps(sum)}; }
    static BERT_ALWAYS_INLINE void quantise(Value* to, vec x, int zero_point) {
        const __m256i q = _mm256_add_epi32(_mm256_cvtps_epi32(x.v), _mm256_set1_epi32(zero_point));
        const __m128i narrow = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(narrow, narrow));
    }
};

// clang-format off
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/int8.inl>
// clang-format on

inline constexpr KernelTable<float> table{"avx2_vnni",
                                          avx2::table.linear,
                                          avx2::table.linear_bfloat16,
                                          kernel<Int8Product>,
                                          avx2::table.attention_scratch,
                                          avx2::table.attention,
                                          avx2::table.layer_norm};

}  // namespace avx2_vnni

BERT_NAMESPACE_END
BERT_TARGET_END

#endif
