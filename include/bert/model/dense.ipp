// Definitions of model/dense.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/checkpoint.hpp>
#include <bert/model/dense.hpp>
#include <bert/model/weights.hpp>

#include <utility>

BERT_NAMESPACE_BEGIN

BERT_INLINE Dense::Dense(Linear<float> linear, Activation activation, bool residual,
                         std::optional<Linear<float>> residual_weight)
    : linear_(std::move(linear)),
      activation_(activation),
      residual_(residual),
      residual_weight_(std::move(residual_weight)) {
    if (residual && !residual_weight_ && in_features() != out_features()) {
        detail::fail(ErrorKind::shape, "Dense ", in_features(), " -> ", out_features(),
                     ": a residual connection between different sizes needs a weight");
    }
}

BERT_INLINE Matrix Dense::forward(const ConstRows<float>& x, Workspace& workspace) const {
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

BERT_INLINE Dense load_dense(const DenseConfig& config, const LoadOptions& options) {
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
