// The kernels for x86 with AVX2 and FMA: 8 floats a vector, 16 registers. Depends on kernels.
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

    /// The first or second of each of `size` pairs.
    static BERT_ALWAYS_INLINE vec even_bfloat16(const bfloat16* pairs) {
        return {
            _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs)), 16))};
    }
    static BERT_ALWAYS_INLINE vec odd_bfloat16(const bfloat16* pairs) {
        return {_mm256_castsi256_ps(
            _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs)), _mm256_set1_epi32(-65536)))};
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

    /// Rows become columns.
    static BERT_ALWAYS_INLINE void transpose(vec (&rows)[size]) {
        __m256 columns[size];  // of four rows, in halves of columns i and 4 + i
        for (int i = 0; i < size; i += 4) {
            const __m256 a = _mm256_unpacklo_ps(rows[i].v, rows[i + 1].v);
            const __m256 b = _mm256_unpackhi_ps(rows[i].v, rows[i + 1].v);
            const __m256 c = _mm256_unpacklo_ps(rows[i + 2].v, rows[i + 3].v);
            const __m256 d = _mm256_unpackhi_ps(rows[i + 2].v, rows[i + 3].v);
            columns[i] = _mm256_shuffle_ps(a, c, 0x44);
            columns[i + 1] = _mm256_shuffle_ps(a, c, 0xEE);
            columns[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
            columns[i + 3] = _mm256_shuffle_ps(b, d, 0xEE);
        }
        for (int i = 0; i < 4; ++i) {
            rows[i].v = _mm256_permute2f128_ps(columns[i], columns[4 + i], 0x20);
            rows[4 + i].v = _mm256_permute2f128_ps(columns[i], columns[4 + i], 0x31);
        }
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

/// Sums of products of 8-bit values and weights, four features a step. Products of two features are added up in 16
/// bits, which is why weights are scaled in pairs (see generic/int8.inl).
struct dot {
    using Value = std::uint8_t;
    using Session = detail::NoSession;
    static constexpr std::ptrdiff_t group = 4;       // features that a sum takes at a time
    static constexpr std::ptrdiff_t step = group;    // features up to a multiple of which blocks are filled up
    static constexpr std::ptrdiff_t extra_rows = 0;  // rows that may be read behind the last one
    static constexpr int tile_from = 1000;           // rows from which on sum_products() does it; here never
    static constexpr int offset = 0;                 // values are stored less this
    using Vector = __m256i;
    using Sum = __m256i;
    static BERT_ALWAYS_INLINE Sum zero() { return _mm256_setzero_si256(); }
    static BERT_ALWAYS_INLINE Vector load(const std::int8_t* p) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    }
    /// One row's values of a step, for all outputs.
    static BERT_ALWAYS_INLINE Vector repeat(const Value* p) {
        std::int32_t four;
        std::memcpy(&four, p, sizeof four);
        return _mm256_set1_epi32(four);
    }
    static BERT_ALWAYS_INLINE Sum add(Sum sum, Vector weights, Vector values) {
        const __m256i pairs = _mm256_maddubs_epi16(values, weights);
        const __m256i products = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#if defined(BERT_GCC_ASM)
        // Left to itself GCC takes all products of a step before all sums, for which there are not enough registers.
        __asm__ volatile("vpaddd %1, %0, %0" : "+x"(sum) : "x"(products));
        return sum;
#else
        return _mm256_add_epi32(sum, products);
#endif
    }
    static BERT_ALWAYS_INLINE vec to_float(Sum sum) {
        return {_mm256_cvtepi32_ps(sum)};
    }

    /// to = x rounded, plus zero_point, within 0 to 255: vec::size values.
    static BERT_ALWAYS_INLINE void quantise(Value* to, vec x, int zero_point) {
        const __m256i q = _mm256_add_epi32(_mm256_cvtps_epi32(x.v), _mm256_set1_epi32(zero_point));
        const __m128i narrow = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(narrow, narrow));
    }
};

inline constexpr int panel_vecs = 2;
inline constexpr int float_row_tile = 6;  // 12 sums, 2 weights and a value fill the 16 registers
inline constexpr int int8_row_tile = 6;

// clang-format off
#include <bert/kernels/generic/encoder.inl>
#include <bert/kernels/generic/attention.inl>
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/bfloat16.inl>
#include <bert/kernels/generic/int8.inl>
// clang-format on

inline constexpr KernelTable<float> table{"avx2",
                                          kernel<FloatProduct>,
                                          kernel<Bfloat16Product>,
                                          kernel<Int8Product<dot>>,
                                          attention_with<FloatHead>,
                                          attention_with<FloatHead>,
                                          layer_norm};

}  // namespace avx2

BERT_NAMESPACE_END
BERT_TARGET_END

#endif
