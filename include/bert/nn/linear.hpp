// A dense layer with its weights packed at construction. Depends on core and kernels.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/core/buffer.hpp>
#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/kernels/dispatch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Rows that one task of a parallel loop computes: a multiple of every kernel's tile, and few enough that the rows of a
/// feed-forward layer stay in the cache while the weights stream by.
inline constexpr Index row_block = 48;

inline std::size_t row_blocks(Index rows) {
    return static_cast<std::size_t>((rows + row_block - 1) / row_block);
}

/// Calls function(first, last, workspace of the worker) for blocks of rows of [0, rows), spread over the threads.
template <class Function>
void for_row_blocks(Index rows, Workspace& workspace, const Function& function) {
    workspace.prepare_workers();
    workspace.run(row_blocks(rows), [&](std::size_t task, std::size_t worker) {
        const Index first = static_cast<Index>(task) * row_block;
        function(first, std::min(first + row_block, rows), workspace.worker(worker));
    });
}

}  // namespace detail

/// What is added to a layer's output: nothing, or the layer's own input (a residual connection).
enum class Residual { none, input };

/// y = x W^T + b, PyTorch's nn.Linear. `W` is the type the weights are kept in: float, double, bfloat16 (half the
/// memory of float; sums in float) or std::int8_t (a quarter; each output with a scale of its own, and inputs quantised
/// on the way, see LinearKernel). Activations are `Linear<W>::Scalar`.
template <class W>
class Linear {
public:
    using Scalar = std::conditional_t<std::is_same_v<W, double>, double, float>;

    /// weight: out_features x in_features, as checkpoints store it; bias: out_features values, or empty for none.
    /// Errors: shape.
    Linear(const ConstRows<Scalar>& weight, const Eigen::Ref<const Vector<Scalar>>& bias,
           const KernelTable<Scalar>& kernels = choose_kernels<Scalar>())
        : kernels_(&kernels),
          in_features_(weight.cols()),
          out_features_(weight.rows()),
          packed_(kernel().packed_size(weight.rows(), weight.cols())),
          bias_(static_cast<std::size_t>(padded_size(kernel(), weight.rows()))) {
        if (bias.size() != 0 && bias.size() != weight.rows()) {
            detail::fail(ErrorKind::shape, "Linear: a weight of ", weight.rows(), " x ", weight.cols(),
                         " needs a bias of ", weight.rows(), " values, given ", bias.size());
        }
        if (weight.outerStride() == weight.cols()) {
            kernel().pack(weight.data(), out_features_, in_features_, packed_.data());
        } else {
            const RowMatrix<Scalar> dense = weight;
            kernel().pack(dense.data(), out_features_, in_features_, packed_.data());
        }
        std::fill_n(bias_.data(), bias_.size(), Scalar(0));
        std::copy_n(bias.data(), bias.size(), bias_.data());
    }

    Index in_features() const noexcept { return in_features_; }
    Index out_features() const noexcept { return out_features_; }
    const KernelTable<Scalar>& kernels() const noexcept { return *kernels_; }

    /// y = activation(x W^T + b). x: n x in_features; y: n x out_features, not overlapping x. Errors: shape.
    void forward(const ConstRows<Scalar>& x, Rows<Scalar> y, Workspace& workspace,
                 Activation activation = Activation::identity) const {
        check(x, y);
        compute(x, activation, nullptr, 0, y, workspace);
    }

    /// y = x W^T + b + residual, which has y's shape. Errors: shape.
    void forward_add(const ConstRows<Scalar>& x, const ConstRows<Scalar>& residual, Rows<Scalar> y,
                     Workspace& workspace) const {
        check(x, y);
        check(x, residual);
        compute(x, Activation::identity, residual.data(), residual.outerStride(), y, workspace);
    }

private:
    const LinearKernel<Scalar, W>& kernel() const noexcept { return linear_kernel<W>(*kernels_); }

    template <class Output>
    void check(const ConstRows<Scalar>& x, const Output& y) const {
        if (x.cols() != in_features_ || y.cols() != out_features_ || x.rows() != y.rows()) {
            detail::fail(ErrorKind::shape, "Linear ", in_features_, " -> ", out_features_, ": given x of ", x.rows(),
                         " x ", x.cols(), " and y of ", y.rows(), " x ", y.cols());
        }
    }

    void compute(const ConstRows<Scalar>& x, Activation activation, const Scalar* residual, Index residual_stride,
                 Rows<Scalar>& y, Workspace& workspace) const {
        // Short inputs keep all threads busy too: where blocks of rows are few, the outputs are split as well.
        const auto row_blocks = static_cast<Index>(detail::row_blocks(x.rows()));
        const Index panels = padded_size(kernel(), out_features_) / kernel().panel_width;
        const auto workers = static_cast<Index>(workspace.workers());
        const Index wanted = workers == 1 ? 1 : (2 * workers + row_blocks - 1) / std::max<Index>(row_blocks, 1);
        const Index panels_per_task = (panels + wanted - 1) / wanted;
        const Index outputs_per_task = panels_per_task * kernel().panel_width;
        const Index column_blocks = (panels + panels_per_task - 1) / panels_per_task;
        const std::size_t scratch_size = kernel().scratch_size(std::min(detail::row_block, x.rows()), in_features_);
        const std::size_t scratch_stride = (scratch_size + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
        const Workspace::Frame frame(workspace);
        std::byte* const scratch = workspace.take<std::byte>(workspace.workers() * scratch_stride);
        workspace.run(static_cast<std::size_t>(row_blocks * column_blocks), [&](std::size_t task, std::size_t worker) {
            const Index row = static_cast<Index>(task) / column_blocks * detail::row_block;
            const Index column = static_cast<Index>(task) % column_blocks * outputs_per_task;
            LinearArguments<Scalar, W> a;
            a.x = x.data() + row * x.outerStride();
            a.x_stride = x.outerStride();
            a.rows = std::min(detail::row_block, x.rows() - row);
            a.in_features = in_features_;
            a.packed = packed_.data();
            a.bias = bias_.data();
            a.activation = activation;
            a.residual = residual ? residual + row * residual_stride : nullptr;
            a.residual_stride = residual_stride;
            a.first = column;
            a.last = std::min(column + outputs_per_task, out_features_);
            a.y = y.data() + row * y.outerStride();
            a.y_stride = y.outerStride();
            a.scratch = scratch + worker * scratch_stride;
            kernel().run(a);
        });
    }

    const KernelTable<Scalar>* kernels_;
    Index in_features_;
    Index out_features_;
    AlignedBuffer<W> packed_;
    AlignedBuffer<Scalar> bias_;
};

BERT_NAMESPACE_END
