// Layer normalisation (Ba, Kiros, Hinton 2016, https://arxiv.org/abs/1607.06450). Depends on core and kernels.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/kernels/dispatch.hpp>
#include <bert/nn/linear.hpp>

BERT_NAMESPACE_BEGIN

/// Each row scaled to mean 0 and variance 1, then multiplied by `weight` and shifted by `bias`, element by element.
template <class T>
class LayerNorm {
public:
    /// weight, bias: hidden values each (gamma and beta of the paper); `epsilon` is added to the variance. Errors:
    /// shape.
    LayerNorm(const Eigen::Ref<const Vector<T>>& weight, const Eigen::Ref<const Vector<T>>& bias, double epsilon,
              const KernelTable<T>& kernels = choose_kernels<T>())
        : kernels_(&kernels), weight_(weight), bias_(bias), epsilon_(static_cast<T>(epsilon)) {
        if (weight.size() != bias.size()) {
            detail::fail(ErrorKind::shape, "LayerNorm: weight has ", weight.size(), " values and bias ", bias.size());
        }
    }

    Index hidden_size() const noexcept { return weight_.size(); }  ///< columns of what is normalised

    /// Normalises the rows of x (n x hidden) in place. Errors: shape.
    void forward(Rows<T> x, Workspace& workspace) const {
        if (x.cols() != hidden_size()) {
            detail::fail(ErrorKind::shape, "LayerNorm of ", hidden_size(), " features: given ", x.cols());
        }
        detail::for_row_blocks(x.rows(), RowsPerCall{}, workspace, [&](Index first, Index last, Workspace&) {
            kernels_->layer_norm(x.data() + first * x.outerStride(), x.outerStride(), last - first, x.cols(),
                                 weight_.data(), bias_.data(), epsilon_);
        });
    }

private:
    const KernelTable<T>* kernels_;
    Vector<T> weight_;
    Vector<T> bias_;
    T epsilon_;
};

BERT_NAMESPACE_END
