// The kernels for 64-bit ARM: 4 floats a vector, 32 registers. Depends on kernels.
#pragma once

#include <bert/kernels/table.hpp>
#include <bert/kernels/target.hpp>

#if defined(BERT_ARM64)

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include <arm_neon.h>

// NEON is part of every 64-bit ARM; the region is for its optimisation level.
BERT_TARGET_BEGIN(BERT_ARM_TARGET("+nothing+simd", "neon"))
BERT_NAMESPACE_BEGIN

namespace neon {

/// Four floats; see avx2::vec.
struct vec {
    static constexpr int size = 4;
    float32x4_t v;

    static BERT_ALWAYS_INLINE vec zero() { return {vdupq_n_f32(0.0f)}; }
    static BERT_ALWAYS_INLINE vec set(float x) { return {vdupq_n_f32(x)}; }
    static BERT_ALWAYS_INLINE vec load(const float* p) { return {vld1q_f32(p)}; }
    static BERT_ALWAYS_INLINE void store(float* p, vec a) { vst1q_f32(p, a.v); }
    static BERT_ALWAYS_INLINE vec load_partial(const float* p, std::ptrdiff_t n) {
        float values[size] = {p[0], n > 1 ? p[1] : 0.0f, n > 2 ? p[2] : 0.0f, 0.0f};
        return {vld1q_f32(values)};
    }
    static BERT_ALWAYS_INLINE void store_partial(float* p, std::ptrdiff_t n, vec a) {
        float values[size];
        vst1q_f32(values, a.v);
        for (std::ptrdiff_t i = 0; i < n; ++i) p[i] = values[i];
    }

    static BERT_ALWAYS_INLINE vec even_bfloat16(const bfloat16* pairs) {
        return {vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_u16(vld1q_u16(&pairs->bits)), 16))};
    }
    static BERT_ALWAYS_INLINE vec odd_bfloat16(const bfloat16* pairs) {
        const uint32x4_t both = vreinterpretq_u32_u16(vld1q_u16(&pairs->bits));
        return {vreinterpretq_f32_u32(vandq_u32(both, vdupq_n_u32(0xFFFF0000u)))};
    }

    static BERT_ALWAYS_INLINE vec add(vec a, vec b) { return {vaddq_f32(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec sub(vec a, vec b) { return {vsubq_f32(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec mul(vec a, vec b) { return {vmulq_f32(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec div(vec a, vec b) { return {vdivq_f32(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec fma(vec a, vec b, vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec fnma(vec a, vec b, vec c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec max(vec a, vec b) { return {vmaxq_f32(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec min(vec a, vec b) { return {vminq_f32(a.v, b.v)}; }
    static BERT_ALWAYS_INLINE vec sqrt(vec a) { return {vsqrtq_f32(a.v)}; }
    static BERT_ALWAYS_INLINE vec abs(vec a) { return {vabsq_f32(a.v)}; }
    static BERT_ALWAYS_INLINE vec power_of_two(vec shifted) {
        return {vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vreinterpretq_s32_f32(shifted.v), vdupq_n_s32(127)), 23))};
    }
    static BERT_ALWAYS_INLINE vec zero_where_less(vec x, vec limit, vec value) {
        return {vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(value.v), vcltq_f32(x.v, limit.v)))};
    }
    static BERT_ALWAYS_INLINE vec first(vec a, std::ptrdiff_t n) {
        const std::int32_t order[size] = {0, 1, 2, 3};
        const uint32x4_t lanes = vcltq_s32(vld1q_s32(order), vdupq_n_s32(static_cast<std::int32_t>(n)));
        return {vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a.v), lanes))};
    }

    static BERT_ALWAYS_INLINE void transpose(vec (&rows)[size]) {
        const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(rows[0].v, rows[1].v));
        const float64x2_t b = vreinterpretq_f64_f32(vtrn2q_f32(rows[0].v, rows[1].v));
        const float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(rows[2].v, rows[3].v));
        const float64x2_t d = vreinterpretq_f64_f32(vtrn2q_f32(rows[2].v, rows[3].v));
        rows[0].v = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
        rows[1].v = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
        rows[2].v = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
        rows[3].v = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
    }

    static BERT_ALWAYS_INLINE float sum(vec a) { return vaddvq_f32(a.v); }
    static BERT_ALWAYS_INLINE float largest(vec a) { return vmaxvq_f32(a.v); }
};

/// Sums of products of 8-bit values and weights, four features to a sum. Values are stored less 128: their products
/// then fit into 16 bits.
struct dot {
    using Value = std::int8_t;
    using Session = detail::NoSession;
    static constexpr std::ptrdiff_t group = 4;
    static constexpr std::ptrdiff_t step = group;
    static constexpr std::ptrdiff_t extra_rows = 0;
    static constexpr int tile_from = 1000;
    using Vector = int8x16_t;
    /// Two neighbouring lanes make the sum of one output.
    struct Sum {
        int32x4_t lower, upper;
    };
    static constexpr int offset = 128;
    static BERT_ALWAYS_INLINE Sum zero() { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
    static BERT_ALWAYS_INLINE Vector load(const std::int8_t* p) { return vld1q_s8(p); }
    static BERT_ALWAYS_INLINE Vector repeat(const Value* p) {
        std::int32_t four;
        std::memcpy(&four, p, sizeof four);
        return vreinterpretq_s8_s32(vdupq_n_s32(four));
    }
    static BERT_ALWAYS_INLINE Sum add(Sum sum, Vector weights, Vector values) {
        return {vpadalq_s16(sum.lower, vmull_s8(vget_low_s8(weights), vget_low_s8(values))),
                vpadalq_s16(sum.upper, vmull_high_s8(weights, values))};
    }
    static BERT_ALWAYS_INLINE vec to_float(Sum sum) { return {vcvtq_f32_s32(vpaddq_s32(sum.lower, sum.upper))}; }

    static BERT_ALWAYS_INLINE void quantise(Value* to, vec x, int zero_point) {
        const int32x4_t q = vaddq_s32(vcvtnq_s32_f32(x.v), vdupq_n_s32(zero_point - offset));
        const int16x4_t half = vqmovn_s32(q);
        const int8x8_t narrow = vqmovn_s16(vcombine_s16(half, half));
        const std::int32_t word = vget_lane_s32(vreinterpret_s32_s8(narrow), 0);
        std::memcpy(to, &word, sizeof word);
    }
};

inline constexpr int panel_vecs = 4;
inline constexpr int float_row_tile = 6;  // 24 sums and 4 weights of the 32 registers
inline constexpr int int8_row_tile = 3;   // a sum takes two registers

// clang-format off
#include <bert/kernels/generic/encoder.inl>
#include <bert/kernels/generic/attention.inl>
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/bfloat16.inl>
#include <bert/kernels/generic/int8.inl>
// clang-format on

inline constexpr KernelTable<float> table{"neon",
                                          kernel<FloatProduct>,
                                          kernel<Bfloat16Product>,
                                          kernel<Int8Product<dot>>,
                                          attention_with<FloatHead>,
                                          attention_with<FloatHead>,
                                          layer_norm};

}  // namespace neon

BERT_NAMESPACE_END
BERT_TARGET_END

#endif
