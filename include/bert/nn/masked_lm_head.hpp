// BERT's language-model head: a dense layer, activation and normalisation, then a score per token of the vocabulary.
// Depends on nn.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/nn/layer_norm.hpp>
#include <bert/nn/linear.hpp>

#include <cstddef>
#include <utility>

BERT_NAMESPACE_BEGIN

/// LayerNorm(activation(h W + b)) E^T + c, where E is the table of word embeddings or a matrix of its own (Devlin et
/// al. 2018, section 3.1; `cls.predictions` of checkpoints).
template <class W>
class MaskedLmHead {
public:
    using Scalar = typename Linear<W>::Scalar;

    /// transform: hidden -> hidden; decoder: hidden -> vocab. Errors: shape.
    MaskedLmHead(Linear<W> transform, Activation activation, LayerNorm<Scalar> norm, Linear<W> decoder)
        : transform_(std::move(transform)),
          activation_(activation),
          norm_(std::move(norm)),
          decoder_(std::move(decoder)) {
        if (transform_.in_features() != transform_.out_features() || norm_.hidden_size() != transform_.in_features() ||
            decoder_.in_features() != transform_.in_features()) {
            detail::fail(ErrorKind::shape, "MaskedLmHead: a transform of ", transform_.in_features(), " -> ",
                         transform_.out_features(), ", a LayerNorm of ", norm_.hidden_size(), " and a decoder of ",
                         decoder_.in_features(), " -> ", decoder_.out_features());
        }
    }

    Index hidden_size() const noexcept { return transform_.in_features(); }
    Index vocab_size() const noexcept { return decoder_.out_features(); }

    /// hidden: n x hidden; logits: n x vocab. Errors: shape.
    void forward(const ConstRows<Scalar>& hidden, Rows<Scalar> logits, Workspace& workspace) const {
        const Workspace::Frame frame(workspace);
        Eigen::Map<RowMatrix<Scalar>> h(workspace.take<Scalar>(static_cast<std::size_t>(hidden.size())), hidden.rows(),
                                        hidden.cols());
        transform_.forward(hidden, h, workspace, activation_);
        norm_.forward(h, workspace);
        decoder_.forward(h, logits, workspace);
    }

private:
    Linear<W> transform_;
    Activation activation_;
    LayerNorm<Scalar> norm_;
    Linear<W> decoder_;
};

BERT_NAMESPACE_END
