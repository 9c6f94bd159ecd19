// sentence-transformers' Dense module: a linear layer and an activation over pooled embeddings. Depends on
// io, nn and model.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/error.hpp>
#include <bert/io/checkpoint.hpp>
#include <bert/io/sentence_config.hpp>
#include <bert/model/bert_model.hpp>
#include <bert/model/weights.hpp>
#include <bert/nn/linear.hpp>

#include <optional>
#include <utility>

BERT_NAMESPACE_BEGIN

/// activation(x W^T + b), plus, where the module has a residual connection, x or x R^T.
class Dense {
public:
    /// `residual_weight` is R, for layers whose input and output differ in size. Errors: shape.
    Dense(Linear<float> linear, Activation activation, bool residual = false,
          std::optional<Linear<float>> residual_weight = std::nullopt)
        : linear_(std::move(linear)),
          activation_(activation),
          residual_(residual),
          residual_weight_(std::move(residual_weight)) {
        if (residual && !residual_weight_ && in_features() != out_features()) {
            detail::fail(ErrorKind::shape, "Dense ", in_features(), " -> ", out_features(),
                         ": a residual connection between different sizes needs a weight");
        }
    }

    Index in_features() const noexcept { return linear_.in_features(); }
    Index out_features() const noexcept { return linear_.out_features(); }

    /// n x in_features to n x out_features. Errors: shape, format (numbers that grow too large).
    Matrix forward(const ConstRows<float>& x, Workspace& workspace) const {
        Matrix y(x.rows(), out_features());
        linear_.forward(x, y, workspace, activation_);
        if (residual_weight_) {
            Matrix residual(x.rows(), out_features());
            residual_weight_->forward(x, residual, workspace);
            y += residual;
        } else if (residual_) {
            y += x;
        }
        detail::check_outputs<float>(y);
        return y;
    }

private:
    Linear<float> linear_;
    Activation activation_;
    bool residual_;
    std::optional<Linear<float>> residual_weight_;
};

/// Opens a Dense module's folder. Errors: file, format, shape, unsupported.
inline Dense load_dense(const DenseConfig& config, const LoadOptions& options = {}) {
    const Checkpoint checkpoint(config.folder, options.memory_map);
    Weights weights(checkpoint, "");
    const auto& kernels = choose_kernels<float>(options.kernels);
    const auto matrix = weights.matrix<float>("linear.weight", config.out_features, config.in_features);
    const auto bias = config.bias ? weights.vector<float>("linear.bias", config.out_features) : Vector<float>();
    std::optional<Linear<float>> residual;
    if (config.residual && config.in_features != config.out_features) {
        residual.emplace(weights.matrix<float>("residual.weight", config.out_features, config.in_features),
                         Vector<float>(), kernels);
    }
    return Dense(Linear<float>(matrix, bias, kernels), config.activation, config.residual, std::move(residual));
}

BERT_NAMESPACE_END
