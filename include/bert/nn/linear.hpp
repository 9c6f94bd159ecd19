// A dense layer with its weights packed at construction. Depends on core and kernels.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/core/arena.hpp>
#include <bert/core/buffer.hpp>
#include <bert/core/finite.hpp>
#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/kernels/dispatch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Rows in blocks of about the same size, as many as the threads can share evenly.
class RowBlocks {
public:
    RowBlocks(Index rows, std::size_t workers, const RowsPerCall& size)
        : rows_(rows),
          multiple_(size.multiple),
          multiples_((rows + multiple_ - 1) / multiple_),
          count_((rows + size.most - 1) / size.most) {
        const auto threads = static_cast<Index>(workers);
        count_ = std::max(count_, std::min<Index>((rows + size.enough - 1) / size.enough, threads));
        if (count_ > threads) count_ = std::min((count_ + threads - 1) / threads * threads, multiples_);
    }

    Index count() const noexcept { return count_; }
    Index begin(Index block) const noexcept { return std::min(multiples_ * block / count_ * multiple_, rows_); }
    Index end(Index block) const noexcept { return begin(block + 1); }

private:
    Index rows_;
    Index multiple_;
    Index multiples_;
    Index count_;
};

/// Calls function(first, last, workspace of the worker) for blocks of rows of [0, rows), spread over the threads.
template <class Function>
void for_row_blocks(Index rows, const RowsPerCall& size, Workspace& workspace, const Function& function) {
    workspace.prepare_workers();
    const RowBlocks blocks(rows, workspace.workers(), size);
    workspace.run(static_cast<std::size_t>(blocks.count()), [&](std::size_t task, std::size_t worker) {
        const auto block = static_cast<Index>(task);
        function(blocks.begin(block), blocks.end(block), workspace.worker(worker));
    });
}

}  // namespace detail

namespace detail {

/// Fails where what a head computed from finite hidden states is not finite: its weights are too large. Errors: format.
template <class T>
void check_outputs(const ConstRows<T>& outputs) {
    for (Index row = 0; row < outputs.rows(); ++row) {
        if (all_finite(outputs.data() + row * outputs.outerStride(), static_cast<std::size_t>(outputs.cols())))
            continue;
        fail(ErrorKind::format, "an output of the model's head is not finite: its weights make numbers too large");
    }
}

}  // namespace detail

/// What is added to a layer's output: nothing, or the layer's own input (a residual connection).
enum class Residual { none, input };

/// y = x W^T + b, PyTorch's nn.Linear. `W` is the type the weights are kept in: float, double, bfloat16 (half the
/// memory of float; sums in float) or std::int8_t (a quarter; weights with a scale for some features of an output,
/// inputs quantised on the way, see LinearKernel). Activations are `Linear<W>::Scalar`.
template <class W>
class Linear {
public:
    /// Of activations: double for double, else float.
    using Scalar = std::conditional_t<std::is_same_v<W, double>, double, float>;

    /// weight: out_features x in_features, as checkpoints store it; bias: out_features values, or empty for none.
    /// Errors: shape.
    Linear(const ConstRows<Scalar>& weight, const Eigen::Ref<const Vector<Scalar>>& bias,
           const KernelTable<Scalar>& kernels = choose_kernels<Scalar>())
        : Linear({Eigen::Map<const RowMatrix<Scalar>, 0, Eigen::OuterStride<>>(
                     weight.data(), weight.rows(), weight.cols(), Eigen::OuterStride<>(weight.outerStride()))},
                 bias, kernels, Arena()) {}

    /// Rows of a weight matrix, one a column that comes out, as checkpoints have them.
    using WeightRows = Eigen::Map<const RowMatrix<Scalar>, 0, Eigen::OuterStride<>>;

    /// Several layers with the same input as one, whose outputs stand one after another. Weights are kept in `arena`.
    /// Errors: shape.
    Linear(const std::vector<WeightRows>& weights, const Eigen::Ref<const Vector<Scalar>>& bias,
           const KernelTable<Scalar>& kernels, Arena&& arena)
        : Linear(weights, bias, kernels, arena) {}
    /// Several matrices one below the other, as for the one product that gives queries, keys and values.
    Linear(const std::vector<WeightRows>& weights, const Eigen::Ref<const Vector<Scalar>>& bias,
           const KernelTable<Scalar>& kernels, Arena& arena)
        : kernels_(&kernels), in_features_(weights.empty() ? 0 : weights.front().cols()), out_features_(0) {
        for (const WeightRows& weight : weights) {
            if (weight.cols() != in_features_) {
                detail::fail(ErrorKind::shape, "Linear: weights of ", in_features_, " and of ", weight.cols(),
                             " columns side by side");
            }
            out_features_ += weight.rows();
        }
        W* const packed = take_memory(bias, arena);
        const auto is_whole = [this](const WeightRows& weight) {
            return weight.outerStride() == in_features_ && fills_panels(weight.rows());
        };
        if (std::all_of(weights.begin(), weights.end(), is_whole)) {
            pack(weights, packed);
            return;
        }
        RowMatrix<Scalar> all(out_features_, in_features_);
        Index row = 0;
        for (const WeightRows& weight : weights) {
            all.middleRows(row, weight.rows()) = weight;
            row += weight.rows();
        }
        pack(std::vector<WeightRows>{{all.data(), all.rows(), all.cols(), Eigen::OuterStride<>(all.cols())}}, packed);
    }

    /// The same of weights that are 8-bit numbers already, each matrix being out_features x in_features. Errors: shape.
    Linear(const std::vector<Int8Rows>& weights, Index in_features, Index out_features,
           const Eigen::Ref<const Vector<Scalar>>& bias, const KernelTable<Scalar>& kernels, Arena& arena)
        : kernels_(&kernels),
          in_features_(in_features),
          out_features_(static_cast<Index>(weights.size()) * out_features) {
        W* packed = take_memory(bias, arena);
        if (fills_panels(out_features)) {
            for (const Int8Rows& part : weights) {
                kernel().pack(part, out_features, in_features, packed);
                packed += kernel().packed_size(out_features, in_features);
            }
            return;
        }
        std::vector<std::int8_t> values;
        std::vector<float> scales;
        for (const Int8Rows& part : weights) {
            values.insert(values.end(), part.values, part.values + out_features * in_features);
            scales.insert(scales.end(), part.scales, part.scales + out_features * int8_blocks(in_features));
        }
        kernel().pack({values.data(), scales.data()}, out_features_, in_features, packed);
    }

    Index in_features() const noexcept { return in_features_; }                  ///< columns that go in
    Index out_features() const noexcept { return out_features_; }                ///< columns that come out
    const KernelTable<Scalar>& kernels() const noexcept { return *kernels_; }    ///< what it is computed with
    const RowsPerCall& rows_per_call() const noexcept { return kernel().rows; }  ///< see RowsPerCall

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

    /// Takes the memory of weights and bias, and fills that of the bias. Errors: shape.
    W* take_memory(const Eigen::Ref<const Vector<Scalar>>& bias, Arena& arena) {
        if (in_features_ < 1 || out_features_ < 1) {
            detail::fail(ErrorKind::shape, "Linear ", in_features_, " -> ", out_features_,
                         ": there is nothing to compute");
        }
        if (bias.size() != 0 && bias.size() != out_features_) {
            detail::fail(ErrorKind::shape, "Linear: a weight of ", out_features_, " x ", in_features_,
                         " needs a bias of ", out_features_, " values, given ", bias.size());
        }
        const auto packed = arena.take<W>(kernel().packed_size(out_features_, in_features_));
        const auto padded = static_cast<std::size_t>(padded_size(kernel(), out_features_));
        const auto padded_bias = arena.take<Scalar>(padded);
        std::fill_n(padded_bias.get(), padded, Scalar(0));
        std::copy_n(bias.data(), bias.size(), padded_bias.get());
        packed_ = packed;
        bias_ = padded_bias;
        return packed.get();
    }

    /// Whether a matrix of so many rows is packed by itself: it leaves no panel half full, or is the only one.
    bool fills_panels(Index rows) const noexcept { return rows % kernel().panel_width == 0 || rows == out_features_; }

    void pack(const std::vector<WeightRows>& weights, W* packed) const {
        for (const WeightRows& weight : weights) {
            pack_weights(kernel(), weight.data(), weight.rows(), in_features_, packed);
            packed += kernel().packed_size(weight.rows(), in_features_);
        }
    }

    template <class Output>
    void check(const ConstRows<Scalar>& x, const Output& y) const {
        if (x.cols() != in_features_ || y.cols() != out_features_ || x.rows() != y.rows()) {
            detail::fail(ErrorKind::shape, "Linear ", in_features_, " -> ", out_features_, ": given x of ", x.rows(),
                         " x ", x.cols(), " and y of ", y.rows(), " x ", y.cols());
        }
    }

    void compute(const ConstRows<Scalar>& x, Activation activation, const Scalar* residual, Index residual_stride,
                 Rows<Scalar>& y, Workspace& workspace) const {
        // Short inputs keep all threads busy too: where blocks of rows are few and cannot be shared evenly, the outputs
        // are split as well.
        const detail::RowBlocks blocks(x.rows(), workspace.workers(), rows_per_call());
        const Index panels = padded_size(kernel(), out_features_) / kernel().panel_width;
        const auto workers = static_cast<Index>(workspace.workers());
        const bool even = blocks.count() > 0 && blocks.count() % workers == 0;
        const Index wanted = even ? 1 : (2 * workers + blocks.count() - 1) / std::max<Index>(blocks.count(), 1);
        const Index panels_per_task = (panels + wanted - 1) / wanted;
        const Index outputs_per_task = panels_per_task * kernel().panel_width;
        const Index column_blocks = (panels + panels_per_task - 1) / panels_per_task;
        const std::size_t scratch_size =
            kernel().scratch_size(std::min<Index>(rows_per_call().most, x.rows()), in_features_);
        const std::size_t scratch_stride = (scratch_size + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
        const Workspace::Frame frame(workspace);
        std::byte* const scratch = workspace.take<std::byte>(workspace.workers() * scratch_stride);
        workspace.run(static_cast<std::size_t>(blocks.count() * column_blocks),
                      [&](std::size_t task, std::size_t worker) {
                          const Index block = static_cast<Index>(task) / column_blocks;
                          const Index row = blocks.begin(block);
                          const Index column = static_cast<Index>(task) % column_blocks * outputs_per_task;
                          LinearArguments<Scalar, W> a;
                          a.x = x.data() + row * x.outerStride();
                          a.x_stride = x.outerStride();
                          a.rows = blocks.end(block) - row;
                          a.in_features = in_features_;
                          a.packed = packed_.get();
                          a.bias = bias_.get();
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
    std::shared_ptr<const W> packed_;
    std::shared_ptr<const Scalar> bias_;
};

BERT_NAMESPACE_END
