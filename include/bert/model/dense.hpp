// sentence-transformers' Dense module: a linear layer and an activation over pooled embeddings. Depends on
// io, nn and model.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/io/sentence_config.hpp>
#include <bert/model/bert_model.hpp>
#include <bert/nn/linear.hpp>

#include <optional>

BERT_NAMESPACE_BEGIN

/// activation(x W^T + b), plus, where the module has a residual connection, x or x R^T.
class Dense {
public:
    /// `residual_weight` is R, for layers whose input and output differ in size. Errors: shape.
    Dense(Linear<float> linear, Activation activation, bool residual = false,
          std::optional<Linear<float>> residual_weight = std::nullopt);

    Index in_features() const noexcept { return linear_.in_features(); }    ///< columns that go in
    Index out_features() const noexcept { return linear_.out_features(); }  ///< columns that come out

    /// n x in_features to n x out_features. Errors: shape, format (numbers that grow too large).
    Matrix forward(const ConstRows<float>& x, Workspace& workspace) const;

private:
    Linear<float> linear_;
    Activation activation_;
    bool residual_;
    std::optional<Linear<float>> residual_weight_;
};

/// Opens a Dense module's folder. Errors: file, format, shape, unsupported.
Dense load_dense(const DenseConfig& config, const LoadOptions& options = {});

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/model/dense.ipp>
#endif
