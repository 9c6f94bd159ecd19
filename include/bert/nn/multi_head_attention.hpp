// Multi-head self-attention over packed texts. Depends on core, kernels and nn.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/nn/batch.hpp>
#include <bert/nn/linear.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// MultiHead(x) = Concat(head_1, ..., head_h) W_O with head_i = softmax(Q_i K_i^T / sqrt(head_dim)) V_i (Vaswani et al.
/// 2017, section 3.2). Each text attends to itself only.
template <class W>
class MultiHeadAttention {
public:
    using Scalar = typename Linear<W>::Scalar;  ///< of activations: double for double, else float

    /// query_key_value: hidden -> 3 hidden, the outputs of Q, K and V one after another; output: hidden -> hidden
    /// (W_O). Errors: shape.
    MultiHeadAttention(Linear<W> query_key_value, Linear<W> output, Index heads)
        : query_key_value_(std::move(query_key_value)), output_(std::move(output)), heads_(heads) {
        const Index hidden = output_.in_features();
        if (heads < 1 || hidden % heads != 0 || output_.out_features() != hidden ||
            query_key_value_.in_features() != hidden || query_key_value_.out_features() != 3 * hidden) {
            detail::fail(ErrorKind::shape, "MultiHeadAttention of ", heads, " heads: query_key_value is ",
                         query_key_value_.in_features(), " -> ", query_key_value_.out_features(), ", output ", hidden,
                         " -> ", output_.out_features());
        }
    }

    Index heads() const noexcept { return heads_; }                       ///< they divide hidden_size()
    Index hidden_size() const noexcept { return output_.in_features(); }  ///< columns that go in and come out

    /// y = MultiHead(x) for a checked batch. x, y: tokens x hidden, not overlapping. Where `probabilities` is given it
    /// gets one matrix per text and head, [text * heads + head], rows being queries and columns keys. Errors: shape.
    void forward(const ConstRows<Scalar>& x, const Batch& batch, Rows<Scalar> y, Workspace& workspace,
                 std::vector<RowMatrix<Scalar>>* probabilities = nullptr) const {
        const Workspace::Frame frame(workspace);
        Eigen::Map<RowMatrix<Scalar>> context(workspace.take<Scalar>(static_cast<std::size_t>(x.size())), x.rows(),
                                              hidden_size());
        attend(x, batch, context, workspace, probabilities);
        output_.forward(context, y, workspace);
    }

    /// The heads alone, before W_O: context = Concat(head_1, ..., head_h), tokens x hidden. Errors: shape.
    void attend(const ConstRows<Scalar>& x, const Batch& batch, Rows<Scalar> context, Workspace& workspace,
                std::vector<RowMatrix<Scalar>>* probabilities = nullptr) const {
        const Index hidden = hidden_size();
        const Index head_dim = hidden / heads_;
        const auto scale = static_cast<Scalar>(1.0 / std::sqrt(static_cast<double>(head_dim)));
        const Workspace::Frame frame(workspace);
        Eigen::Map<RowMatrix<Scalar>> qkv(workspace.take<Scalar>(static_cast<std::size_t>(3 * x.size())), x.rows(),
                                          3 * hidden);
        query_key_value_.forward(x, qkv, workspace);

        Index longest = 0;
        for (Index text = 0; text < batch.texts(); ++text) longest = std::max(longest, batch.length(text));
        const auto& kernel = attention_kernel<W>(output_.kernels());
        const std::size_t scratch_size = kernel.scratch_size(longest, head_dim);
        Scalar* const scratch = workspace.take<Scalar>(workspace.workers() * scratch_size);
        if (probabilities) {
            probabilities->clear();
            for (Index text = 0; text < batch.texts(); ++text) {
                const Index length = batch.length(text);
                probabilities->resize(probabilities->size() + static_cast<std::size_t>(heads_),
                                      RowMatrix<Scalar>(length, length));
            }
        }
        const auto heads = static_cast<std::size_t>(heads_);
        workspace.run(static_cast<std::size_t>(batch.texts()) * heads, [&](std::size_t task, std::size_t worker) {
            const std::size_t text = task / heads;
            const auto head = static_cast<Index>(task % heads);
            const Index begin = batch.offsets[text];
            const Scalar* const q = qkv.data() + begin * 3 * hidden + head * head_dim;
            const Index length = batch.offsets[text + 1] - begin;
            AttentionArguments<Scalar> a;
            a.q = q;
            a.k = q + hidden;
            a.v = q + 2 * hidden;
            a.q_stride = a.k_stride = a.v_stride = 3 * hidden;
            a.queries = a.keys = length;
            a.head_dim = head_dim;
            a.scale = scale;
            a.mask = batch.attention_mask.empty() ? nullptr : batch.attention_mask.data() + begin;
            a.causal = false;
            a.scratch = scratch + worker * scratch_size;
            a.probabilities = probabilities ? (*probabilities)[task].data() : nullptr;
            a.out = context.data() + begin * context.outerStride() + head * head_dim;
            a.out_stride = context.outerStride();
            kernel.run(a);
        });
    }

    const Linear<W>& output() const noexcept { return output_; }  ///< the layer behind the heads

private:
    Linear<W> query_key_value_;
    Linear<W> output_;
    Index heads_;
};

BERT_NAMESPACE_END
