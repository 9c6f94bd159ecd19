// What AVX-512 VNNI adds to the AVX-512 kernels: products of 8-bit numbers. Depends on kernels/avx512.
#pragma once

#include <bert/kernels/avx512.hpp>

#if defined(BERT_X86)

BERT_AVX512_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")
BERT_NAMESPACE_BEGIN

namespace avx512_vnni {

using namespace avx512;  // what is read again below hides its namesakes there

/// See avx2::dot: here one instruction takes all four features of a sum.
struct dot {
    using Value = std::uint8_t;
    using Session = detail::NoSession;
    static constexpr std::ptrdiff_t group = 4;
    static constexpr std::ptrdiff_t step = group;
    static constexpr std::ptrdiff_t extra_rows = 0;
    static constexpr int tile_from = 1000;
    using Vector = __m512i;
    using Sum = __m512i;
    static constexpr int offset = 0;
    static BERT_ALWAYS_INLINE Sum zero() { return _mm512_setzero_si512(); }
    static BERT_ALWAYS_INLINE Vector load(const std::int8_t* p) { return _mm512_loadu_si512(p); }
    static BERT_ALWAYS_INLINE Vector repeat(const Value* p) {
        std::int32_t four;
        std::memcpy(&four, p, sizeof four);
        return _mm512_set1_epi32(four);
    }
    static BERT_ALWAYS_INLINE Sum add(Sum sum, Vector weights, Vector values) {
#if defined(BERT_GCC_ASM)
        // GCC copies every sum before and after its own builtin (GCC bug 100865 and kin): twice the time.
        __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(values), "vm"(weights));
        return sum;
#else
        return _mm512_dpbusd_epi32(sum, values, weights);
#endif
    }
    static BERT_ALWAYS_INLINE vec to_float(Sum sum) {
        return {_mm512_cvtepi32_ps(sum)};
    }
    static BERT_ALWAYS_INLINE void quantise(Value* to, vec x, int zero_point) {
        const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(x.v), _mm512_set1_epi32(zero_point));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                         _mm512_cvtusepi32_epi8(_mm512_max_epi32(q, _mm512_setzero_si512())));
    }
};

inline constexpr int int8_row_tile = 8;  // 24 sums and 3 weights of the 32 registers

// clang-format off
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/int8.inl>
// clang-format on

inline constexpr KernelTable<float> table{
    "avx512_vnni",           avx512::table.linear,           avx512::table.linear_bfloat16, kernel<Int8Product<dot>>,
    avx512::table.attention, avx512::table.narrow_attention, avx512::table.layer_norm};

}  // namespace avx512_vnni

BERT_NAMESPACE_END
BERT_AVX512_END

#endif
