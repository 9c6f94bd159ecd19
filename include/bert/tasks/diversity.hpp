// Choosing items that are relevant and unlike each other. Depends on core and tasks/score_blocks.
#pragma once

#include <bert/core/matrix.hpp>

#include <cstddef>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Maximal marginal relevance (Carbonell and Goldstein 1998, https://doi.org/10.1145/290941.291025): the most relevant
/// item first, then again and again the one that maximises
/// (1 - diversity) * relevance - diversity * (largest cosine with those chosen). Returns min(count, n) rows in the
/// order of choice; equal ones: the first. relevance: n values on the scale of cosines; embeddings: n x d. Errors:
/// shape, input (diversity outside [0, 1], a value that is not finite).
std::vector<Index> maximal_marginal_relevance(const Vector<double>& relevance, const ConstRows<float>& embeddings,
                                              std::size_t count, double diversity);

/// Of the `candidates` most relevant items the `count` whose pairwise cosines have the least sum (KeyBERT's max-sum
/// distance), found by trying all combinations; by ascending relevance. Of equal items the later ones are the more
/// relevant, of equal sums the first combination wins. Errors: shape; input (candidates < count, more than 10 million
/// combinations, a value that is not finite).
std::vector<Index> max_sum_distance(const Vector<double>& relevance, const ConstRows<float>& embeddings,
                                    std::size_t count, std::size_t candidates);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/diversity.ipp>
#endif
