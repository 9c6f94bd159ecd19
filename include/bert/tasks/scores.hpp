// From logits to scores and rankings, as all tasks do it. Depends on core.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/core/matrix.hpp>

#include <cstddef>
#include <optional>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Logarithm of the sum of the exponentials of `count` values, at least one.
double log_sum_exp(const float* values, Index count);

/// Replaces each row by its softmax.
void softmax_rows(Rows<float> rows);

/// Replaces each value by the activation's.
void activate_all(Activation activation, Rows<float> rows);

/// The positions of the `k` highest of `count` scores (all, where there are fewer), highest first; of equal scores the
/// earlier comes first.
std::vector<std::size_t> highest(const float* scores, std::size_t count, std::size_t k);

/// A document with its score for a query.
struct RankedDocument {
    std::size_t index = 0;   ///< its place in the list that was given
    float score = 0;         ///< higher fits better
    bool truncated = false;  ///< whether tokens were left out to respect the model's limit
};

/// The `top_k` documents of the highest scores (all, where not set), best first; of equal scores the earlier comes
/// first. `truncated`: one value per document.
std::vector<RankedDocument> rank_documents(const float* scores, const std::vector<bool>& truncated,
                                           const std::optional<std::size_t>& top_k);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/scores.ipp>
#endif
