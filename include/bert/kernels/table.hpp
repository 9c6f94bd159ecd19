// The arithmetic of the encoder as a table of plain function pointers, one table per instruction set. Depends on config
// and core/activation; pointers and integers only, no Eigen.
#pragma once

#include <bert/config.hpp>
#include <bert/core/activation.hpp>

#include <cstddef>
#include <cstdint>

BERT_NAMESPACE_BEGIN

/// What the layers call. T is the type of activations and weights; strides are in elements.
///
/// Every output row depends on its own input row alone, and every sum runs in an order fixed by its length: with one
/// table a token's result has the same bits in whatever batch, block or thread it is computed. Tables differ from each
/// other by rounding only.
template <class T>
struct KernelTable {
    const char* name;            ///< as BERT_KERNELS and LoadOptions::kernels call it
    std::ptrdiff_t panel_width;  ///< outputs whose weights lie side by side in a packed panel

    /// Packs weights, out_features rows of in_features, into panels: for each input feature, panel_width outputs in a
    /// row. The last panel is filled up with zeros. packed: packed_size(table, out_features, in_features) values.
    void (*pack)(const T* weights, std::ptrdiff_t out_features, std::ptrdiff_t in_features, T* packed);

    /// y = activation(x W^T + bias) + residual for `rows` rows and the outputs [first, last), `first` being a multiple
    /// of panel_width. x: rows x in_features; bias: out_features rounded up to whole panels; residual (null for none)
    /// and y: rows x out_features; y may be the residual itself.
    void (*linear)(const T* x, std::ptrdiff_t x_stride, std::ptrdiff_t rows, std::ptrdiff_t in_features,
                   const T* packed, const T* bias, Activation activation, const T* residual,
                   std::ptrdiff_t residual_stride, std::ptrdiff_t first, std::ptrdiff_t last, T* y,
                   std::ptrdiff_t y_stride);

    /// Values of scratch memory that attention() needs for a text of `tokens`.
    std::size_t (*attention_scratch)(std::ptrdiff_t tokens, std::ptrdiff_t head_dim);

    /// One head of one text: out = softmax(q k^T scale) v for all its tokens. q, k, v: tokens x head_dim with a common
    /// stride; mask: 0 for keys to leave out, null for none; probabilities: tokens x tokens, or null where nobody asks;
    /// out: tokens x head_dim.
    void (*attention)(const T* q, const T* k, const T* v, std::ptrdiff_t stride, std::ptrdiff_t tokens,
                      std::ptrdiff_t head_dim, T scale, const std::uint8_t* mask, T* scratch, T* probabilities, T* out,
                      std::ptrdiff_t out_stride);

    /// Normalises `rows` rows of n values in place: (x - mean)/sqrt(variance + epsilon) * weight + bias.
    void (*layer_norm)(T* x, std::ptrdiff_t stride, std::ptrdiff_t rows, std::ptrdiff_t n, const T* weight,
                       const T* bias, T epsilon);
};

/// `size` rounded up to whole panels of the table.
template <class T>
std::ptrdiff_t padded_size(const KernelTable<T>& table, std::ptrdiff_t size) {
    return (size + table.panel_width - 1) / table.panel_width * table.panel_width;
}

/// Values that packed weights take.
template <class T>
std::size_t packed_size(const KernelTable<T>& table, std::ptrdiff_t out_features, std::ptrdiff_t in_features) {
    return static_cast<std::size_t>(padded_size(table, out_features)) * static_cast<std::size_t>(in_features);
}

BERT_NAMESPACE_END
