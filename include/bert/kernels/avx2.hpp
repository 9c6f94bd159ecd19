// The float kernels for x86 with AVX2 and FMA: 8 floats a vector, 16 registers. Depends on kernels.
#pragma once

#include <bert/kernels/table.hpp>
#include <bert/kernels/target.hpp>

#if defined(BERT_X86)

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include <immintrin.h>

BERT_TARGET_BEGIN("avx2,fma")
BERT_NAMESPACE_BEGIN

namespace avx2 {

/// Eight floats. `partial` operations touch the first n elements only, 0 < n < size; the others read as 0.
struct vec {
    static constexpr int size = 8;
    __m256 v;

    static BERT_ALWAYS_INLINE vec zero() { return {_mm256_setzero_ps()}; }
    static BERT_ALWAYS_INLINE vec set(float x) { return {_mm256_set1_ps(x)}; }
    static BERT_ALWAYS_INLINE vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
    static BERT_ALWAYS_INLINE void store(float* p, vec a) { _mm256_storeu_ps(p, a.v); }
    static BERT_ALWAYS_INLINE vec load_partial(const float* p, std::ptrdiff_t n) {
        return {_mm256_maskload_ps(p, lanes_below(n))};
    }
    static BERT_ALWAYS_INLINE void store_partial(float* p, std::ptrdiff_t n, vec a) {
        _mm256_maskstore_ps(p, lanes_below(n), a.v);
    }

    static BERT_ALWAYS_INLINE vec add(vec a, vec b) { return {_mm256_add_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec sub(vec a, vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec mul(vec a, vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec div(vec a, vec b) { return {_mm256_div_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec fma(vec a, vec b, vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }    // a b + c
    static BERT_ALWAYS_INLINE vec fnma(vec a, vec b, vec c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }  // c - a b
    static BERT_ALWAYS_INLINE vec max(vec a, vec b) { return {_mm256_max_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec min(vec a, vec b) { return {_mm256_min_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec sqrt(vec a) { return {_mm256_sqrt_ps(a.v)}; }
    static BERT_ALWAYS_INLINE vec abs(vec a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }

    /// 2^n for whole n in [-126, 127], given n + 1.5 2^23.
    static BERT_ALWAYS_INLINE vec power_of_two(vec shifted) {
        const __m256i exponent = _mm256_add_epi32(_mm256_castps_si256(shifted.v), _mm256_set1_epi32(127));
        return {_mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23))};
    }
    /// `value`, but 0 where x < limit.
    static BERT_ALWAYS_INLINE vec zero_where_less(vec x, vec limit, vec value) {
        return {_mm256_andnot_ps(_mm256_cmp_ps(x.v, limit.v, _CMP_LT_OQ), value.v)};
    }
    /// The first n elements, the others 0.
    static BERT_ALWAYS_INLINE vec first(vec a, std::ptrdiff_t n) {
        return {_mm256_and_ps(a.v, _mm256_castsi256_ps(lanes_below(n)))};
    }

    static BERT_ALWAYS_INLINE float sum(vec a) {
        __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
        s = _mm_add_ps(s, _mm_movehl_ps(s, s));
        return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
    }
    static BERT_ALWAYS_INLINE float largest(vec a) {
        __m128 s = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
        s = _mm_max_ps(s, _mm_movehl_ps(s, s));
        return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
    }

private:
    static BERT_ALWAYS_INLINE __m256i lanes_below(std::ptrdiff_t n) {
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    }
};

inline constexpr const char* name = "avx2";
inline constexpr int row_tile = 6;  // 12 sums, 2 weights and a value fill the 16 registers
inline constexpr int panel_vecs = 2;

#include <bert/kernels/generic/encoder.inl>

}  // namespace avx2

BERT_NAMESPACE_END
BERT_TARGET_END

#endif
