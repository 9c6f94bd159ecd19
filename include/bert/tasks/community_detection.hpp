// Groups of embeddings around a centre: clustering by a threshold. Depends on tasks/score_blocks.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/core/thread_pool.hpp>

#include <cstddef>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Options of community_detection().
struct CommunityOptions {
    float threshold = 0.75f;              ///< least cosine with the centre
    std::size_t min_community_size = 10;  ///< smaller groups are left out; at least 1
};

/// Communities of rows of `embeddings` (n x d) whose cosine with a central row is at least the threshold, as
/// sentence_transformers.util.community_detection finds them: largest first, each beginning with its centre and going
/// on by descending cosine (equal ones by row); no row is in two. Memory grows with n alone: similarities are computed
/// twice instead of kept. Errors: input (a value that is not finite, a threshold that is NaN, a minimal size of 0).
std::vector<std::vector<Index>> community_detection(const ConstRows<float>& embeddings,
                                                    const CommunityOptions& options = {},
                                                    ThreadPool* threads = nullptr);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/community_detection.ipp>
#endif
