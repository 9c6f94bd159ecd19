// The stack of encoder layers. Depends on nn.
#pragma once

#include <bert/nn/encoder_layer.hpp>

#include <cstddef>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// The layers of a BERT model, applied one after another.
template <class W>
class Encoder {
public:
    using Scalar = typename Linear<W>::Scalar;  ///< of activations: double for double, else float

    /// Layers of one hidden size, of which there has to be one at least.
    explicit Encoder(std::vector<EncoderLayer<W>> layers) : layers_(std::move(layers)) {}

    /// In the order in which they are applied.
    const std::vector<EncoderLayer<W>>& layers() const noexcept { return layers_; }

    /// Replaces x (tokens x hidden) by the output of the last layer. `hidden_states`, where given, gets a copy of the
    /// encoder's input and of each layer's output; `attentions` one vector per layer as MultiHeadAttention fills it.
    void forward(Rows<Scalar> x, const Batch& batch, Workspace& workspace,
                 std::vector<RowMatrix<Scalar>>* hidden_states = nullptr,
                 std::vector<std::vector<RowMatrix<Scalar>>>* attentions = nullptr) const {
        if (hidden_states) hidden_states->emplace_back(x);
        if (attentions) attentions->resize(layers_.size());
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            layers_[i].forward(x, batch, workspace, attentions ? &(*attentions)[i] : nullptr);
            if (hidden_states) hidden_states->emplace_back(x);
        }
    }

private:
    std::vector<EncoderLayer<W>> layers_;
};

BERT_NAMESPACE_END
