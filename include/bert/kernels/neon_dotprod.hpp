// What the dot product instructions (ARMv8.2) add to the NEON kernels: products of 8-bit numbers. Depends on
// kernels/neon.
#pragma once

#include <bert/kernels/neon.hpp>

#if defined(BERT_ARM64) && BERT_ARM_TARGETS

BERT_TARGET_BEGIN(BERT_ARM_TARGET("arch=armv8.2-a+dotprod", "dotprod"))
BERT_NAMESPACE_BEGIN

namespace neon_dotprod {

using namespace neon;  // what is read again below hides its namesakes there

/// See neon::dot: here one instruction takes all four features of a sum.
struct dot : neon::dot {
    using Sum = int32x4_t;
    static BERT_ALWAYS_INLINE Sum zero() { return vdupq_n_s32(0); }
    static BERT_ALWAYS_INLINE Sum add(Sum sum, Vector weights, Vector values) {
        return vdotq_s32(sum, weights, values);
    }
    static BERT_ALWAYS_INLINE vec to_float(Sum sum) { return {vcvtq_f32_s32(sum)}; }
};

inline constexpr int int8_row_tile = 6;  // 24 sums and 4 weights of the 32 registers

// clang-format off
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/int8.inl>
// clang-format on

inline constexpr KernelTable<float> table{"neon_dotprod",           neon::table.linear,    neon::table.linear_bfloat16,
                                          kernel<Int8Product<dot>>, neon::table.attention, neon::table.narrow_attention,
                                          neon::table.layer_norm};

}  // namespace neon_dotprod

BERT_NAMESPACE_END
BERT_TARGET_END

#endif
