// How central each of several texts is among the others. Depends on core and tasks/score_blocks.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/core/thread_pool.hpp>

#include <cstddef>

BERT_NAMESPACE_BEGIN

/// Options of lexrank().
struct LexRankOptions {
    double damping = 0.85;    ///< probability of following a similarity instead of jumping to any text; below 1
    float threshold = 0;      ///< cosines below it count as 0, and so do negative ones
    double tolerance = 1e-9;  ///< the iteration ends when no probability moves further
    std::size_t max_iterations = 1000;  ///< of the power method
};

/// Continuous LexRank (Erkan and Radev 2004, https://arxiv.org/abs/1109.2128): the probability of being at each text
/// for a walk that goes from text to text in proportion to their cosines. n values with sum 1 for embeddings of n x d;
/// a text without any similarity sends the walk anywhere. Memory does not grow with n x n: similarities are computed
/// again in every iteration. Errors: input (options out of range, a value that is not finite).
Vector<double> lexrank(const ConstRows<float>& embeddings, const LexRankOptions& options = {},
                       ThreadPool* threads = nullptr);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/lexrank.ipp>
#endif
