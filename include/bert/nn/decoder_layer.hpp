// One layer of the decoder. Depends on nn.
#pragma once

#include <bert/nn/decoder_attention.hpp>
#include <bert/nn/feed_forward.hpp>
#include <bert/nn/layer_norm.hpp>

#include <cstddef>
#include <optional>
#include <utility>

BERT_NAMESPACE_BEGIN

/// The cross attention of a decoder layer with the normalisation after it.
template <class W>
struct CrossAttentionBlock {
    CrossAttention<W> attention;                 ///< to the encoder's hidden states
    LayerNorm<typename Linear<W>::Scalar> norm;  ///< behind the sum with what went in
};

/// h = LayerNorm(x + CausalAttention(x)), c = LayerNorm(h + CrossAttention(h)) where there is one, y = LayerNorm(c +
/// FFN(c)): the right half of figure 1 of Vaswani et al. 2017, normalised after each residual connection.
template <class W>
class DecoderLayer {
public:
    using Scalar = typename Linear<W>::Scalar;  ///< of activations: double for double, else float

    /// Errors: shape.
    DecoderLayer(CausalAttention<W> attention, LayerNorm<Scalar> attention_norm,
                 std::optional<CrossAttentionBlock<W>> cross, FeedForward<W> feed_forward,
                 LayerNorm<Scalar> output_norm)
        : attention_(std::move(attention)),
          attention_norm_(std::move(attention_norm)),
          cross_(std::move(cross)),
          feed_forward_(std::move(feed_forward)),
          output_norm_(std::move(output_norm)) {
        for (const Index size : {attention_norm_.hidden_size(), feed_forward_.hidden_size(), output_norm_.hidden_size(),
                                 cross_ ? cross_->attention.hidden_size() : hidden_size(),
                                 cross_ ? cross_->norm.hidden_size() : hidden_size()}) {
            if (size != hidden_size()) {
                detail::fail(ErrorKind::shape, "DecoderLayer: attention of hidden size ", hidden_size(),
                             " beside a part of ", size);
            }
        }
    }

    Index hidden_size() const noexcept { return attention_.hidden_size(); }   ///< columns that go in and come out
    bool has_cross_attention() const noexcept { return cross_.has_value(); }  ///< whether it attends to an encoder

    /// See CrossAttention::read_source(); only for layers that have one.
    void read_source(const ConstRows<Scalar>& states, Index layer, KeyValueCache<Scalar>& cache,
                     Workspace& workspace) const {
        cross_->attention.read_source(states, layer, cache, workspace);
    }

    /// Replaces x (new tokens x hidden) by the output of this layer, the `layer`-th of its model.
    void forward(Rows<Scalar> x, const DecoderBatch<Scalar>& batch, Index layer, Workspace& workspace) const {
        const Workspace::Frame frame(workspace);
        Eigen::Map<RowMatrix<Scalar>> h(workspace.take<Scalar>(static_cast<std::size_t>(x.size())), x.rows(), x.cols());
        attention_.forward(x, batch, layer, h, workspace);
        attention_norm_.forward(h, workspace);
        if (!cross_) {
            feed_forward_.forward(h, x, workspace, Residual::input);
            output_norm_.forward(x, workspace);
            return;
        }
        cross_->attention.forward(h, batch, layer, x, workspace);
        cross_->norm.forward(x, workspace);
        feed_forward_.forward(x, h, workspace, Residual::input);
        output_norm_.forward(h, workspace);
        x = h;
    }

private:
    CausalAttention<W> attention_;
    LayerNorm<Scalar> attention_norm_;
    std::optional<CrossAttentionBlock<W>> cross_;
    FeedForward<W> feed_forward_;
    LayerNorm<Scalar> output_norm_;
};

BERT_NAMESPACE_END
