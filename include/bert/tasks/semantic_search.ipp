// Definitions of tasks/semantic_search.hpp.
#pragma once

#include <bert/tasks/semantic_search.hpp>
#include <bert/tasks/similarity.hpp>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE std::vector<SearchHit> to_hits(const std::vector<Candidate>& candidates) {
    std::vector<SearchHit> hits;
    hits.reserve(candidates.size());
    for (const Candidate& c : candidates) hits.push_back({c.row, static_cast<float>(c.score)});
    return hits;
}

}  // namespace detail

BERT_INLINE std::vector<std::vector<SearchHit>> semantic_search(const ConstRows<float>& queries,
                                                                const ConstRows<float>& corpus,
                                                                const SemanticSearchOptions& options,
                                                                ThreadPool* threads) {
    detail::check_same_dimension(queries.cols(), corpus.cols(), "semantic_search");
    detail::check_finite(queries, "semantic_search: queries");
    detail::check_finite(corpus, "semantic_search: corpus");
    Workspace workspace(threads);
    std::vector<std::vector<SearchHit>> result;
    for (const auto& list : detail::best_rows(queries, corpus, options.top_k, options.measure, workspace)) {
        result.push_back(detail::to_hits(list));
    }
    return result;
}

BERT_NAMESPACE_END
