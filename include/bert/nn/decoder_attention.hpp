// The two kinds of attention of a decoder: causal self-attention over a cache, and cross attention to an encoder's
// states. Depends on core, kernels and nn.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/nn/batch.hpp>
#include <bert/nn/key_value_cache.hpp>
#include <bert/nn/linear.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// New tokens of several sequences, and what each sequence looks back at: `texts` holds the new tokens alone, which
/// follow those that the sequence's cache holds.
template <class T>
struct DecoderBatch {
    Batch texts;                                   ///< where each one's tokens are
    std::vector<KeyValueCache<T>*> caches;         ///< one per sequence, all different; a pass adds the new tokens
    std::vector<const KeyValueCache<T>*> sources;  ///< one per sequence, for cross attention; else empty

    /// Appends the `count` next tokens of a sequence, of token type 0.
    void add(const std::int32_t* tokens, std::size_t count, KeyValueCache<T>& cache,
             const KeyValueCache<T>* source = nullptr) {
        texts.add(tokens, nullptr, count);
        caches.push_back(&cache);
        if (source) sources.push_back(source);
    }
};

namespace detail {

/// Keys and values for the queries of one sequence: `count` rows of keys of all heads, then values.
template <class T>
struct KeyValueRows {
    const T* rows;
    Index count;
};

/// context = the heads of all sequences side by side. q: tokens x hidden, sequence i having the rows [offsets[i],
/// offsets[i + 1]) and looking at key_values(i).
template <class T, class KeyValues>
void attend_to(const AttentionKernel<T>& kernel, const Rows<T>& q, const std::vector<Index>& offsets, Index heads,
               bool causal, const KeyValues& key_values, Rows<T> context, Workspace& workspace) {
    const Index hidden = context.cols();
    const Index head_dim = hidden / heads;
    const Workspace::Frame frame(workspace);
    const std::size_t sequences = offsets.size() - 1;
    Index most = 0;
    for (std::size_t i = 0; i < sequences; ++i) most = std::max(most, key_values(i).count);
    const std::size_t scratch_size = kernel.scratch_size(most, head_dim);
    T* const scratch = workspace.take<T>(workspace.workers() * scratch_size);
    workspace.run(sequences * static_cast<std::size_t>(heads), [&](std::size_t task, std::size_t worker) {
        const std::size_t sequence = task / static_cast<std::size_t>(heads);
        const Index column = static_cast<Index>(task % static_cast<std::size_t>(heads)) * head_dim;
        const KeyValueRows<T> seen = key_values(sequence);
        const Index begin = offsets[sequence];
        AttentionArguments<T> a;
        a.q = q.data() + begin * q.outerStride() + column;
        a.q_stride = q.outerStride();
        a.queries = offsets[sequence + 1] - begin;
        a.k = seen.rows + column;
        a.v = seen.rows + hidden + column;
        a.k_stride = a.v_stride = 2 * hidden;
        a.keys = seen.count;
        a.head_dim = head_dim;
        a.scale = static_cast<T>(1.0 / std::sqrt(static_cast<double>(head_dim)));
        a.mask = nullptr;
        a.causal = causal;
        a.scratch = scratch + worker * scratch_size;
        a.probabilities = nullptr;
        a.out = context.data() + begin * context.outerStride() + column;
        a.out_stride = context.outerStride();
        kernel.run(a);
    });
}

inline void check_heads(const char* name, Index heads, Index hidden, Index inputs, Index outputs, Index expected) {
    if (heads < 1 || hidden % heads != 0 || inputs != hidden || outputs != expected) {
        fail(ErrorKind::shape, name, " of ", heads, " heads and hidden size ", hidden, ": a part is ", inputs, " -> ",
             outputs, ", expected ", hidden, " -> ", expected);
    }
}

}  // namespace detail

/// Self-attention in which a token sees itself and those before it (Vaswani et al. 2017, section 3.2.3).
template <class W>
class CausalAttention {
public:
    using Scalar = typename Linear<W>::Scalar;  ///< of activations: double for double, else float

    /// query_key_value: hidden -> 3 hidden, the outputs of Q, K and V one after another; output: hidden -> hidden
    /// (W_O). Errors: shape.
    CausalAttention(Linear<W> query_key_value, Linear<W> output, Index heads)
        : query_key_value_(std::move(query_key_value)), output_(std::move(output)), heads_(heads) {
        detail::check_heads("CausalAttention", heads, hidden_size(), query_key_value_.in_features(),
                            query_key_value_.out_features(), 3 * hidden_size());
        detail::check_heads("CausalAttention", heads, hidden_size(), output_.in_features(), output_.out_features(),
                            hidden_size());
    }

    Index hidden_size() const noexcept { return output_.in_features(); }  ///< columns that go in and come out

    /// y = x + Concat(heads) W_O. x, y: new tokens x hidden, not overlapping; the keys and values of x are written to
    /// layer `layer` of the caches behind what they hold.
    void forward(const ConstRows<Scalar>& x, const DecoderBatch<Scalar>& batch, Index layer, Rows<Scalar> y,
                 Workspace& workspace) const {
        const Index hidden = hidden_size();
        const Workspace::Frame frame(workspace);
        Eigen::Map<RowMatrix<Scalar>> qkv(workspace.take<Scalar>(static_cast<std::size_t>(3 * x.size())), x.rows(),
                                          3 * hidden);
        Eigen::Map<RowMatrix<Scalar>> context(workspace.take<Scalar>(static_cast<std::size_t>(x.size())), x.rows(),
                                              hidden);
        query_key_value_.forward(x, qkv, workspace);
        for (std::size_t i = 0; i < batch.caches.size(); ++i) {
            KeyValueCache<Scalar>& cache = *batch.caches[i];
            Scalar* const rows = cache.rows(layer) + cache.size() * cache.row_size();
            for (Index row = batch.texts.offsets[i]; row < batch.texts.offsets[i + 1]; ++row) {
                std::copy_n(qkv.data() + row * 3 * hidden + hidden, 2 * hidden,
                            rows + (row - batch.texts.offsets[i]) * cache.row_size());
            }
        }
        const auto seen = [&](std::size_t i) {
            const KeyValueCache<Scalar>& cache = *batch.caches[i];
            return detail::KeyValueRows<Scalar>{cache.rows(layer),
                                                cache.size() + batch.texts.offsets[i + 1] - batch.texts.offsets[i]};
        };
        detail::attend_to<Scalar>(attention_kernel<W>(output_.kernels()), qkv, batch.texts.offsets, heads_, true, seen,
                                  context, workspace);
        output_.forward_add(context, x, y, workspace);
    }

private:
    Linear<W> query_key_value_;
    Linear<W> output_;
    Index heads_;
};

/// Attention of a decoder's tokens to the states of an encoder, whose keys and values are computed once.
template <class W>
class CrossAttention {
public:
    using Scalar = typename Linear<W>::Scalar;  ///< of activations: double for double, else float

    /// query: hidden -> hidden; key_value: hidden -> 2 hidden, the outputs of K and V one after another; output:
    /// hidden -> hidden. Errors: shape.
    CrossAttention(Linear<W> query, Linear<W> key_value, Linear<W> output, Index heads)
        : query_(std::move(query)), key_value_(std::move(key_value)), output_(std::move(output)), heads_(heads) {
        const Index hidden = hidden_size();
        detail::check_heads("CrossAttention", heads, hidden, query_.in_features(), query_.out_features(), hidden);
        detail::check_heads("CrossAttention", heads, hidden, key_value_.in_features(), key_value_.out_features(),
                            2 * hidden);
        detail::check_heads("CrossAttention", heads, hidden, output_.in_features(), output_.out_features(), hidden);
    }

    Index hidden_size() const noexcept { return output_.in_features(); }  ///< columns that go in and come out

    /// The keys and values of an encoder's states (tokens x hidden), into layer `layer` of an empty cache.
    void read_source(const ConstRows<Scalar>& states, Index layer, KeyValueCache<Scalar>& cache,
                     Workspace& workspace) const {
        cache.require_room(states.rows());
        Eigen::Map<RowMatrix<Scalar>> rows(cache.rows(layer), states.rows(), cache.row_size());
        key_value_.forward(states, rows, workspace);
    }

    /// y = x + Concat(heads) W_O. x, y: new tokens x hidden, not overlapping.
    void forward(const ConstRows<Scalar>& x, const DecoderBatch<Scalar>& batch, Index layer, Rows<Scalar> y,
                 Workspace& workspace) const {
        const Workspace::Frame frame(workspace);
        Eigen::Map<RowMatrix<Scalar>> q(workspace.take<Scalar>(static_cast<std::size_t>(x.size())), x.rows(), x.cols());
        Eigen::Map<RowMatrix<Scalar>> context(workspace.take<Scalar>(static_cast<std::size_t>(x.size())), x.rows(),
                                              x.cols());
        query_.forward(x, q, workspace);
        const auto seen = [&](std::size_t i) {
            return detail::KeyValueRows<Scalar>{batch.sources[i]->rows(layer), batch.sources[i]->size()};
        };
        detail::attend_to<Scalar>(attention_kernel<W>(output_.kernels()), q, batch.texts.offsets, heads_, false, seen,
                                  context, workspace);
        output_.forward_add(context, x, y, workspace);
    }

private:
    Linear<W> query_;
    Linear<W> key_value_;
    Linear<W> output_;
    Index heads_;
};

BERT_NAMESPACE_END
