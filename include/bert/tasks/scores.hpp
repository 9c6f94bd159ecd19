// From logits to scores and rankings, as all tasks do it. Depends on core.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/core/matrix.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <optional>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Logarithm of the sum of the exponentials of `count` values, at least one.
inline double log_sum_exp(const float* values, Index count) {
    const auto largest = static_cast<double>(*std::max_element(values, values + count));
    double sum = 0;
    for (Index i = 0; i < count; ++i) sum += std::exp(static_cast<double>(values[i]) - largest);
    return largest + std::log(sum);
}

/// Replaces each row by its softmax.
inline void softmax_rows(Rows<float> rows) {
    for (Index row = 0; row < rows.rows(); ++row) {
        float* const values = rows.data() + row * rows.outerStride();
        const double total = log_sum_exp(values, rows.cols());
        for (Index i = 0; i < rows.cols(); ++i) {
            values[i] = static_cast<float>(std::exp(static_cast<double>(values[i]) - total));
        }
    }
}

/// Replaces each value by the activation's.
inline void activate_all(Activation activation, Rows<float> rows) {
    for (Index row = 0; row < rows.rows(); ++row) {
        for (Index i = 0; i < rows.cols(); ++i) rows(row, i) = activate(activation, rows(row, i));
    }
}

/// The positions of the `k` highest of `count` scores (all, where there are fewer), highest first; of equal scores the
/// earlier comes first.
inline std::vector<std::size_t> highest(const float* scores, std::size_t count, std::size_t k) {
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    k = std::min(k, count);
    std::partial_sort(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
        [&](std::size_t a, std::size_t b) { return scores[a] > scores[b] || (scores[a] == scores[b] && a < b); });
    order.resize(k);
    return order;
}

/// A document with its score for a query.
struct RankedDocument {
    std::size_t index = 0;   ///< its place in the list that was given
    float score = 0;         ///< higher fits better
    bool truncated = false;  ///< whether tokens were left out to respect the model's limit
};

/// The `top_k` documents of the highest scores (all, where not set), best first; of equal scores the earlier comes
/// first. `truncated`: one value per document.
inline std::vector<RankedDocument> rank_documents(const float* scores, const std::vector<bool>& truncated,
                                                  const std::optional<std::size_t>& top_k) {
    std::vector<RankedDocument> ranked;
    for (const std::size_t i : highest(scores, truncated.size(), top_k.value_or(truncated.size()))) {
        ranked.push_back({i, scores[i], truncated[i]});
    }
    return ranked;
}

BERT_NAMESPACE_END
