// The position-wise feed-forward network of an encoder layer. Depends on core and nn/linear.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/nn/linear.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

BERT_NAMESPACE_BEGIN

/// FFN(x) = activation(x W1 + b1) W2 + b2 (Vaswani et al. 2017, section 3.3), row by row.
template <class W>
class FeedForward {
public:
    using Scalar = typename Linear<W>::Scalar;  ///< of activations: double for double, else float

    /// intermediate: hidden -> inner; output: inner -> hidden. Errors: shape.
    FeedForward(Linear<W> intermediate, Linear<W> output, Activation activation)
        : intermediate_(std::move(intermediate)), output_(std::move(output)), activation_(activation) {
        if (intermediate_.out_features() != output_.in_features() ||
            intermediate_.in_features() != output_.out_features()) {
            detail::fail(ErrorKind::shape, "FeedForward: ", intermediate_.in_features(), " -> ",
                         intermediate_.out_features(), " does not fit ", output_.in_features(), " -> ",
                         output_.out_features());
        }
    }

    Index hidden_size() const noexcept { return intermediate_.in_features(); }  ///< columns that go in and come out

    const RowsPerCall& rows_per_call() const noexcept { return output_.rows_per_call(); }  ///< see RowsPerCall

    /// y = FFN(x), plus x where `residual` asks for it. x, y: n x hidden, not overlapping. Errors: shape.
    void forward(const ConstRows<Scalar>& x, Rows<Scalar> y, Workspace& workspace,
                 Residual residual = Residual::none) const {
        // The inner rows are several times as wide as the outer ones: computed in blocks, they stay in the cache.
        const Index block = rows_per_call().most * static_cast<Index>(workspace.workers());
        const Workspace::Frame frame(workspace);
        const Index height = std::min(x.rows(), block);
        Eigen::Map<RowMatrix<Scalar>> inner(
            workspace.take<Scalar>(static_cast<std::size_t>(height * intermediate_.out_features())), height,
            intermediate_.out_features());
        for (Index first = 0; first < x.rows(); first += block) {
            const Index count = std::min(block, x.rows() - first);
            const auto from = x.middleRows(first, count);
            intermediate_.forward(from, inner.topRows(count), workspace, activation_);
            if (residual == Residual::input) {
                output_.forward_add(inner.topRows(count), from, y.middleRows(first, count), workspace);
            } else {
                output_.forward(inner.topRows(count), y.middleRows(first, count), workspace);
            }
        }
    }

private:
    Linear<W> intermediate_;
    Linear<W> output_;
    Activation activation_;
};

BERT_NAMESPACE_END
