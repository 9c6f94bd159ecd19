// The stack of decoder layers. Depends on nn.
#pragma once

#include <bert/nn/decoder_layer.hpp>

#include <cstddef>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// The layers of a decoder, applied one after another to the new tokens of several sequences.
template <class W>
class Decoder {
public:
    using Scalar = typename Linear<W>::Scalar;  ///< of activations: double for double, else float

    /// Errors: shape (layers that differ in hidden size or in having cross attention, none at all).
    explicit Decoder(std::vector<DecoderLayer<W>> layers) : layers_(std::move(layers)) {
        if (layers_.empty()) detail::fail(ErrorKind::shape, "Decoder: no layers");
        for (const auto& layer : layers_) {
            if (layer.hidden_size() != hidden_size() || layer.has_cross_attention() != has_cross_attention()) {
                detail::fail(ErrorKind::shape, "Decoder: layers should all be alike");
            }
        }
    }

    /// In the order in which they are applied.
    const std::vector<DecoderLayer<W>>& layers() const noexcept { return layers_; }
    Index hidden_size() const noexcept { return layers_.front().hidden_size(); }  ///< columns of the hidden states
    /// Whether the layers attend to an encoder.
    bool has_cross_attention() const noexcept { return layers_.front().has_cross_attention(); }

    /// An empty cache for a sequence of at most `tokens`.
    KeyValueCache<Scalar> make_cache(Index tokens) const {
        return KeyValueCache<Scalar>(static_cast<Index>(layers_.size()), hidden_size(), tokens);
    }

    /// Keys and values of an encoder's states (tokens x hidden) for the cross attention of every layer. Errors: shape.
    KeyValueCache<Scalar> read_source(const ConstRows<Scalar>& states, Workspace& workspace) const {
        if (!has_cross_attention()) detail::fail(ErrorKind::shape, "Decoder: its layers have no cross attention");
        KeyValueCache<Scalar> source = make_cache(states.rows());
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            layers_[i].read_source(states, static_cast<Index>(i), source, workspace);
        }
        source.grow(states.rows());
        return source;
    }

    /// Replaces x (new tokens x hidden) by the output of the last layer and adds the new tokens to the caches.
    /// `hidden_states`, where given, gets a copy of the input and of each layer's output. Errors: shape.
    void forward(Rows<Scalar> x, const DecoderBatch<Scalar>& batch, Workspace& workspace,
                 std::vector<RowMatrix<Scalar>>* hidden_states = nullptr) const {
        check(x, batch);
        if (hidden_states) hidden_states->emplace_back(x);
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            layers_[i].forward(x, batch, static_cast<Index>(i), workspace);
            if (hidden_states) hidden_states->emplace_back(x);
        }
        for (std::size_t i = 0; i < batch.caches.size(); ++i) {
            batch.caches[i]->grow(batch.texts.offsets[i + 1] - batch.texts.offsets[i]);
        }
    }

private:
    void check(const Rows<Scalar>& x, const DecoderBatch<Scalar>& batch) const {
        if (batch.texts.offsets.empty()) detail::fail(ErrorKind::shape, "Decoder: a batch without offsets");
        const auto sequences = static_cast<std::size_t>(batch.texts.texts());
        if (x.rows() != batch.texts.offsets.back() || x.cols() != hidden_size() || batch.caches.size() != sequences ||
            batch.sources.size() != (has_cross_attention() ? sequences : 0)) {
            detail::fail(ErrorKind::shape, "Decoder", has_cross_attention() ? " with cross attention" : "", ": ",
                         x.rows(), " x ", x.cols(), " features for ", batch.texts.offsets.back(), " tokens of ",
                         sequences, " sequences with ", batch.caches.size(), " caches and ", batch.sources.size(),
                         " sources");
        }
        for (std::size_t i = 0; i < sequences; ++i) {
            const KeyValueCache<Scalar>& cache = *batch.caches[i];
            cache.require_room(batch.texts.offsets[i + 1] - batch.texts.offsets[i]);
            check_sizes(cache);
            if (has_cross_attention()) check_sizes(*batch.sources[i]);
        }
    }

    void check_sizes(const KeyValueCache<Scalar>& cache) const {
        if (cache.layers() != static_cast<Index>(layers_.size()) || cache.hidden_size() != hidden_size()) {
            detail::fail(ErrorKind::shape, "Decoder of ", layers_.size(), " layers and hidden size ", hidden_size(),
                         ": given a KeyValueCache of ", cache.layers(), " and ", cache.hidden_size());
        }
    }

    std::vector<DecoderLayer<W>> layers_;
};

BERT_NAMESPACE_END
