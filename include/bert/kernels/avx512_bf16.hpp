// What AVX-512 BF16 adds to the AVX-512 VNNI kernels: products of bfloat16 pairs, in layers and in attention. Depends
// on kernels/avx512_vnni.
#pragma once

#include <bert/kernels/avx512_vnni.hpp>

#if defined(BERT_X86)

BERT_AVX512_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma")
BERT_NAMESPACE_BEGIN

namespace avx512_bf16 {

using namespace avx512;  // what is read again below hides its namesakes there

// clang-format off
#include <bert/kernels/generic/attention.inl>
#include <bert/kernels/generic/linear.inl>
// clang-format on

// Two neighbouring values of a row or a panel lie in a lane of 32 bits.

/// The same bits as the type the intrinsics take, for which there is no cast.
BERT_ALWAYS_INLINE __m512bh as_bfloat16(__m512i bits) {
    __m512bh values;
    std::memcpy(&values, &bits, sizeof values);
    return values;
}

/// sums = before + x * panel, see avx512::tile_products(): `lanes` lanes of x, which are `x_stride` apart from row to
/// row.
template <int Rows, int Vecs, class Ahead>
BERT_ALWAYS_INLINE void tile_pairs(const void* x, std::ptrdiff_t x_stride, std::ptrdiff_t lanes, const void* panel,
                                   const float* before, float* sums, std::ptrdiff_t stride, Ahead ahead) {
    vec totals[Rows][Vecs];
    for (int r = 0; r < Rows; ++r) {
        for (int v = 0; v < Vecs; ++v) {
            totals[r][v] = before ? vec::load(before + r * stride + v * vec::size) : vec::zero();
        }
    }
    const auto* pairs = static_cast<const std::byte*>(x);
    const auto* weights_at = static_cast<const std::byte*>(panel);
    for (std::ptrdiff_t k = 0; k < lanes; ++k) {
        ahead.fetch();
        __m512i weights[Vecs];
        for (int v = 0; v < Vecs; ++v) weights[v] = _mm512_loadu_si512(weights_at + 64 * v);
        for (int r = 0; r < Rows; ++r) {
            int two;
            std::memcpy(&two, pairs + 4 * r * x_stride, sizeof two);
            const __m512i values = _mm512_set1_epi32(two);
            for (int v = 0; v < Vecs; ++v) {
                totals[r][v].v = _mm512_dpbf16_ps(totals[r][v].v, as_bfloat16(values), as_bfloat16(weights[v]));
            }
        }
        pairs += 4;
        weights_at += 64 * Vecs;
    }
    for (int r = 0; r < Rows; ++r) {
        for (int v = 0; v < Vecs; ++v) vec::store(sums + r * stride + v * vec::size, totals[r][v]);
    }
}

/// The numbers of two vectors rounded to bfloat16, those of `a` before those of `b`.
BERT_ALWAYS_INLINE __m512i round_both(vec a, vec b) {
    const __m512bh rounded = _mm512_cvtne2ps_pbh(b.v, a.v);
    __m512i bits;
    std::memcpy(&bits, &rounded, sizeof bits);
    return bits;
}

/// Rows rounded to bfloat16; sums in float.
struct Bfloat16Product {
    using Weight = bfloat16;
    using Gelu = NarrowGelu;
    static constexpr int row_tile = float_row_tile;

    struct Rows {
        const bfloat16* values;
        std::ptrdiff_t stride;
        std::ptrdiff_t depth;
    };

    static std::ptrdiff_t value_stride(std::ptrdiff_t in_features) { return round_up(in_features, 2 * vec::size); }
    static std::size_t scratch_size(std::ptrdiff_t rows, std::ptrdiff_t in_features) {
        return static_cast<std::size_t>(rows * value_stride(in_features)) * sizeof(bfloat16);
    }

    static Rows prepare(const LinearArguments<float, bfloat16>& a) {
        const std::ptrdiff_t stride = value_stride(a.in_features);
        auto* const values = reinterpret_cast<bfloat16*>(a.scratch);
        for (std::ptrdiff_t row = 0; row < a.rows; ++row) {
            for (std::ptrdiff_t i = 0; i < a.in_features; i += 2 * vec::size) {
                const float* const x = a.x + row * a.x_stride + i;
                _mm512_storeu_si512(values + row * stride + i,
                                    round_both(load_left(x, a.in_features - i),
                                               load_left(x + vec::size, a.in_features - i - vec::size)));
            }
        }
        return {values, stride, a.in_features};
    }

    static std::ptrdiff_t panel_size(std::ptrdiff_t in_features) {
        return avx512::Bfloat16Product::panel_size(in_features);
    }
    static void pack_panel(const float* weights, std::ptrdiff_t width, std::ptrdiff_t in_features, bfloat16* packed) {
        avx512::Bfloat16Product::pack_panel(weights, width, in_features, packed);
    }

    struct Block {
        const bfloat16* weights;
        std::ptrdiff_t first;
        std::ptrdiff_t size;
        std::ptrdiff_t steps() const { return (size + 1) / 2; }
    };
    static constexpr std::ptrdiff_t depth_block = 768;
    struct Unpacked {};

    static Block unpack(const bfloat16*& panel, std::ptrdiff_t first, std::ptrdiff_t size, Unpacked&) {
        const Block block{panel, first, size};
        panel += panel_width * round_up(size, 2);
        return block;
    }

    template <int Height>
    static BERT_ALWAYS_INLINE void multiply(const Rows& x, std::ptrdiff_t row, const Block& block, float* out,
                                            detail::Ahead ahead) {
        tile_pairs<Height, panel_vecs>(x.values + row * x.stride + block.first, x.stride / 2, block.steps(),
                                       block.weights, block.first > 0 ? out : nullptr, out, panel_width, ahead);
    }
};

/// See FloatHead.
struct Bfloat16Head {
    static constexpr std::ptrdiff_t unit = 2;
    static constexpr int query_tile = 8;                // 16 sums
    static constexpr float score_factor = 1.44269504f;  // 1/ln 2

    static BERT_ALWAYS_INLINE vec along(const float* x, std::ptrdiff_t n, float factor) {
        const vec f = vec::set(factor);
        return {_mm512_castsi512_ps(
            round_both(vec::mul(load_left(x, n), f), vec::mul(load_left(x + vec::size, n - vec::size), f)))};
    }
    static BERT_ALWAYS_INLINE vec across(const float* x, std::ptrdiff_t stride, std::ptrdiff_t keys, std::ptrdiff_t n) {
        const __m512i halves = round_both(load_first(x, n), keys > 1 ? load_first(x + stride, n) : vec::zero());
        // The numbers 0, 16, 1, 17, ...
        const __m512i order =
            _mm512_add_epi16(_mm512_set1_epi32(0x100000),
                             _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                                                _mm512_set1_epi32(0x10001)));
        return {_mm512_castsi512_ps(_mm512_permutexvar_epi16(order, halves))};
    }
    /// 2^x for x <= 0 within 1e-4 of itself.
    static BERT_ALWAYS_INLINE vec exponential(vec x) {
        const __m512 clamped = _mm512_max_ps(x.v, _mm512_set1_ps(-200.0f));  // -infinity less itself is no number
        const __m512 n = _mm512_roundscale_ps(clamped, _MM_FROUND_TO_NEAREST_INT);
        const vec f{_mm512_sub_ps(clamped, n)};
        vec p = vec::fma(vec::set(5.51716685e-2f), f, vec::set(2.42611125e-1f));
        p = vec::fma(vec::fma(p, f, vec::set(6.93260968e-1f)), f, vec::set(9.99928057e-1f));
        return {_mm512_scalef_ps(p.v, n)};
    }
    static BERT_ALWAYS_INLINE void store(float* row, std::ptrdiff_t key, vec x) {
        const __m256bh rounded = _mm512_cvtneps_pbh(x.v);
        std::memcpy(row + key / 2, &rounded, sizeof rounded);
    }
    static BERT_ALWAYS_INLINE float get(const float* row, std::ptrdiff_t key) {
        bfloat16 value;
        std::memcpy(&value, reinterpret_cast<const std::byte*>(row) + key * 2, sizeof value);
        return static_cast<float>(value);
    }

    template <int Rows>
    static BERT_ALWAYS_INLINE void multiply(const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t lanes,
                                            const float* panel, float* sums, std::ptrdiff_t stride) {
        tile_pairs<Rows, head_vecs>(x, x_stride, lanes, panel, nullptr, sums, stride, detail::NothingAhead());
    }
};

inline constexpr KernelTable<float> table{
    "avx512_bf16",           avx512::table.linear,         kernel<Bfloat16Product>, avx512_vnni::table.linear_int8,
    avx512::table.attention, attention_with<Bfloat16Head>, avx512::table.layer_norm};

}  // namespace avx512_bf16

BERT_NAMESPACE_END
BERT_AVX512_END

#endif
