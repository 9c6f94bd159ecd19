// The kernels for x86 with AVX-512 (F, BW, DQ, VL): 16 floats a vector, 32 registers. Depends on kernels.
#pragma once

#include <bert/kernels/avx2.hpp>
#include <bert/kernels/table.hpp>
#include <bert/kernels/target.hpp>

#if defined(BERT_X86)

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include <immintrin.h>

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's own header passes deliberately undefined vectors and then warns of them (GCC bug 105593).
#define BERT_AVX512_BEGIN(isa)                                   \
    BERT_DETAIL_PRAGMA(GCC diagnostic push)                      \
    BERT_DETAIL_PRAGMA(GCC diagnostic ignored "-Wuninitialized") \
    BERT_DETAIL_PRAGMA(GCC diagnostic ignored "-Wmaybe-uninitialized") BERT_TARGET_BEGIN(isa)
#define BERT_AVX512_END BERT_TARGET_END BERT_DETAIL_PRAGMA(GCC diagnostic pop)
#elif defined(__clang__) && __clang_major__ >= 18 && __clang_major__ <= 20 && !defined(__apple_build_version__)
// These know vectors of 512 bits as something apart, which flags may have turned off (zig c++ does).
#define BERT_AVX512_BEGIN(isa) BERT_TARGET_BEGIN(isa ",evex512")
#define BERT_AVX512_END BERT_TARGET_END
#else
#define BERT_AVX512_BEGIN(isa) BERT_TARGET_BEGIN(isa)
#define BERT_AVX512_END BERT_TARGET_END
#endif

BERT_AVX512_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
BERT_NAMESPACE_BEGIN

namespace avx512 {

/// Sixteen floats; see avx2::vec.
struct vec {
    static constexpr int size = 16;
    __m512 v;

    static BERT_ALWAYS_INLINE vec zero() { return {_mm512_setzero_ps()}; }
    static BERT_ALWAYS_INLINE vec set(float x) { return {_mm512_set1_ps(x)}; }
    static BERT_ALWAYS_INLINE vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
    static BERT_ALWAYS_INLINE void store(float* p, vec a) { _mm512_storeu_ps(p, a.v); }
    static BERT_ALWAYS_INLINE vec load_partial(const float* p, std::ptrdiff_t n) {
        return {_mm512_maskz_loadu_ps(lanes_below(n), p)};
    }
    static BERT_ALWAYS_INLINE void store_partial(float* p, std::ptrdiff_t n, vec a) {
        _mm512_mask_storeu_ps(p, lanes_below(n), a.v);
    }

    static BERT_ALWAYS_INLINE vec even_bfloat16(const bfloat16* pairs) {
        return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(pairs), 16))};
    }
    static BERT_ALWAYS_INLINE vec odd_bfloat16(const bfloat16* pairs) {
        return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(pairs), _mm512_set1_epi32(-65536)))};
    }

    static BERT_ALWAYS_INLINE vec add(vec a, vec b) { return {_mm512_add_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec sub(vec a, vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec mul(vec a, vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec div(vec a, vec b) { return {_mm512_div_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec fma(vec a, vec b, vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
    static BERT_ALWAYS_INLINE vec fnma(vec a, vec b, vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
    static BERT_ALWAYS_INLINE vec max(vec a, vec b) { return {_mm512_max_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec min(vec a, vec b) { return {_mm512_min_ps(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec sqrt(vec a) { return {_mm512_sqrt_ps(a.v)}; }
    static BERT_ALWAYS_INLINE vec abs(vec a) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)}; }
    static BERT_ALWAYS_INLINE vec power_of_two(vec shifted) {
        const __m512i exponent = _mm512_add_epi32(_mm512_castps_si512(shifted.v), _mm512_set1_epi32(127));
        return {_mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23))};
    }
    static BERT_ALWAYS_INLINE vec zero_where_less(vec x, vec limit, vec value) {
        return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x.v, limit.v, _CMP_NLT_UQ), value.v)};
    }
    static BERT_ALWAYS_INLINE vec first(vec a, std::ptrdiff_t n) { return {_mm512_maskz_mov_ps(lanes_below(n), a.v)}; }

    static BERT_ALWAYS_INLINE void transpose(vec (&rows)[size]) {
        __m512 columns[size];  // of four rows, in quarters of columns i, 4 + i, 8 + i and 12 + i
        BERT_UNROLL
        for (int i = 0; i < size; i += 4) {
            const __m512 a = _mm512_unpacklo_ps(rows[i].v, rows[i + 1].v);
            const __m512 b = _mm512_unpackhi_ps(rows[i].v, rows[i + 1].v);
            const __m512 c = _mm512_unpacklo_ps(rows[i + 2].v, rows[i + 3].v);
            const __m512 d = _mm512_unpackhi_ps(rows[i + 2].v, rows[i + 3].v);
            columns[i] = _mm512_shuffle_ps(a, c, 0x44);
            columns[i + 1] = _mm512_shuffle_ps(a, c, 0xEE);
            columns[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
            columns[i + 3] = _mm512_shuffle_ps(b, d, 0xEE);
        }
        BERT_UNROLL
        for (int i = 0; i < 4; ++i) {
            const __m512 a = _mm512_shuffle_f32x4(columns[i], columns[4 + i], 0x88);
            const __m512 b = _mm512_shuffle_f32x4(columns[i], columns[4 + i], 0xDD);
            const __m512 c = _mm512_shuffle_f32x4(columns[8 + i], columns[12 + i], 0x88);
            const __m512 d = _mm512_shuffle_f32x4(columns[8 + i], columns[12 + i], 0xDD);
            rows[i].v = _mm512_shuffle_f32x4(a, c, 0x88);
            rows[4 + i].v = _mm512_shuffle_f32x4(b, d, 0x88);
            rows[8 + i].v = _mm512_shuffle_f32x4(a, c, 0xDD);
            rows[12 + i].v = _mm512_shuffle_f32x4(b, d, 0xDD);
        }
    }

    static BERT_ALWAYS_INLINE float sum(vec a) {
        const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a.v),
                                       _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a.v), 1)));
        __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
        s = _mm_add_ps(s, _mm_movehl_ps(s, s));
        return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
    }
    static BERT_ALWAYS_INLINE float largest(vec a) {
        const __m256 h = _mm256_max_ps(_mm512_castps512_ps256(a.v),
                                       _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a.v), 1)));
        __m128 s = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
        s = _mm_max_ps(s, _mm_movehl_ps(s, s));
        return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
    }

private:
    static BERT_ALWAYS_INLINE __mmask16 lanes_below(std::ptrdiff_t n) {
        return static_cast<__mmask16>((1u << static_cast<unsigned>(n)) - 1u);
    }
};

inline constexpr int panel_vecs = 3;
inline constexpr int float_row_tile = 8;  // 24 sums and 3 weights of the 32 registers

// clang-format off
#include <bert/kernels/generic/encoder.inl>
#include <bert/kernels/generic/attention.inl>
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/bfloat16.inl>
// clang-format on

// 8-bit products without VNNI are left to AVX2: no recent processor has the one without the other.
inline constexpr KernelTable<float> table{"avx512",
                                          kernel<FloatProduct>,
                                          kernel<Bfloat16Product>,
                                          avx2::table.linear_int8,
                                          attention_with<FloatHead>,
                                          attention_with<FloatHead>,
                                          layer_norm};

}  // namespace avx512

BERT_NAMESPACE_END
BERT_AVX512_END

#endif
