// BERT's own pooler: the first token through a dense layer and tanh. Depends on nn.
#pragma once

#include <bert/nn/batch.hpp>
#include <bert/nn/linear.hpp>

#include <cstddef>
#include <utility>

BERT_NAMESPACE_BEGIN

/// tanh(W h_[CLS] + b), made for next-sentence prediction (Devlin et al. 2018, section 3.1).
template <class W>
class Pooler {
public:
    using Scalar = typename Linear<W>::Scalar;  ///< of activations: double for double, else float

    /// Takes the dense layer, of hidden x hidden; tanh is applied behind it.
    explicit Pooler(Linear<W> dense) : dense_(std::move(dense)) {}

    /// The pooled vector of each text: texts x hidden. hidden: tokens x hidden of the last layer.
    RowMatrix<Scalar> forward(const ConstRows<Scalar>& hidden, const Batch& batch, Workspace& workspace) const {
        RowMatrix<Scalar> first(batch.texts(), hidden.cols());
        for (Index text = 0; text < batch.texts(); ++text) {
            first.row(text) = hidden.row(batch.offsets[static_cast<std::size_t>(text)]);
        }
        RowMatrix<Scalar> pooled(batch.texts(), dense_.out_features());
        dense_.forward(first, pooled, workspace, Activation::tanh);
        return pooled;
    }

private:
    Linear<W> dense_;
};

BERT_NAMESPACE_END
