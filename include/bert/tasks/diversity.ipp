// Definitions of tasks/diversity.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/diversity.hpp>
#include <bert/tasks/similarity.hpp>

#include <algorithm>
#include <limits>
#include <numeric>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE void check_relevance(const Vector<double>& relevance, Index rows, const char* what) {
    if (relevance.size() != rows) {
        fail(ErrorKind::shape, what, ": ", relevance.size(), " relevances for ", rows, " embeddings");
    }
    if (!relevance.allFinite()) fail(ErrorKind::input, what, ": a relevance is NaN or infinite");
}

/// Cosines of one row with all rows.
BERT_INLINE Vector<double> cosines_with(const ConstRows<float>& embeddings, Index row) {
    return similarity(embeddings.middleRows(row, 1), embeddings).row(0).transpose().cast<double>();
}

}  // namespace detail

BERT_INLINE std::vector<Index> maximal_marginal_relevance(const Vector<double>& relevance,
                                                          const ConstRows<float>& embeddings, std::size_t count,
                                                          double diversity) {
    detail::check_relevance(relevance, embeddings.rows(), "maximal_marginal_relevance");
    detail::check_finite(embeddings, "maximal_marginal_relevance");
    if (!(diversity >= 0 && diversity <= 1)) {
        detail::fail(ErrorKind::input, "diversity should be from 0 to 1, given ", diversity);
    }
    std::vector<Index> chosen;
    if (relevance.size() == 0 || count == 0) return chosen;
    Index best = 0;
    relevance.maxCoeff(&best);
    Vector<double> nearest = Vector<double>::Constant(relevance.size(), -2.0);  // below every cosine
    std::vector<unsigned char> taken(static_cast<std::size_t>(relevance.size()), 0);
    const std::size_t wanted = std::min(count, taken.size());
    for (;;) {
        chosen.push_back(best);
        taken[static_cast<std::size_t>(best)] = 1;
        if (chosen.size() == wanted) return chosen;
        nearest = nearest.cwiseMax(detail::cosines_with(embeddings, best));
        best = -1;
        double best_value = 0;
        for (Index i = 0; i < relevance.size(); ++i) {
            if (taken[static_cast<std::size_t>(i)]) continue;
            const double value = (1 - diversity) * relevance(i) - diversity * nearest(i);
            if (best < 0 || value > best_value) {
                best = i;
                best_value = value;
            }
        }
    }
}

BERT_INLINE std::vector<Index> max_sum_distance(const Vector<double>& relevance, const ConstRows<float>& embeddings,
                                                std::size_t count, std::size_t candidates) {
    detail::check_relevance(relevance, embeddings.rows(), "max_sum_distance");
    detail::check_finite(embeddings, "max_sum_distance");
    if (candidates < count) {
        detail::fail(ErrorKind::input, "max_sum_distance: ", count, " items cannot be chosen from ", candidates,
                     " candidates");
    }
    std::vector<Index> order(static_cast<std::size_t>(relevance.size()));
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return relevance(a) < relevance(b); });
    if (order.size() > candidates) order.erase(order.begin(), order.end() - static_cast<std::ptrdiff_t>(candidates));
    if (order.size() <= count) return order;

    constexpr double limit = 1e7;
    double combinations = 1;
    for (std::size_t i = 0; i < count; ++i) {
        combinations *= static_cast<double>(order.size() - i) / static_cast<double>(i + 1);
    }
    if (combinations > limit) {
        detail::fail(ErrorKind::input, "max_sum_distance: ", count, " of ", order.size(),
                     " candidates are more than 10000000 combinations");
    }
    Matrix rows(static_cast<Index>(order.size()), embeddings.cols());
    for (std::size_t i = 0; i < order.size(); ++i) rows.row(static_cast<Index>(i)) = embeddings.row(order[i]);
    const Matrix cosines = similarity(rows, rows);

    std::vector<Index> positions(count);
    std::iota(positions.begin(), positions.end(), Index{0});
    std::vector<Index> best = positions;
    double least = std::numeric_limits<double>::infinity();
    for (;;) {
        double sum = 0;
        for (std::size_t i = 0; i < count; ++i) {
            for (std::size_t j = i + 1; j < count; ++j) sum += static_cast<double>(cosines(positions[i], positions[j]));
        }
        if (sum < least) {
            least = sum;
            best = positions;
        }
        // The next combination in lexicographic order.
        std::size_t at = count;
        while (at > 0 && positions[at - 1] == static_cast<Index>(order.size() - count + at - 1)) --at;
        if (at == 0) break;
        ++positions[at - 1];
        for (; at < count; ++at) positions[at] = positions[at - 1] + 1;
    }
    for (Index& position : best) position = order[static_cast<std::size_t>(position)];
    return best;
}

BERT_NAMESPACE_END
