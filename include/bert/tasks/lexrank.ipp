// Definitions of tasks/lexrank.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/lexrank.hpp>
#include <bert/tasks/score_blocks.hpp>

#include <algorithm>

BERT_NAMESPACE_BEGIN

BERT_INLINE Vector<double> lexrank(const ConstRows<float>& embeddings, const LexRankOptions& options,
                                   ThreadPool* threads) {
    if (!(options.damping >= 0 && options.damping < 1)) {
        detail::fail(ErrorKind::input, "lexrank: damping should be in [0, 1), given ", options.damping);
    }
    if (!(options.tolerance > 0)) {
        detail::fail(ErrorKind::input, "lexrank: the tolerance should be positive, given ", options.tolerance);
    }
    detail::check_finite(embeddings, "lexrank");
    const Index n = embeddings.rows();
    if (n == 0) return {};
    Workspace workspace(threads);
    const float floor = std::max(options.threshold, 0.0f);
    // result += sum over i of weights(i) * similarity(i, j)
    const auto spread = [&](const Vector<double>& weights, Vector<double>& result) {
        detail::for_score_blocks(embeddings, embeddings, Similarity::cosine, workspace,
                                 [&](Index row, Index column, const Matrix& scores) {
                                     for (Index i = 0; i < scores.rows(); ++i) {
                                         for (Index j = 0; j < scores.cols(); ++j) {
                                             if (scores(i, j) < floor) continue;
                                             result(column + j) += weights(row + i) * static_cast<double>(scores(i, j));
                                         }
                                     }
                                 });
    };
    // Similarities are symmetric: sums of columns are sums of rows.
    Vector<double> degree = Vector<double>::Zero(n);
    spread(Vector<double>::Ones(n), degree);

    const double share = 1.0 / static_cast<double>(n);
    Vector<double> rank = Vector<double>::Constant(n, share);
    for (std::size_t iteration = 0; iteration < options.max_iterations; ++iteration) {
        Vector<double> weights = Vector<double>::Zero(n);
        double lost = 0;
        for (Index i = 0; i < n; ++i) {
            if (degree(i) > 0) weights(i) = rank(i) / degree(i);
            else lost += rank(i);
        }
        Vector<double> next = Vector<double>::Constant(n, lost * share);
        spread(weights, next);
        next = next * options.damping;
        next.array() += (1 - options.damping) * share;
        const double moved = (next - rank).cwiseAbs().maxCoeff();
        rank = next / next.sum();
        if (moved <= options.tolerance) break;
    }
    return rank;
}

BERT_NAMESPACE_END
