// What AVX-VNNI adds to the AVX2 kernels: products of 8-bit numbers. Depends on kernels/avx2.
#pragma once

#include <bert/kernels/avx2.hpp>

#if defined(BERT_X86)

BERT_TARGET_BEGIN("avx2,fma,avxvnni")
BERT_NAMESPACE_BEGIN

namespace avx2_vnni {

using namespace avx2;  // what is read again below hides its namesakes there

/// avx2::dot with one instruction for all four features of a sum.
struct dot : avx2::dot {
    static BERT_ALWAYS_INLINE Sum add(Sum sum, Vector weights, Vector values) {
#if defined(BERT_GCC_ASM)
        // See avx512_vnni::dot.
        __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(values), "x"(weights));
        return sum;
#else
        return _mm256_dpbusd_avx_epi32(sum, values, weights);
#endif
    }
};

// clang-format off
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/int8.inl>
// clang-format on

inline constexpr KernelTable<float> table{
    "avx2_vnni",           avx2::table.linear,           avx2::table.linear_bfloat16, kernel<Int8Product<dot>>,
    avx2::table.attention, avx2::table.narrow_attention, avx2::table.layer_norm};

}  // namespace avx2_vnni

BERT_NAMESPACE_END
BERT_TARGET_END

#endif
