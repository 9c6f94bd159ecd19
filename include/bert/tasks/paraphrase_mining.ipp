// Definitions of tasks/paraphrase_mining.hpp.
#pragma once

#include <bert/tasks/paraphrase_mining.hpp>
#include <bert/tasks/score_blocks.hpp>
#include <bert/tasks/similarity.hpp>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The best pairs so far, each kept once, as sentence-transformers keeps them.
class BestPairs {
public:
    explicit BestPairs(std::size_t limit) : limit_(limit) {}

    void add(double score, Index i, Index j) {
        if (score <= lowest_) return;
        const std::pair<Index, Index> pair = std::minmax(i, j);
        if (!known_.insert(pair).second) return;
        pairs_.emplace(score, pair);
        if (pairs_.size() <= limit_) return;
        // Of equal scores the lower pair goes, and from now on equal scores come too late.
        const auto worst = pairs_.begin();
        lowest_ = worst->first;
        known_.erase(worst->second);
        pairs_.erase(worst);
    }

    std::vector<ParaphrasePair> sorted() const {
        std::vector<ParaphrasePair> result;
        result.reserve(pairs_.size());
        for (const auto& [score, pair] : pairs_) {
            result.push_back({static_cast<float>(score), pair.first, pair.second});
        }
        // In ascending order of pairs already, which stays among equal scores.
        std::stable_sort(result.begin(), result.end(),
                         [](const ParaphrasePair& a, const ParaphrasePair& b) { return a.score > b.score; });
        return result;
    }

private:
    std::size_t limit_;
    std::set<std::pair<double, std::pair<Index, Index>>> pairs_;
    std::set<std::pair<Index, Index>> known_;
    double lowest_ = -std::numeric_limits<double>::infinity();
};

}  // namespace detail

BERT_INLINE std::vector<ParaphrasePair> paraphrase_mining(const ConstRows<float>& embeddings,
                                                          const ParaphraseMiningOptions& options, ThreadPool* threads) {
    constexpr Index query_block = 4096;
    detail::check_finite(embeddings, "paraphrase_mining");
    Workspace workspace(threads);
    detail::BestPairs pairs(options.max_pairs);
    // A row finds itself too.
    const std::size_t neighbours = options.top_k + (options.top_k < std::numeric_limits<std::size_t>::max() ? 1 : 0);
    for (Index first = 0; first < embeddings.rows(); first += query_block) {
        const Index count = std::min(query_block, embeddings.rows() - first);
        const auto lists =
            detail::best_rows(embeddings.middleRows(first, count), embeddings, neighbours, options.measure, workspace);
        for (std::size_t i = 0; i < lists.size(); ++i) {
            const Index row = first + static_cast<Index>(i);
            std::size_t taken = 0;
            for (const detail::Candidate& other : lists[i]) {
                if (other.row == row) continue;
                if (taken++ == options.top_k) break;
                pairs.add(other.score, row, other.row);
            }
        }
    }
    return pairs.sorted();
}

BERT_INLINE std::vector<ParaphrasePair> paraphrase_mining(const SentenceEncoder& encoder,
                                                          const std::vector<std::string>& texts,
                                                          const ParaphraseMiningOptions& options,
                                                          const EmbedOptions& embed) {
    return paraphrase_mining(encoder.encode(texts, embed), options);
}

BERT_NAMESPACE_END
