// sentence-transformers' Dense module: a linear layer and an activation over pooled embeddings. Depends on
// io, nn and model/weights.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/io/safetensors.hpp>
#include <bert/io/sentence_config.hpp>
#include <bert/model/weights.hpp>
#include <bert/nn/linear.hpp>

#include <utility>

BERT_NAMESPACE_BEGIN

/// activation(x W^T + b).
class Dense {
public:
    Dense(Linear<float> linear, Activation activation) : linear_(std::move(linear)), activation_(activation) {}

    Index in_features() const noexcept { return linear_.in_features(); }
    Index out_features() const noexcept { return linear_.out_features(); }

    /// n x in_features to n x out_features. Errors: shape.
    Matrix forward(const ConstRows<float>& x, Workspace& workspace) const {
        Matrix y(x.rows(), out_features());
        linear_.forward(x, y, workspace, activation_);
        return y;
    }

private:
    Linear<float> linear_;
    Activation activation_;
};

/// Opens a Dense module's folder. Errors: file, format, shape, unsupported.
inline Dense load_dense(const DenseConfig& config, bool memory_map = true) {
    const Checkpoint checkpoint(config.folder, memory_map);
    Weights weights(checkpoint, "linear.");
    const auto matrix = weights.matrix<float>("weight", config.out_features, config.in_features);
    const auto bias = config.bias ? weights.vector<float>("bias", config.out_features) : Vector<float>();
    return Dense(Linear<float>(matrix, bias), config.activation);
}

BERT_NAMESPACE_END
