// The kernel table in plain C++, for float and double: correct everywhere, and what the others are tested against.
// Depends on kernels/table.
#pragma once

#include <bert/kernels/table.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

BERT_NAMESPACE_BEGIN

namespace scalar {

inline constexpr std::ptrdiff_t panel_width = 8;

inline std::ptrdiff_t panels(std::ptrdiff_t out_features) {
    return (out_features + panel_width - 1) / panel_width;
}

/// From sums to outputs, for the panel that begins at `column`.
template <class T, class W>
void finish(const LinearArguments<T, W>& a, std::ptrdiff_t row, std::ptrdiff_t column, const T* sums) {
    for (std::ptrdiff_t j = 0; j < std::min(panel_width, a.last - column); ++j) {
        T value = activate(a.activation, sums[j] + a.bias[column + j]);
        if (a.residual) value += a.residual[row * a.residual_stride + column + j];
        a.y[row * a.y_stride + column + j] = value;
    }
}

template <class T>
T widen(T weight) {
    return weight;
}
template <class T>
T widen(bfloat16 weight) {
    return static_cast<T>(static_cast<float>(weight));
}

template <class T>
void narrow(T weight, T& out) {
    out = weight;
}
template <class T>
void narrow(T weight, bfloat16& out) {
    out = bfloat16::from_float(static_cast<float>(weight));
}

/// Weights that are numbers by themselves: floats, doubles, bfloat16.
template <class T, class W>
struct Plain {
    static std::size_t packed_size(std::ptrdiff_t out_features, std::ptrdiff_t in_features) {
        return static_cast<std::size_t>(panels(out_features) * panel_width) * static_cast<std::size_t>(in_features);
    }

    static void pack(const T* weights, std::ptrdiff_t out_features, std::ptrdiff_t in_features, W* packed) {
        for (std::ptrdiff_t first = 0; first < out_features; first += panel_width) {
            for (std::ptrdiff_t k = 0; k < in_features; ++k) {
                for (std::ptrdiff_t j = 0; j < panel_width; ++j) {
                    narrow(first + j < out_features ? weights[(first + j) * in_features + k] : T(0), *packed++);
                }
            }
        }
    }

    static std::size_t scratch_size(std::ptrdiff_t, std::ptrdiff_t) { return 0; }

    static void run(const LinearArguments<T, W>& a) {
        for (std::ptrdiff_t column = a.first; column < a.last; column += panel_width) {
            const W* const panel = a.packed + column * a.in_features;
            for (std::ptrdiff_t row = 0; row < a.rows; ++row) {
                T sums[panel_width] = {};
                for (std::ptrdiff_t k = 0; k < a.in_features; ++k) {
                    const T value = a.x[row * a.x_stride + k];
                    for (std::ptrdiff_t j = 0; j < panel_width; ++j) {
                        sums[j] += value * widen<T>(panel[k * panel_width + j]);
                    }
                }
                finish(a, row, column, sums);
            }
        }
    }
};

/// 8-bit weights and activations; generic/int8.inl has the formula. A panel holds the weights of one output after
/// another, then each one's scales, of block after block.
template <class T>
struct Int8 {
    static std::ptrdiff_t blocks(std::ptrdiff_t in_features) { return int8_blocks(in_features); }
    static std::ptrdiff_t panel_size(std::ptrdiff_t in_features) {
        return panel_width * (in_features + blocks(in_features) * static_cast<std::ptrdiff_t>(sizeof(float)));
    }

    static std::size_t packed_size(std::ptrdiff_t out_features, std::ptrdiff_t in_features) {
        return static_cast<std::size_t>(panels(out_features) * panel_size(in_features));
    }

    static void pack(Int8Rows weights, std::ptrdiff_t out_features, std::ptrdiff_t in_features, std::int8_t* packed) {
        std::fill_n(packed, packed_size(out_features, in_features), std::int8_t(0));
        for (std::ptrdiff_t j = 0; j < out_features; ++j) {
            const Int8Rows row = skip_rows(weights, j, in_features);
            std::int8_t* const panel = packed + j / panel_width * panel_size(in_features);
            std::copy_n(row.values, in_features, panel + j % panel_width * in_features);
            std::memcpy(scale_at(panel, j % panel_width, 0, in_features), row.scales,
                        static_cast<std::size_t>(blocks(in_features)) * sizeof(float));
        }
    }

    static std::size_t scratch_size(std::ptrdiff_t, std::ptrdiff_t) { return 0; }

    static void run(const LinearArguments<T, std::int8_t>& a) {
        for (std::ptrdiff_t row = 0; row < a.rows; ++row) {
            for (std::ptrdiff_t column = a.first; column < a.last; column += panel_width) {
                const std::int8_t* const panel = a.packed + column / panel_width * panel_size(a.in_features);
                T sums[panel_width] = {};
                for (std::ptrdiff_t block = 0; block < blocks(a.in_features); ++block) {
                    add_block(a.x + row * a.x_stride, block, a.in_features, panel, sums);
                }
                finish(a, row, column, sums);
            }
        }
    }

private:
    template <class Byte>
    static Byte* scale_at(Byte* panel, std::ptrdiff_t j, std::ptrdiff_t block, std::ptrdiff_t in_features) {
        return panel + panel_width * in_features +
               (j * blocks(in_features) + block) * static_cast<std::ptrdiff_t>(sizeof(float));
    }

    static void add_block(const T* row, std::ptrdiff_t block, std::ptrdiff_t in_features, const std::int8_t* panel,
                          T* sums) {
        const std::ptrdiff_t first = block * int8_block;
        const std::ptrdiff_t size = std::min(int8_block, in_features - first);
        const T* const x = row + first;
        float low = 0.0f;
        float high = 0.0f;
        for (std::ptrdiff_t k = 0; k < size; ++k) {
            const auto value = static_cast<float>(x[k]);
            if (!std::isfinite(value)) {
                std::fill_n(sums, panel_width, std::numeric_limits<T>::quiet_NaN());
                return;
            }
            low = std::min(low, value);
            high = std::max(high, value);
        }
        const float scale = high / 255.0f - low / 255.0f;
        if (!(scale > 1e-30f)) return;
        const int zero = static_cast<int>(0.5f - low / scale);
        const float inverse = 1.0f / scale;
        for (std::ptrdiff_t j = 0; j < panel_width; ++j) {
            const std::int8_t* const weights = panel + j * in_features + first;
            int sum = 0;
            for (std::ptrdiff_t k = 0; k < size; ++k) {
                // Rounds ties to even, as the processors' conversions do.
                const float rounded = std::nearbyint(static_cast<float>(x[k]) * inverse);
                const int q = std::min(std::max(static_cast<int>(rounded) + zero, 0), 255);
                sum += (q - zero) * weights[k];
            }
            float weight_scale;
            std::memcpy(&weight_scale, scale_at(panel, j, block, in_features), sizeof weight_scale);
            sums[j] += static_cast<T>(sum) * (static_cast<T>(scale) * static_cast<T>(weight_scale));
        }
    }
};

template <class T, class W, class Product>
inline constexpr LinearKernel<T, W> kernel{panel_width,           {},          Product::packed_size, Product::pack,
                                           Product::scratch_size, Product::run};

inline std::size_t attention_scratch(std::ptrdiff_t keys, std::ptrdiff_t) {
    return static_cast<std::size_t>(keys);
}

template <class T>
void attention(const AttentionArguments<T>& a) {
    for (std::ptrdiff_t row = 0; row < a.queries; ++row) {
        const T* const q = a.q + row * a.q_stride;
        const std::ptrdiff_t keys = a.causal ? a.keys - a.queries + row + 1 : a.keys;
        T largest = -std::numeric_limits<T>::infinity();
        for (std::ptrdiff_t key = 0; key < keys; ++key) {
            T product = 0;
            for (std::ptrdiff_t d = 0; d < a.head_dim; ++d) product += q[d] * a.k[key * a.k_stride + d];
            a.scratch[key] = a.mask && !a.mask[key] ? -std::numeric_limits<T>::infinity() : product * a.scale;
            largest = std::max(largest, a.scratch[key]);
        }
        T sum = 0;
        for (std::ptrdiff_t key = 0; key < keys; ++key) {
            a.scratch[key] = std::exp(a.scratch[key] - largest);
            sum += a.scratch[key];
        }
        T* const out = a.out + row * a.out_stride;
        std::fill_n(out, a.head_dim, T(0));
        for (std::ptrdiff_t key = 0; key < keys; ++key) {
            const T weight = a.scratch[key] / sum;
            if (a.probabilities) a.probabilities[row * a.keys + key] = weight;
            for (std::ptrdiff_t d = 0; d < a.head_dim; ++d) out[d] += weight * a.v[key * a.v_stride + d];
        }
        if (a.probabilities) std::fill_n(a.probabilities + row * a.keys + keys, a.keys - keys, T(0));
    }
}

template <class T>
void layer_norm(T* x, std::ptrdiff_t stride, std::ptrdiff_t rows, std::ptrdiff_t n, const T* weight, const T* bias,
                T epsilon) {
    for (std::ptrdiff_t row = 0; row < rows; ++row, x += stride) {
        T mean = 0;
        for (std::ptrdiff_t i = 0; i < n; ++i) mean += x[i];
        mean /= static_cast<T>(n);
        T variance = 0, rest = 0;
        for (std::ptrdiff_t i = 0; i < n; ++i) {
            variance += (x[i] - mean) * (x[i] - mean);
            rest += x[i] - mean;
        }
        // What rounding left out of the mean, which small epsilons would show where all values are the same.
        mean += rest / static_cast<T>(n);
        // Where the squares overflow, NaN, which is noticed, and not 0.
        const T scale = T(1) / std::sqrt(variance / static_cast<T>(n) + epsilon) + (variance - variance);
        for (std::ptrdiff_t i = 0; i < n; ++i) x[i] = (x[i] - mean) * scale * weight[i] + bias[i];
    }
}

template <class T>
inline constexpr KernelTable<T> table{"scalar",
                                      kernel<T, T, Plain<T, T>>,
                                      kernel<T, bfloat16, Plain<T, bfloat16>>,
                                      kernel<T, std::int8_t, Int8<T>>,
                                      {attention_scratch, attention<T>},
                                      {attention_scratch, attention<T>},
                                      layer_norm<T>};

}  // namespace scalar

BERT_NAMESPACE_END
