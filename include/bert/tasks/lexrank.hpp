// How central each of several texts is among the others. Depends on core and tasks/score_blocks.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/error.hpp>
#include <bert/tasks/score_blocks.hpp>

#include <algorithm>
#include <cstddef>

BERT_NAMESPACE_BEGIN

/// Options of lexrank().
struct LexRankOptions {
    double damping = 0.85;    ///< probability of following a similarity instead of jumping to any text; below 1
    float threshold = 0;      ///< cosines below it count as 0, and so do negative ones
    double tolerance = 1e-9;  ///< the iteration ends when no probability moves further
    std::size_t max_iterations = 1000;
};

/// Continuous LexRank (Erkan and Radev 2004, https://arxiv.org/abs/1109.2128): the probability of being at each text
/// for a walk that goes from text to text in proportion to their cosines. n values with sum 1 for embeddings of n x d;
/// a text without any similarity sends the walk anywhere. Memory does not grow with n x n: similarities are computed
/// again in every iteration. Errors: input (options out of range, a value that is not finite).
inline Vector<double> lexrank(const ConstRows<float>& embeddings, const LexRankOptions& options = {},
                              ThreadPool* threads = nullptr) {
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
