// Hidden states of a text's tokens to one sentence vector. Depends on core and io/sentence_config.
// Semantics follow sentence-transformers' Pooling module.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/sentence_config.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

BERT_NAMESPACE_BEGIN

/// Pools the rows of `hidden` (the tokens of one text, at least one) from row `skip` on into the hidden.cols() values
/// at `out`. `skip` leaves out a prompt; where it leaves nothing, cls and last_token still take the first token (as
/// vector or zeros) and the others give zeros. `sums` is scratch of hidden.cols() values.
inline void pool(PoolingMode mode, const ConstRows<float>& hidden, Index skip, double* sums, float* out) {
    const Index tokens = hidden.rows();
    const Index size = hidden.cols();
    const bool nothing = skip >= tokens;
    const auto copy_row = [&](Index row) { std::copy_n(hidden.data() + row * hidden.outerStride(), size, out); };

    switch (mode) {
        case PoolingMode::cls: copy_row(nothing ? 0 : skip); return;
        case PoolingMode::last_token:
            if (nothing) std::fill_n(out, size, 0.0f);
            else copy_row(tokens - 1);
            return;
        case PoolingMode::max:
            std::fill_n(out, size, 0.0f);
            if (!nothing) copy_row(skip);
            for (Index row = skip + 1; row < tokens; ++row) {
                const float* const values = hidden.data() + row * hidden.outerStride();
                for (Index i = 0; i < size; ++i) out[i] = std::max(out[i], values[i]);
            }
            return;
        case PoolingMode::mean:
        case PoolingMode::mean_sqrt_len:
        case PoolingMode::weighted_mean: break;
    }

    std::fill_n(sums, size, 0.0);
    double total = 0;
    for (Index row = skip; row < tokens; ++row) {
        const double weight = mode == PoolingMode::weighted_mean ? static_cast<double>(row + 1) : 1.0;
        const float* const values = hidden.data() + row * hidden.outerStride();
        for (Index i = 0; i < size; ++i) sums[i] += weight * static_cast<double>(values[i]);
        total += weight;
    }
    const double divisor = nothing ? 1.0 : mode == PoolingMode::mean_sqrt_len ? std::sqrt(total) : total;
    for (Index i = 0; i < size; ++i) out[i] = static_cast<float>(sums[i] / divisor);
}

/// Scales each row to unit length. A row shorter than 1e-12 is divided by 1e-12, as PyTorch's normalize does.
inline void normalize_rows(Rows<float> rows) {
    for (Index row = 0; row < rows.rows(); ++row) {
        float* const values = rows.data() + row * rows.outerStride();
        double squares = 0;
        for (Index i = 0; i < rows.cols(); ++i)
            squares += static_cast<double>(values[i]) * static_cast<double>(values[i]);
        const double length = std::max(std::sqrt(squares), 1e-12);
        for (Index i = 0; i < rows.cols(); ++i) values[i] = static_cast<float>(static_cast<double>(values[i]) / length);
    }
}

BERT_NAMESPACE_END
