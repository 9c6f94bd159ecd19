// One layer of the encoder. Depends on nn.
#pragma once

#include <bert/nn/feed_forward.hpp>
#include <bert/nn/layer_norm.hpp>
#include <bert/nn/multi_head_attention.hpp>

#include <cstddef>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// h = LayerNorm(x + MultiHead(x)), y = LayerNorm(h + FFN(h)): the left half of figure 1 of Vaswani et al. 2017, with
/// the normalisation after the residual connection as BERT has it.
template <class W>
class EncoderLayer {
public:
    using Scalar = typename Linear<W>::Scalar;  ///< of activations: double for double, else float

    /// Errors: shape.
    EncoderLayer(MultiHeadAttention<W> attention, LayerNorm<Scalar> attention_norm, FeedForward<W> feed_forward,
                 LayerNorm<Scalar> output_norm)
        : attention_(std::move(attention)),
          attention_norm_(std::move(attention_norm)),
          feed_forward_(std::move(feed_forward)),
          output_norm_(std::move(output_norm)) {
        for (const Index size :
             {attention_norm_.hidden_size(), feed_forward_.hidden_size(), output_norm_.hidden_size()}) {
            if (size != attention_.hidden_size()) {
                detail::fail(ErrorKind::shape, "EncoderLayer: attention of hidden size ", attention_.hidden_size(),
                             " beside a part of ", size);
            }
        }
    }

    const MultiHeadAttention<W>& attention() const noexcept { return attention_; }  ///< the first of its two blocks

    /// Replaces x (tokens x hidden) by the layer's output. `probabilities`: see MultiHeadAttention. Errors: shape.
    void forward(Rows<Scalar> x, const Batch& batch, Workspace& workspace,
                 std::vector<RowMatrix<Scalar>>* probabilities = nullptr) const {
        const Workspace::Frame frame(workspace);
        Eigen::Map<RowMatrix<Scalar>> context(workspace.take<Scalar>(static_cast<std::size_t>(x.size())), x.rows(),
                                              x.cols());
        attention_.attend(x, batch, context, workspace, probabilities);
        // What follows the heads treats each row by itself. Enough rows are shared out in blocks that each go all the
        // way on one thread; few rows go together, so that the threads share the weights instead.
        const RowsPerCall& size = feed_forward_.rows_per_call();
        if (x.rows() > size.enough * static_cast<Index>(workspace.workers() - 1)) {
            detail::for_row_blocks(x.rows(), size, workspace, [&](Index first, Index last, Workspace& own) {
                after_heads(context.middleRows(first, last - first), x.middleRows(first, last - first), own);
            });
        } else {
            after_heads(context, x, workspace);
        }
    }

private:
    void after_heads(const ConstRows<Scalar>& context, Rows<Scalar> x, Workspace& workspace) const {
        const Workspace::Frame frame(workspace);
        Eigen::Map<RowMatrix<Scalar>> h(workspace.take<Scalar>(static_cast<std::size_t>(x.size())), x.rows(), x.cols());
        attention_.output().forward_add(context, x, h, workspace);
        attention_norm_.forward(h, workspace);
        feed_forward_.forward(h, x, workspace, Residual::input);
        output_norm_.forward(x, workspace);
    }

    MultiHeadAttention<W> attention_;
    LayerNorm<Scalar> attention_norm_;
    FeedForward<W> feed_forward_;
    LayerNorm<Scalar> output_norm_;
};

BERT_NAMESPACE_END
