// What AVX-512 BF16 adds to the AVX-512 VNNI kernels: products of bfloat16 pairs. Depends on kernels/avx512_vnni.
#pragma once

#include <bert/kernels/avx512_vnni.hpp>

#if defined(BERT_X86)

BERT_AVX512_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma")
BERT_NAMESPACE_BEGIN

namespace avx512_bf16 {

using namespace avx512;  // what is read again below hides its namesakes there

#include <bert/kernels/generic/linear.inl>

/// Rows rounded to bfloat16, two features to a 32-bit lane as in the weights; sums in float.
struct Bfloat16Product {
    using Weight = bfloat16;
    static constexpr int row_tile = float_row_tile;

    struct Rows {
        const bfloat16* values;
        std::ptrdiff_t stride;
        std::ptrdiff_t depth;
    };

    static std::ptrdiff_t value_stride(std::ptrdiff_t in_features) { return round_up(in_features, vec::size); }
    static std::size_t scratch_size(std::ptrdiff_t rows, std::ptrdiff_t in_features) {
        return static_cast<std::size_t>(rows * value_stride(in_features)) * sizeof(bfloat16);
    }

    static Rows prepare(const LinearArguments<float, bfloat16>& a) {
        const std::ptrdiff_t stride = value_stride(a.in_features);
        auto* const values = reinterpret_cast<bfloat16*>(a.scratch);
        for (std::ptrdiff_t row = 0; row < a.rows; ++row) {
            for (std::ptrdiff_t i = 0; i < a.in_features; i += vec::size) {
                const vec x = load_first(a.x + row * a.x_stride + i, a.in_features - i);
                // To nearest, ties to even: what stays is the upper half.
                const __m512i bits = _mm512_castps_si512(x.v);
                const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
                const __m512i sum = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
                _mm256_storeu_si256(reinterpret_cast<__m256i*>(values + row * stride + i),
                                    _mm512_cvtepi32_epi16(_mm512_srli_epi32(sum, 16)));
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
        vec sums[Height][panel_vecs];
        for (int r = 0; r < Height; ++r) {
            for (int v = 0; v < panel_vecs; ++v) {
                sums[r][v] = block.first > 0 ? vec::load(out + r * panel_width + v * vec::size) : vec::zero();
            }
        }
        const bfloat16* const first = x.values + row * x.stride + block.first;
        const bfloat16* panel = block.weights;
        for (std::ptrdiff_t k = 0; k < block.size; k += 2) {
            ahead.fetch();
            __m512i weights[panel_vecs];
            for (int v = 0; v < panel_vecs; ++v) weights[v] = _mm512_loadu_si512(panel + 2 * v * vec::size);
            for (int r = 0; r < Height; ++r) {
                int two;
                std::memcpy(&two, first + r * x.stride + k, sizeof two);
                const __m512i values = _mm512_set1_epi32(two);
                for (int v = 0; v < panel_vecs; ++v) {
                    sums[r][v].v = _mm512_dpbf16_ps(sums[r][v].v, as_bfloat16(values), as_bfloat16(weights[v]));
                }
            }
            panel += 2 * panel_width;
        }
        for (int r = 0; r < Height; ++r) {
            for (int v = 0; v < panel_vecs; ++v) vec::store(out + r * panel_width + v * vec::size, sums[r][v]);
        }
    }

private:
    /// The same bits as the type the intrinsic takes, for which there is no cast.
    static BERT_ALWAYS_INLINE __m512bh as_bfloat16(__m512i bits) {
        __m512bh values;
        std::memcpy(&values, &bits, sizeof values);
        return values;
    }
};

inline constexpr KernelTable<float> table{"avx512_bf16",
                                          avx512::table.linear,
                                          kernel<Bfloat16Product>,
                                          avx512_vnni::table.linear_int8,
                                          avx512::table.attention_scratch,
                                          avx512::table.attention,
                                          avx512::table.layer_norm};

}  // namespace avx512_bf16

BERT_NAMESPACE_END
BERT_AVX512_END

#endif
