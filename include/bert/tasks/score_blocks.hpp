// All similarities of two sets of embeddings, a block at a time, and a bounded list of the best of them. Depends on
// core, nn and tasks/similarity.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/matrix.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/error.hpp>
#include <bert/nn/linear.hpp>
#include <bert/nn/pooling.hpp>
#include <bert/tasks/similarity.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Fails where two sets of embeddings differ in dimension. Errors: shape.
inline void check_same_dimension(Index a, Index b, const char* what) {
    if (a != b) fail(ErrorKind::shape, what, ": embeddings of ", a, " and of ", b, " dimensions");
}

/// Calls use(row, column, scores) with the similarities of the rows [row, row + scores.rows()) of x and the rows
/// [column, column + scores.cols()) of y, for blocks that cover all pairs. A row of x meets its blocks in ascending
/// order of columns. Memory: a block of scores and of y, and a copy of x where rows have to be normalised.
template <class Use>
void for_score_blocks(const ConstRows<float>& x, const ConstRows<float>& y, Similarity measure, Workspace& workspace,
                      const Use& use) {
    constexpr Index x_block = 256;
    constexpr Index y_block = 4096;
    const bool cosine = measure == Similarity::cosine;
    Matrix unit_x;
    if (cosine) {
        unit_x = x;
        normalize_rows(unit_x);
    }
    const ConstRows<float> left = cosine ? ConstRows<float>(unit_x) : x;
    Matrix scores;
    for (Index column = 0; column < y.rows(); column += y_block) {
        Matrix right = y.middleRows(column, std::min(y_block, y.rows() - column));
        if (cosine) normalize_rows(right);
        std::optional<Linear<float>> packed;
        if (cosine || measure == Similarity::dot) packed.emplace(right, Vector<float>());
        for (Index row = 0; row < x.rows(); row += x_block) {
            const auto rows = left.middleRows(row, std::min(x_block, x.rows() - row));
            if (packed) {
                resize(scores, rows.rows(), right.rows());
                packed->forward(rows, scores, workspace);
            } else {
                scores = similarity(rows, right, measure);
            }
            use(row, column, scores);
        }
    }
}

/// A row of one matrix that was found for a row of another.
struct Candidate {
    double score;
    Index row;
};

/// Whether `a` stands before `b`: by descending score, then by ascending row.
inline bool ranks_before(const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.row < b.row;
}

/// The best `limit` candidates seen so far: a heap whose root is the worst of them.
class BestCandidates {
public:
    explicit BestCandidates(std::size_t limit) : limit_(limit) {}

    void add(double score, Index row) {
        const Candidate candidate{score, row};
        if (heap_.size() < limit_) {
            heap_.push_back(candidate);
            std::push_heap(heap_.begin(), heap_.end(), ranks_before);
        } else if (limit_ > 0 && ranks_before(candidate, heap_.front())) {
            std::pop_heap(heap_.begin(), heap_.end(), ranks_before);
            heap_.back() = candidate;
            std::push_heap(heap_.begin(), heap_.end(), ranks_before);
        }
    }

    /// Best first. Empties the list.
    std::vector<Candidate> take() {
        std::sort_heap(heap_.begin(), heap_.end(), ranks_before);
        return std::move(heap_);
    }

private:
    std::size_t limit_;
    std::vector<Candidate> heap_;
};

/// The `limit` rows of y most alike to each row of x.
inline std::vector<std::vector<Candidate>> best_rows(const ConstRows<float>& x, const ConstRows<float>& y,
                                                     std::size_t limit, Similarity measure, Workspace& workspace) {
    std::vector<BestCandidates> best(static_cast<std::size_t>(x.rows()), BestCandidates(limit));
    for_score_blocks(x, y, measure, workspace, [&](Index row, Index column, const Matrix& scores) {
        workspace.run(static_cast<std::size_t>(scores.rows()), [&](std::size_t task, std::size_t) {
            BestCandidates& list = best[static_cast<std::size_t>(row) + task];
            const float* const values = scores.data() + static_cast<Index>(task) * scores.cols();
            for (Index i = 0; i < scores.cols(); ++i) list.add(static_cast<double>(values[i]), column + i);
        });
    });
    std::vector<std::vector<Candidate>> result;
    result.reserve(best.size());
    for (BestCandidates& list : best) result.push_back(list.take());
    return result;
}

}  // namespace detail

BERT_NAMESPACE_END
