// What the bfloat16 instructions (ARMv8.6) add to the NEON kernels with 8-bit matrices: products of bfloat16 pairs, in
// layers and in attention. Depends on kernels/neon_i8mm.
#pragma once

#include <bert/kernels/neon_i8mm.hpp>

#if defined(BERT_ARM64) && BERT_ARM_TARGETS

BERT_TARGET_BEGIN(BERT_ARM_TARGET("arch=armv8.2-a+bf16", "bf16"))
BERT_NAMESPACE_BEGIN

namespace neon_bf16 {

using namespace neon;  // what is read again below hides its namesakes there

/// See avx512_bf16::pair.
struct pair {
    using Vector = bfloat16x8_t;
    static constexpr std::ptrdiff_t step = 2;
    static constexpr std::ptrdiff_t extra_rows = 0;
    static constexpr float score_factor = 1.0f;

    static BERT_ALWAYS_INLINE Vector load(const void* p) {
        return vreinterpretq_bf16_u16(vld1q_u16(static_cast<const std::uint16_t*>(p)));
    }
    static BERT_ALWAYS_INLINE Vector repeat(const void* p) {
        std::uint32_t two;
        std::memcpy(&two, p, sizeof two);
        return vreinterpretq_bf16_u32(vdupq_n_u32(two));
    }
    static BERT_ALWAYS_INLINE vec add(vec sum, Vector weights, Vector values) {
        return {vbfdotq_f32(sum.v, weights, values)};
    }
    static BERT_ALWAYS_INLINE Vector round(vec a, vec b) { return vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(a.v), b.v); }
    static BERT_ALWAYS_INLINE Vector interleave(Vector halves) {
        const uint16x8_t words = vreinterpretq_u16_bf16(halves);
        return vreinterpretq_bf16_u16(vzip1q_u16(words, vextq_u16(words, words, vec::size)));
    }
    static BERT_ALWAYS_INLINE vec bits(Vector a) { return {vreinterpretq_f32_bf16(a)}; }
    static BERT_ALWAYS_INLINE void store(void* p, vec a) {
        const bfloat16x4_t rounded = vcvt_bf16_f32(a.v);
        std::memcpy(p, &rounded, sizeof rounded);
    }
    static BERT_ALWAYS_INLINE vec exponential(vec x) { return exp(x); }
};

using Bfloat16Layout = neon::Bfloat16Product;

// clang-format off
#include <bert/kernels/generic/attention.inl>
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/bfloat16_pairs.inl>
// clang-format on

inline constexpr KernelTable<float> table{"neon_bf16",
                                          neon::table.linear,
                                          kernel<Bfloat16PairProduct<pair>>,
                                          neon_i8mm::table.linear_int8,
                                          neon::table.attention,
                                          attention_with<Bfloat16Head<pair>>,
                                          neon::table.layer_norm};

}  // namespace neon_bf16

BERT_NAMESPACE_END
BERT_TARGET_END

#endif
