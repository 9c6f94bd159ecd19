// Comparing embeddings. Depends on core, io/sentence_config and nn.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/sentence_config.hpp>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Fails where a value is NaN or infinite: it would make every comparison with its row meaningless. Errors: input.
void check_finite(const ConstRows<float>& rows, const char* what);

}  // namespace detail

/// How alike the rows of a (n x d) and b (m x d) are: n x m, larger meaning more alike. Euclidean and Manhattan
/// distances are negated, as in sentence-transformers. The cosine with a zero vector is 0. Errors: shape, input (a
/// value that is not finite).
Matrix similarity(const ConstRows<float>& a, const ConstRows<float>& b, Similarity measure = Similarity::cosine);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/similarity.ipp>
#endif
