// Definitions of tasks/community_detection.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/community_detection.hpp>
#include <bert/tasks/score_blocks.hpp>

#include <algorithm>
#include <cmath>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Claims members for one centre after another.
class CommunityBuilder {
public:
    CommunityBuilder(Index rows, std::size_t min_size)
        : used_(static_cast<std::size_t>(rows), 0), min_size_(min_size) {}

    bool used(Index row) const { return used_[static_cast<std::size_t>(row)] != 0; }

    /// `members`: those close to `centre`, in any order.
    void add(Index centre, std::vector<Candidate> members) {
        if (used(centre)) return;
        std::sort(members.begin(), members.end(), ranks_before);
        std::vector<Index> community{centre};
        std::size_t free = 0;
        for (const Candidate& member : members) {
            if (used(member.row)) continue;
            ++free;
            if (member.row != centre) community.push_back(member.row);
        }
        if (free < min_size_) return;
        for (const Index row : community) used_[static_cast<std::size_t>(row)] = 1;
        communities_.push_back(std::move(community));
    }

    /// Largest first.
    std::vector<std::vector<Index>> take() {
        std::stable_sort(communities_.begin(), communities_.end(),
                         [](const auto& a, const auto& b) { return a.size() > b.size(); });
        return std::move(communities_);
    }

private:
    std::vector<unsigned char> used_;
    std::size_t min_size_;
    std::vector<std::vector<Index>> communities_;
};

}  // namespace detail

BERT_INLINE std::vector<std::vector<Index>> community_detection(const ConstRows<float>& embeddings,
                                                                const CommunityOptions& options, ThreadPool* threads) {
    if (options.min_community_size < 1) {
        detail::fail(ErrorKind::input, "community_detection: min_community_size should be at least 1, given 0");
    }
    if (std::isnan(options.threshold)) detail::fail(ErrorKind::input, "community_detection: the threshold is NaN");
    detail::check_finite(embeddings, "community_detection");
    Workspace workspace(threads);
    const auto n = static_cast<std::size_t>(embeddings.rows());

    std::vector<std::size_t> close(n, 0);
    detail::for_score_blocks(embeddings, embeddings, Similarity::cosine, workspace,
                             [&](Index row, Index, const Matrix& scores) {
                                 for (Index i = 0; i < scores.rows(); ++i) {
                                     close[static_cast<std::size_t>(row + i)] +=
                                         static_cast<std::size_t>((scores.row(i).array() >= options.threshold).count());
                                 }
                             });
    std::vector<Index> centres;
    for (std::size_t i = 0; i < n; ++i) {
        if (close[i] >= options.min_community_size) centres.push_back(static_cast<Index>(i));
    }
    std::stable_sort(centres.begin(), centres.end(), [&](Index a, Index b) {
        return close[static_cast<std::size_t>(a)] > close[static_cast<std::size_t>(b)];
    });

    // Centres that are still free, as many at a time as make a product worth its while.
    constexpr std::size_t step = 256;
    detail::CommunityBuilder builder(embeddings.rows(), options.min_community_size);
    for (std::size_t next = 0; next < centres.size();) {
        std::vector<Index> chosen;
        for (; next < centres.size() && chosen.size() < step; ++next) {
            if (!builder.used(centres[next])) chosen.push_back(centres[next]);
        }
        Matrix rows(static_cast<Index>(chosen.size()), embeddings.cols());
        for (std::size_t i = 0; i < chosen.size(); ++i) rows.row(static_cast<Index>(i)) = embeddings.row(chosen[i]);
        std::vector<std::vector<detail::Candidate>> members(chosen.size());
        detail::for_score_blocks(rows, embeddings, Similarity::cosine, workspace,
                                 [&](Index row, Index column, const Matrix& scores) {
                                     for (Index i = 0; i < scores.rows(); ++i) {
                                         for (Index j = 0; j < scores.cols(); ++j) {
                                             if (scores(i, j) < options.threshold || builder.used(column + j)) continue;
                                             members[static_cast<std::size_t>(row + i)].push_back(
                                                 {static_cast<double>(scores(i, j)), column + j});
                                         }
                                     }
                                 });
        for (std::size_t i = 0; i < chosen.size(); ++i) builder.add(chosen[i], std::move(members[i]));
    }
    return builder.take();
}

BERT_NAMESPACE_END
