// Definitions of tasks/scores.hpp.
#pragma once

#include <bert/tasks/scores.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

BERT_NAMESPACE_BEGIN

BERT_INLINE double log_sum_exp(const float* values, Index count) {
    const auto largest = static_cast<double>(*std::max_element(values, values + count));
    double sum = 0;
    for (Index i = 0; i < count; ++i) sum += std::exp(static_cast<double>(values[i]) - largest);
    return largest + std::log(sum);
}

BERT_INLINE void softmax_rows(Rows<float> rows) {
    for (Index row = 0; row < rows.rows(); ++row) {
        float* const values = rows.data() + row * rows.outerStride();
        const double total = log_sum_exp(values, rows.cols());
        for (Index i = 0; i < rows.cols(); ++i) {
            values[i] = static_cast<float>(std::exp(static_cast<double>(values[i]) - total));
        }
    }
}

BERT_INLINE void activate_all(Activation activation, Rows<float> rows) {
    for (Index row = 0; row < rows.rows(); ++row) {
        for (Index i = 0; i < rows.cols(); ++i) rows(row, i) = activate(activation, rows(row, i));
    }
}

BERT_INLINE std::vector<std::size_t> highest(const float* scores, std::size_t count, std::size_t k) {
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    k = std::min(k, count);
    std::partial_sort(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
        [&](std::size_t a, std::size_t b) { return scores[a] > scores[b] || (scores[a] == scores[b] && a < b); });
    order.resize(k);
    return order;
}

BERT_INLINE std::vector<RankedDocument> rank_documents(const float* scores, const std::vector<bool>& truncated,
                                                       const std::optional<std::size_t>& top_k) {
    std::vector<RankedDocument> ranked;
    for (const std::size_t i : highest(scores, truncated.size(), top_k.value_or(truncated.size()))) {
        ranked.push_back({i, scores[i], truncated[i]});
    }
    return ranked;
}

BERT_NAMESPACE_END
