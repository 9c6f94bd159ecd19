// The rows of a corpus of embeddings that are closest to each query. Depends on tasks/score_blocks.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/tasks/score_blocks.hpp>

#include <cstddef>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Options of semantic_search().
struct SemanticSearchOptions {
    std::size_t top_k = 10;                   ///< most hits per query
    Similarity measure = Similarity::cosine;  ///< distances are negated, see similarity()
};

/// A row of the corpus that a query found.
struct SearchHit {
    Index corpus_id = 0;  ///< row of the corpus
    float score = 0;      ///< larger means more alike
};

namespace detail {

std::vector<SearchHit> to_hits(const std::vector<Candidate>& candidates);

}  // namespace detail

/// The best rows of `corpus` (m x d) for each row of `queries` (n x d), best first, as
/// sentence_transformers.util.semantic_search finds them: min(top_k, m) hits a query, none where the corpus has no
/// rows. Among equal scores the lower corpus_id stands first (and stays, where top_k cuts), which sentence-transformers
/// leaves open. Memory beyond the arguments does not grow with the corpus. `threads` are used where given; the result
/// is the same. Errors: shape (dimensions differ), input (a value that is not finite).
std::vector<std::vector<SearchHit>> semantic_search(const ConstRows<float>& queries, const ConstRows<float>& corpus,
                                                    const SemanticSearchOptions& options = {},
                                                    ThreadPool* threads = nullptr);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/semantic_search.ipp>
#endif
