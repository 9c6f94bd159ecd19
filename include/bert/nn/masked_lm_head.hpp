// The head of masked language modelling: hidden states to a score for every word of the vocabulary. Depends on nn.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/nn/layer_norm.hpp>
#include <bert/nn/linear.hpp>

#include <cstddef>
#include <utility>

BERT_NAMESPACE_BEGIN

/// logits = LayerNorm(activation(x W^T + b)) E^T + c, E being the word embeddings or a matrix of its own (Devlin et al.
/// 2018, section 3.1, task 1; `transformers.models.bert.BertLMPredictionHead`).
template <class W>
class MaskedLmHead {
public:
    using Scalar = typename Linear<W>::Scalar;  ///< of activations: double for double, else float

    /// transform: hidden -> hidden; norm: hidden; decoder: hidden -> vocab (E and c). Errors: shape.
    MaskedLmHead(Linear<W> transform, Activation activation, LayerNorm<Scalar> norm, Linear<W> decoder)
        : transform_(std::move(transform)),
          activation_(activation),
          norm_(std::move(norm)),
          decoder_(std::move(decoder)) {
        const Index hidden = transform_.in_features();
        if (transform_.out_features() != hidden || norm_.hidden_size() != hidden || decoder_.in_features() != hidden) {
            detail::fail(ErrorKind::shape, "MaskedLmHead: a transform ", hidden, " -> ", transform_.out_features(),
                         ", a LayerNorm of ", norm_.hidden_size(), " and a decoder of ", decoder_.in_features(),
                         " features");
        }
    }

    Index hidden_size() const noexcept { return transform_.in_features(); }  ///< columns that go in
    Index vocab_size() const noexcept { return decoder_.out_features(); }    ///< columns of the logits

    /// x: n x hidden; logits: n x vocab. Errors: shape.
    void forward(const ConstRows<Scalar>& x, Rows<Scalar> logits, Workspace& workspace) const {
        const Workspace::Frame frame(workspace);
        Eigen::Map<RowMatrix<Scalar>> y(workspace.take<Scalar>(static_cast<std::size_t>(x.rows() * hidden_size())),
                                        x.rows(), hidden_size());
        transform_.forward(x, y, workspace, activation_);
        norm_.forward(y, workspace);
        decoder_.forward(y, logits, workspace);
    }

private:
    Linear<W> transform_;
    Activation activation_;
    LayerNorm<Scalar> norm_;
    Linear<W> decoder_;
};

BERT_NAMESPACE_END
