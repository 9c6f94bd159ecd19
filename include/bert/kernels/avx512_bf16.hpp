// What AVX-512 BF16 adds to the AVX-512 VNNI kernels: products of bfloat16 pairs, in layers and in attention. Depends
// on kernels/avx512_vnni.
#pragma once

#include <bert/kernels/avx512_vnni.hpp>

#if defined(BERT_X86)

BERT_AVX512_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma")
BERT_NAMESPACE_BEGIN

namespace avx512_bf16 {

using namespace avx512;  // what is read again below hides its namesakes there

/// Pairs of bfloat16, added to a sum by one instruction.
struct pair {
    using Vector = __m512i;
    static constexpr std::ptrdiff_t step = 2;           // features up to a multiple of which blocks are filled up
    static constexpr std::ptrdiff_t extra_rows = 0;     // rows that may be read behind the last one
    static constexpr float score_factor = 1.44269504f;  // 1/ln 2: exponential(score_factor x) = e^x

    static BERT_ALWAYS_INLINE Vector load(const void* p) { return _mm512_loadu_si512(p); }
    static BERT_ALWAYS_INLINE Vector repeat(const void* p) {
        int two;
        std::memcpy(&two, p, sizeof two);
        Vector all = _mm512_set1_epi32(two);
#if defined(__clang__) && __clang_major__ >= 15 && __clang_major__ <= 17
        // LLVM 16 and 17 (Apple counts them as 15 and 16) turn a repeated number that is read as bfloat16 round and
        // round until their stack ends.
        asm("" : "+v"(all));
#endif
        return all;
    }
    static BERT_ALWAYS_INLINE vec add(vec sum, Vector weights, Vector values) {
        return {_mm512_dpbf16_ps(sum.v, as_bfloat16(values), as_bfloat16(weights))};
    }

    /// The numbers of two vectors, those of `a` before those of `b`.
    static BERT_ALWAYS_INLINE Vector round(vec a, vec b) {
        const __m512bh rounded = _mm512_cvtne2ps_pbh(b.v, a.v);
        Vector bits;
        std::memcpy(&bits, &rounded, sizeof bits);
        return bits;
    }
    /// Numbers of the first half and of the second in turn.
    static BERT_ALWAYS_INLINE Vector interleave(Vector halves) {
        const __m512i numbers = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        const __m512i order =
            _mm512_or_si512(numbers, _mm512_slli_epi32(_mm512_add_epi32(numbers, _mm512_set1_epi32(16)), 16));
        return _mm512_permutexvar_epi16(order, halves);
    }
    static BERT_ALWAYS_INLINE vec bits(Vector a) {
        return {_mm512_castsi512_ps(a)};
    }
    /// Half a vector: vec::size numbers.
    static BERT_ALWAYS_INLINE void store(void* p, vec a) {
        const __m256bh rounded = _mm512_cvtneps_pbh(a.v);
        std::memcpy(p, &rounded, sizeof rounded);
    }
    /// 2^x for x <= 0 within 1e-4 of itself; 0 below -125.
    static BERT_ALWAYS_INLINE vec exponential(vec x) {
        const vec lowest = vec::set(-125.0f);
        const vec clamped = vec::max(lowest, x);  // in this order, which keeps NaN
        // Adding 1.5 2^23 rounds to a whole number, which then stands in the lowest bits.
        const vec magic = vec::set(12582912.0f);
        const vec shifted = vec::add(clamped, magic);
        const vec f = vec::sub(clamped, vec::sub(shifted, magic));
        vec p = vec::fma(vec::set(5.51716685e-2f), f, vec::set(2.42611125e-1f));
        p = vec::fma(vec::fma(p, f, vec::set(6.93260968e-1f)), f, vec::set(9.99928057e-1f));
        const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted.v), 23);
        const vec scaled{_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p.v), exponent))};
        return vec::zero_where_less(x, lowest, scaled);
    }

private:
    /// The same bits as the type the intrinsics take, for which there is no cast.
    static BERT_ALWAYS_INLINE __m512bh as_bfloat16(Vector bits) {
        __m512bh values;
        std::memcpy(&values, &bits, sizeof values);
        return values;
    }
};

using Bfloat16Layout = avx512::Bfloat16Product;

// clang-format off
#include <bert/kernels/generic/attention.inl>
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/bfloat16_pairs.inl>
// clang-format on

inline constexpr KernelTable<float> table{"avx512_bf16",
                                          avx512::table.linear,
                                          kernel<Bfloat16PairProduct<pair>>,
                                          avx512_vnni::table.linear_int8,
                                          avx512::table.attention,
                                          attention_with<Bfloat16Head<pair>>,
                                          avx512::table.layer_norm};

}  // namespace avx512_bf16

BERT_NAMESPACE_END
BERT_AVX512_END

#endif
