// The arithmetic of the encoder as a table of plain function pointers, one table per instruction set. Depends on config
// and core; pointers and integers only, no Eigen.
#pragma once

#include <bert/config.hpp>
#include <bert/core/activation.hpp>
#include <bert/core/float16.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

BERT_NAMESPACE_BEGIN

/// What a dense layer computes: y = activation(x W^T + bias) + residual for `rows` rows and the outputs [first, last).
/// T is the type of activations, W of weights; strides are in elements.
template <class T, class W>
struct LinearArguments {
    const T* x;                      ///< rows x in_features
    std::ptrdiff_t x_stride;         ///< elements from row to row
    std::ptrdiff_t rows;             ///< of x and y
    std::ptrdiff_t in_features;      ///< columns of x
    const W* packed;                 ///< from LinearKernel::pack
    const T* bias;                   ///< out_features values, rounded up to whole panels
    Activation activation;           ///< applied to the sums
    const T* residual;               ///< rows x out_features, or null for none
    std::ptrdiff_t residual_stride;  ///< elements from row to row
    std::ptrdiff_t first;            ///< a multiple of panel_width
    std::ptrdiff_t last;             ///< behind the last column of y to compute
    T* y;                            ///< rows x out_features; may be the residual itself
    std::ptrdiff_t y_stride;         ///< elements from row to row
    std::byte* scratch;              ///< LinearKernel::scratch_size bytes, 64-byte aligned
};

/// One head of one text: out = softmax(q k^T scale) v. T is the type of activations; strides are in elements.
template <class T>
struct AttentionArguments {
    const T* q;                 ///< queries x head_dim
    std::ptrdiff_t q_stride;    ///< elements from row to row
    std::ptrdiff_t queries;     ///< rows of q and out
    const T* k;                 ///< keys x head_dim
    std::ptrdiff_t k_stride;    ///< elements from row to row
    const T* v;                 ///< keys x head_dim
    std::ptrdiff_t v_stride;    ///< elements from row to row
    std::ptrdiff_t keys;        ///< rows of k and v
    std::ptrdiff_t head_dim;    ///< columns of q, k, v and out
    T scale;                    ///< 1 / sqrt(head_dim)
    const std::uint8_t* mask;   ///< 0 for keys to leave out, or null for none; every query keeps one key at least
    bool causal;                ///< query i takes part in the keys [0, keys - queries + i] only; keys >= queries
    T* scratch;                 ///< AttentionKernel::scratch_size values
    T* probabilities;           ///< queries x keys, or null where nobody asks
    T* out;                     ///< queries x head_dim
    std::ptrdiff_t out_stride;  ///< elements from row to row
};

/// Input features that share a scale where weights and activations are quantised to 8 bits: few enough for outliers to
/// harm few others, enough for the integers to do most of the work. A multiple of 16.
inline constexpr std::ptrdiff_t int8_block = 192;

/// Blocks of a row, of which the last may be shorter.
inline constexpr std::ptrdiff_t int8_blocks(std::ptrdiff_t features) {
    return (features + int8_block - 1) / int8_block;
}

/// Contiguous rows of 8-bit weights from quantize_int8(): values times the scale of their block.
struct Int8Rows {
    const std::int8_t* values;  ///< rows x features
    const float* scales;        ///< rows x int8_blocks(features)
};

/// The rows that weights of type W are packed from.
template <class T, class W>
using PackSource = std::conditional_t<std::is_same_v<W, std::int8_t>, Int8Rows, const T*>;

/// `rows` without the first `count` of them.
inline Int8Rows skip_rows(Int8Rows rows, std::ptrdiff_t count, std::ptrdiff_t features) {
    return {rows.values + count * features, rows.scales + count * int8_blocks(features)};
}
/// The same of plain values.
template <class T>
const T* skip_rows(const T* rows, std::ptrdiff_t count, std::ptrdiff_t features) {
    return rows + count * features;
}

/// How rows are best shared out to calls.
struct RowsPerCall {
    std::ptrdiff_t multiple = 8;  ///< what is multiplied together
    /// Few enough for the inner rows of a feed-forward layer to stay in the cache while weights stream by.
    std::ptrdiff_t most = 48;
    static constexpr std::ptrdiff_t enough = 48;  ///< to be worth another thread
};

/// Products with weights of type W. Weights are packed into panels: panel_width outputs side by side, for one input
/// feature (or as many as one instruction takes) after another, the last panel filled up with zeros.
///
/// With bfloat16 weights, sums are kept in float; the tables avx512_bf16 and neon_bf16 round activations to bfloat16 as
/// well. With int8 weights, `int8_block` features of an output share a scale, and activations are quantised on the way:
/// as many features of a row share a scale and a zero point. The integers are the same with every table.
template <class T, class W>
struct LinearKernel {
    std::ptrdiff_t panel_width;  ///< outputs side by side
    RowsPerCall rows;            ///< how many rows run() is best given
    /// Values of W that packed weights take.
    std::size_t (*packed_size)(std::ptrdiff_t out_features, std::ptrdiff_t in_features);
    /// Writes packed_size() values.
    void (*pack)(PackSource<T, W> weights, std::ptrdiff_t out_features, std::ptrdiff_t in_features, W* packed);
    /// Bytes of scratch memory that run() needs.
    std::size_t (*scratch_size)(std::ptrdiff_t rows, std::ptrdiff_t in_features);
    void (*run)(const LinearArguments<T, W>& arguments);  ///< computes what LinearArguments says
};

/// Attention of one head.
template <class T>
struct AttentionKernel {
    /// Values of scratch memory that run() needs.
    std::size_t (*scratch_size)(std::ptrdiff_t keys, std::ptrdiff_t head_dim);
    void (*run)(const AttentionArguments<T>& arguments);  ///< computes what AttentionArguments says
};

/// What the layers call. T is the type of activations.
///
/// Every output row depends on its own input row alone, and every sum runs in an order fixed by its length: with one
/// table a token's result has the same bits in whatever batch, block or thread it is computed. Tables differ from each
/// other by rounding only.
template <class T>
struct KernelTable {
    const char* name;  ///< as BERT_KERNELS and LoadOptions::kernels call it

    LinearKernel<T, T> linear;                  ///< weights of T
    LinearKernel<T, bfloat16> linear_bfloat16;  ///< weights of bfloat16
    LinearKernel<T, std::int8_t> linear_int8;   ///< weights of 8 bits

    AttentionKernel<T> attention;  ///< one head of one text
    /// For models whose weights are narrower than T. The tables avx512_bf16 and neon_bf16 round queries, keys, values
    /// and probabilities to bfloat16 here; with the others it is the same as `attention`.
    AttentionKernel<T> narrow_attention;

    /// Normalises `rows` rows of n values in place: (x - mean)/sqrt(variance + epsilon) * weight + bias.
    void (*layer_norm)(T* x, std::ptrdiff_t stride, std::ptrdiff_t rows, std::ptrdiff_t n, const T* weight,
                       const T* bias, T epsilon);
};

/// The products of a table with weights of type W.
template <class W, class T>
const LinearKernel<T, W>& linear_kernel(const KernelTable<T>& table) noexcept {
    if constexpr (std::is_same_v<W, T>) {
        return table.linear;
    } else if constexpr (std::is_same_v<W, bfloat16>) {
        return table.linear_bfloat16;
    } else {
        static_assert(std::is_same_v<W, std::int8_t>, "weights are of the activations' type, bfloat16 or int8");
        return table.linear_int8;
    }
}

/// The attention of a table in models with weights of type W.
template <class W, class T>
const AttentionKernel<T>& attention_kernel(const KernelTable<T>& table) noexcept {
    if constexpr (std::is_same_v<W, T>) {
        return table.attention;
    } else {
        return table.narrow_attention;
    }
}

/// `size` rounded up to whole panels.
template <class T, class W>
std::ptrdiff_t padded_size(const LinearKernel<T, W>& kernel, std::ptrdiff_t size) {
    return (size + kernel.panel_width - 1) / kernel.panel_width * kernel.panel_width;
}

BERT_NAMESPACE_END
