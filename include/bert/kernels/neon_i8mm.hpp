// What the 8-bit matrix instructions (ARMv8.6) add to the NEON kernels: products of two rows by two outputs, eight
// features at a step. Depends on kernels/neon_dotprod.
#pragma once

#include <bert/kernels/neon_dotprod.hpp>

#if defined(BERT_ARM64) && BERT_ARM_TARGETS

BERT_TARGET_BEGIN(BERT_ARM_TARGET("arch=armv8.2-a+i8mm", "i8mm"))
BERT_NAMESPACE_BEGIN

namespace neon_i8mm {

using namespace neon;  // what is read again below hides its namesakes there

/// See neon::dot.
struct dot : neon::dot {
    using Sum = int32x4_t;
    static constexpr std::ptrdiff_t group = 8;
    static constexpr std::ptrdiff_t step = group;
    static constexpr int tile_from = 1;
    static BERT_ALWAYS_INLINE vec to_float(Sum sum) { return {vcvtq_f32_s32(sum)}; }

    /// sums = the products of `Rows` rows, which are `stride` apart, by the weights of `Vecs` vectors of outputs.
    template <int Rows, int Vecs>
    static BERT_ALWAYS_INLINE void sum_products(const Value* values, std::ptrdiff_t stride, const std::int8_t* weights,
                                                std::ptrdiff_t steps, Sum (&sums)[Rows][Vecs], detail::Ahead ahead) {
        constexpr int row_pairs = (Rows + 1) / 2;
        constexpr int output_pairs = 2 * Vecs;
        Sum squares[row_pairs][output_pairs];  // row 0 by output 0, by 1, row 1 by output 0, by 1
        for (int r = 0; r < row_pairs; ++r) {
            for (int o = 0; o < output_pairs; ++o) squares[r][o] = vdupq_n_s32(0);
        }
        for (std::ptrdiff_t step = 0; step < steps; ++step) {
            ahead.template fetch<Rows>();
            Vector rows[row_pairs];
            for (int r = 0; r < row_pairs; ++r) {
                const Value* const row = values + 2 * r * stride;
                rows[r] = vcombine_s8(vld1_s8(row), vld1_s8(2 * r + 1 < Rows ? row + stride : row));
            }
            for (int o = 0; o < output_pairs; ++o) {
                const Vector w = vld1q_s8(weights + 16 * o);
                for (int r = 0; r < row_pairs; ++r) squares[r][o] = vmmlaq_s32(squares[r][o], rows[r], w);
            }
            values += group;
            weights += 16 * output_pairs;
        }
        for (int r = 0; r < Rows; ++r) {
            for (int v = 0; v < Vecs; ++v) {
                const int64x2_t first = vreinterpretq_s64_s32(squares[r / 2][2 * v]);
                const int64x2_t second = vreinterpretq_s64_s32(squares[r / 2][2 * v + 1]);
                sums[r][v] = vreinterpretq_s32_s64(r % 2 == 0 ? vzip1q_s64(first, second) : vzip2q_s64(first, second));
            }
        }
    }
};

inline constexpr int int8_row_tile = 6;  // 24 squares, 3 pairs of rows and 2 of outputs fill 29 of the 32 registers

// clang-format off
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/int8.inl>
// clang-format on

inline constexpr KernelTable<float> table{
    "neon_i8mm",           neon::table.linear,           neon::table.linear_bfloat16, kernel<Int8Product<dot>>,
    neon::table.attention, neon::table.narrow_attention, neon::table.layer_norm};

}  // namespace neon_i8mm

BERT_NAMESPACE_END
BERT_TARGET_END

#endif
