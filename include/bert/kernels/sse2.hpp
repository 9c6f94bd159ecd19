// The kernels for any 64-bit x86: 4 floats a vector, 16 registers, no fused multiply-add. Depends on kernels.
#pragma once

#include <bert/kernels/scalar.hpp>
#include <bert/kernels/table.hpp>
#include <bert/kernels/target.hpp>

#if defined(BERT_X86)

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include <emmintrin.h>

BERT_TARGET_BEGIN("sse2")
BERT_NAMESPACE_BEGIN

namespace sse2 {

/// Four floats; see avx2::vec.
struct vec {
    static constexpr int size = 4;
    __m128 v;

    static BERT_ALWAYS_INLINE vec zero() { return {_mm_setzero_ps()}; }
    static BERT_ALWAYS_INLINE vec set(float x) { return {_mm_set1_ps(x)}; }
    static BERT_ALWAYS_INLINE vec load(const float* p) { return {_mm_loadu_ps(p)}; }
    static BERT_ALWAYS_INLINE void store(float* p, vec a) { _mm_storeu_ps(p, a.v); }
    static BERT_ALWAYS_INLINE vec load_partial(const float* p, std::ptrdiff_t n) {
        return {_mm_setr_ps(p[0], n > 1 ? p[1] : 0.0f, n > 2 ? p[2] : 0.0f, 0.0f)};
    }
    static BERT_ALWAYS_INLINE void store_partial(float* p, std::ptrdiff_t n, vec a) {
        float values[size];
        _mm_storeu_ps(values, a.v);
        for (std::ptrdiff_t i = 0; i < n; ++i) p[i] = values[i];
    }

    static BERT_ALWAYS_INLINE vec even_bfloat16(const bfloat16* pairs) {
        return {_mm_castsi128_ps(_mm_slli_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(pairs)), 16))};
    }
    static BERT_ALWAYS_INLINE vec odd_bfloat16(const bfloat16* pairs) {
        return {_mm_castsi128_ps(
            _mm_and_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(pairs)), _mm_set1_epi32(-65536)))};
    }

    static BERT_ALWAYS_INLINE vec add(vec a, vec b) { return {_mm_add_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec sub(vec a, vec b) { return {_mm_sub_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec mul(vec a, vec b) { return {_mm_mul_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec div(vec a, vec b) { return {_mm_div_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec fma(vec a, vec b, vec c) { return add(mul(a, b), c); }
    static BERT_ALWAYS_INLINE vec fnma(vec a, vec b, vec c) { return sub(c, mul(a, b)); }
    static BERT_ALWAYS_INLINE vec max(vec a, vec b) { return {_mm_max_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec min(vec a, vec b) { return {_mm_min_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec sqrt(vec a) { return {_mm_sqrt_ps(a.v)}; }
    static BERT_ALWAYS_INLINE vec abs(vec a) { return {_mm_andnot_ps(_mm_set1_ps(-0.0f), a.v)}; }
    static BERT_ALWAYS_INLINE vec power_of_two(vec shifted) {
        const __m128i exponent = _mm_add_epi32(_mm_castps_si128(shifted.v), _mm_set1_epi32(127));
        return {_mm_castsi128_ps(_mm_slli_epi32(exponent, 23))};
    }
    static BERT_ALWAYS_INLINE vec zero_where_less(vec x, vec limit, vec value) {
        return {_mm_andnot_ps(_mm_cmplt_ps(x.v, limit.v), value.v)};
    }
    static BERT_ALWAYS_INLINE vec first(vec a, std::ptrdiff_t n) {
        const __m128i lanes = _mm_cmplt_epi32(_mm_setr_epi32(0, 1, 2, 3), _mm_set1_epi32(static_cast<int>(n)));
        return {_mm_and_ps(a.v, _mm_castsi128_ps(lanes))};
    }

    static BERT_ALWAYS_INLINE void transpose(vec (&rows)[size]) {
        const __m128 a = _mm_unpacklo_ps(rows[0].v, rows[1].v);
        const __m128 b = _mm_unpackhi_ps(rows[0].v, rows[1].v);
        const __m128 c = _mm_unpacklo_ps(rows[2].v, rows[3].v);
        const __m128 d = _mm_unpackhi_ps(rows[2].v, rows[3].v);
        rows[0].v = _mm_movelh_ps(a, c);
        rows[1].v = _mm_movehl_ps(c, a);
        rows[2].v = _mm_movelh_ps(b, d);
        rows[3].v = _mm_movehl_ps(d, b);
    }

    static BERT_ALWAYS_INLINE float sum(vec a) {
        const __m128 s = _mm_add_ps(a.v, _mm_movehl_ps(a.v, a.v));
        return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
    }
    static BERT_ALWAYS_INLINE float largest(vec a) {
        const __m128 s = _mm_max_ps(a.v, _mm_movehl_ps(a.v, a.v));
        return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
    }
};

inline constexpr int panel_vecs = 2;
inline constexpr int float_row_tile = 6;  // 12 sums, 2 weights, a value and a product fill the 16 registers

// clang-format off
#include <bert/kernels/generic/encoder.inl>
#include <bert/kernels/generic/attention.inl>
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/bfloat16.inl>
// clang-format on

// The few machines without AVX2 take 8-bit products in plain C++.
inline constexpr KernelTable<float> table{"sse2",
                                          kernel<FloatProduct>,
                                          kernel<Bfloat16Product>,
                                          scalar::table<float>.linear_int8,
                                          attention_with<FloatHead>,
                                          attention_with<FloatHead>,
                                          layer_norm};

}  // namespace sse2

BERT_NAMESPACE_END
BERT_TARGET_END

#endif
