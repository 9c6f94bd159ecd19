// BertGeneration's language-model head: a score per token of the vocabulary. Depends on nn.
#pragma once

#include <bert/nn/linear.hpp>

#include <utility>

BERT_NAMESPACE_BEGIN

/// h E^T + c, where E is the table of word embeddings or a matrix of its own (Rothe et al. 2019,
/// https://arxiv.org/abs/1907.12461; `lm_head` of checkpoints).
template <class W>
class LmHead {
public:
    using Scalar = typename Linear<W>::Scalar;  ///< of activations: double for double, else float

    /// decoder: hidden -> vocab.
    explicit LmHead(Linear<W> decoder) : decoder_(std::move(decoder)) {}

    Index hidden_size() const noexcept { return decoder_.in_features(); }  ///< columns that go in
    Index vocab_size() const noexcept { return decoder_.out_features(); }  ///< columns of the logits

    /// hidden: n x hidden; logits: n x vocab. Errors: shape.
    void forward(const ConstRows<Scalar>& hidden, Rows<Scalar> logits, Workspace& workspace) const {
        decoder_.forward(hidden, logits, workspace);
    }

private:
    Linear<W> decoder_;
};

BERT_NAMESPACE_END
