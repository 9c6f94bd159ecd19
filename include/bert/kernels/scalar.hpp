// The kernel table in plain C++, for float and double: correct everywhere, and what the others are tested against.
// Depends on kernels/table.
#pragma once

#include <bert/kernels/table.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

BERT_NAMESPACE_BEGIN

namespace scalar {

inline constexpr std::ptrdiff_t panel_width = 8;

template <class T>
void pack(const T* weights, std::ptrdiff_t out_features, std::ptrdiff_t in_features, T* packed) {
    for (std::ptrdiff_t first = 0; first < out_features; first += panel_width) {
        for (std::ptrdiff_t k = 0; k < in_features; ++k) {
            for (std::ptrdiff_t j = 0; j < panel_width; ++j) {
                *packed++ = first + j < out_features ? weights[(first + j) * in_features + k] : T(0);
            }
        }
    }
}

template <class T>
void linear(const T* x, std::ptrdiff_t x_stride, std::ptrdiff_t rows, std::ptrdiff_t in_features, const T* packed,
            const T* bias, Activation activation, const T* residual, std::ptrdiff_t residual_stride,
            std::ptrdiff_t first, std::ptrdiff_t last, T* y, std::ptrdiff_t y_stride) {
    for (std::ptrdiff_t column = first; column < last; column += panel_width) {
        const T* const panel = packed + column * in_features;
        const std::ptrdiff_t width = std::min(panel_width, last - column);
        for (std::ptrdiff_t row = 0; row < rows; ++row) {
            T sums[panel_width] = {};
            for (std::ptrdiff_t k = 0; k < in_features; ++k) {
                const T value = x[row * x_stride + k];
                for (std::ptrdiff_t j = 0; j < panel_width; ++j) sums[j] += value * panel[k * panel_width + j];
            }
            for (std::ptrdiff_t j = 0; j < width; ++j) {
                T value = activate(activation, sums[j] + bias[column + j]);
                if (residual) value += residual[row * residual_stride + column + j];
                y[row * y_stride + column + j] = value;
            }
        }
    }
}

inline std::size_t attention_scratch(std::ptrdiff_t tokens, std::ptrdiff_t) {
    return static_cast<std::size_t>(tokens);
}

template <class T>
void attention(const T* q, const T* k, const T* v, std::ptrdiff_t stride, std::ptrdiff_t tokens,
               std::ptrdiff_t head_dim, T scale, const std::uint8_t* mask, T* scores, T* probabilities, T* out,
               std::ptrdiff_t out_stride) {
    for (std::ptrdiff_t row = 0; row < tokens; ++row) {
        T largest = -std::numeric_limits<T>::infinity();
        for (std::ptrdiff_t key = 0; key < tokens; ++key) {
            T product = 0;
            for (std::ptrdiff_t d = 0; d < head_dim; ++d) product += q[row * stride + d] * k[key * stride + d];
            scores[key] = mask && !mask[key] ? -std::numeric_limits<T>::infinity() : product * scale;
            largest = std::max(largest, scores[key]);
        }
        T sum = 0;
        for (std::ptrdiff_t key = 0; key < tokens; ++key) {
            scores[key] = std::exp(scores[key] - largest);
            sum += scores[key];
        }
        T* const result = out + row * out_stride;
        std::fill_n(result, head_dim, T(0));
        for (std::ptrdiff_t key = 0; key < tokens; ++key) {
            const T weight = scores[key] / sum;
            if (probabilities) probabilities[row * tokens + key] = weight;
            for (std::ptrdiff_t d = 0; d < head_dim; ++d) result[d] += weight * v[key * stride + d];
        }
    }
}

template <class T>
void layer_norm(T* x, std::ptrdiff_t stride, std::ptrdiff_t rows, std::ptrdiff_t n, const T* weight, const T* bias,
                T epsilon) {
    for (std::ptrdiff_t row = 0; row < rows; ++row, x += stride) {
        T mean = 0;
        for (std::ptrdiff_t i = 0; i < n; ++i) mean += x[i];
        mean /= static_cast<T>(n);
        T variance = 0;
        for (std::ptrdiff_t i = 0; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean);
        const T scale = T(1) / std::sqrt(variance / static_cast<T>(n) + epsilon);
        for (std::ptrdiff_t i = 0; i < n; ++i) x[i] = (x[i] - mean) * scale * weight[i] + bias[i];
    }
}

template <class T>
inline constexpr KernelTable<T> table{"scalar",          panel_width,  pack<T>,      linear<T>,
                                      attention_scratch, attention<T>, layer_norm<T>};

}  // namespace scalar

BERT_NAMESPACE_END
