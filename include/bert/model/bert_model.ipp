// Definitions of model/bert_model.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/checkpoint.hpp>
#include <bert/io/paths.hpp>
#include <bert/model/bert_model.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <utility>

BERT_NAMESPACE_BEGIN

template <class W>
BertModel<W>::BertModel(ModelConfig config, Embeddings<Scalar> embeddings, Encoder<W> encoder,
                        std::optional<Pooler<W>> pooler)
    : config_(std::move(config)),
      embeddings_(std::move(embeddings)),
      encoder_(std::move(encoder)),
      pooler_(std::move(pooler)) {
    if (embeddings_.hidden_size() != config_.hidden_size) {
        detail::fail(ErrorKind::shape, "BertModel: embeddings of ", embeddings_.hidden_size(),
                     " for a configuration with hidden_size ", config_.hidden_size);
    }
    for (const auto& layer : encoder_.layers()) {
        if (layer.attention().hidden_size() != embeddings_.hidden_size()) {
            detail::fail(ErrorKind::shape, "BertModel: a layer of hidden size ", layer.attention().hidden_size(),
                         " on embeddings of ", embeddings_.hidden_size());
        }
    }
}

template <class W>
auto BertModel<W>::load(const ModelPath& folder, const LoadOptions& options) -> BertModel {
    detail::check_folder(folder);
    ModelConfig config = load_model_config(folder);
    const Checkpoint checkpoint(folder, options.memory_map);
    Weights weights = Weights::of_encoder(checkpoint, options.kernels);
    if (options.warning && kernels_unoptimised()) {
        options.warning(
            "the kernels of bert.hpp were compiled without optimisation and are tens of times slower than they "
            "could be: compile with -O2, or link bert::compiled");
    }
    return load(std::move(config), weights, options);
}

template <class W>
auto BertModel<W>::load_layer(const ModelConfig& config, Weights& weights, std::size_t number) -> EncoderLayer<W> {
    const Index hidden = config.hidden_size;
    const std::string layer = "encoder.layer." + std::to_string(number);
    const std::string self = layer + ".attention.self.";
    MultiHeadAttention<W> attention(weights.linear<W>({self + "query", self + "key", self + "value"}, hidden, hidden),
                                    weights.linear<W>({layer + ".attention.output.dense"}, hidden, hidden),
                                    config.num_attention_heads);
    FeedForward<W> feed_forward(weights.linear<W>({layer + ".intermediate.dense"}, hidden, config.intermediate_size),
                                weights.linear<W>({layer + ".output.dense"}, config.intermediate_size, hidden),
                                config.hidden_act);
    const auto layer_norm = [&](const char* name) {
        return weights.layer_norm<Scalar>(layer + name, hidden, config.layer_norm_eps);
    };
    return EncoderLayer<W>(std::move(attention), layer_norm(".attention.output.LayerNorm"), std::move(feed_forward),
                           layer_norm(".output.LayerNorm"));
}

template <class W>
auto BertModel<W>::load(ModelConfig config, Weights& weights, const LoadOptions& options) -> BertModel {
    const Index hidden = config.hidden_size;
    std::optional<Embeddings<Scalar>> embeddings;
    std::optional<Pooler<W>> pooler;
    // A layer has tensors of its own: where a configuration tells of more layers than there are tensors, one of these
    // fails.
    const std::size_t count = std::min(static_cast<std::size_t>(config.num_hidden_layers), weights.size());
    std::vector<std::optional<EncoderLayer<W>>> loaded(count);
    // Part 0 is what stands before and behind the layers.
    const auto load_part = [&](std::size_t part) {
        if (part > 0) {
            loaded[part - 1] = load_layer(config, weights, part - 1);
            return;
        }
        if (weights.has("pooler.dense.weight")) pooler.emplace(weights.linear<W>({"pooler.dense"}, hidden, hidden));
        embeddings.emplace(weights.embeddings<W>(config));
    };
    std::vector<std::exception_ptr> errors(count + 1);
    std::atomic<bool> failed{false};
    const auto try_part = [&](std::size_t part) {
        if (failed) return;
        try {
            load_part(part);
        } catch (...) {
            errors[part] = std::current_exception();
            failed = true;
        }
    };
    if (options.parallel_for) options.parallel_for(count + 1, try_part);
    for (std::size_t part = 0; part <= count; ++part) {
        if (part > 0 ? !loaded[part - 1] : !embeddings) try_part(part);
    }
    for (const auto& error : errors) {
        if (error) std::rethrow_exception(error);
    }
    std::vector<EncoderLayer<W>> layers;
    layers.reserve(count);
    for (auto& layer : loaded) layers.push_back(*std::move(layer));
    weights.check_all_used();
    return BertModel(std::move(config), *std::move(embeddings), Encoder<W>(std::move(layers)), std::move(pooler));
}

template <class W>
auto BertModel<W>::forward(const Encoding& encoding, const ForwardOptions& options) const -> ModelOutput<Scalar> {
    Batch batch;
    batch.add(encoding);
    return forward(batch, options);
}

template <class W>
auto BertModel<W>::forward(const Batch& batch, const ForwardOptions& options) const -> ModelOutput<Scalar> {
    Workspace workspace;
    return forward(batch, workspace, options);
}

template <class W>
auto BertModel<W>::forward(const Batch& batch, Workspace& workspace, const ForwardOptions& options) const
    -> ModelOutput<Scalar> {
    if (options.pooler_output && !pooler_) {
        detail::fail(ErrorKind::input, "pooler_output was asked for, but the checkpoint has no pooler");
    }
    ModelOutput<Scalar> output;
    output.last_hidden_state.resize(batch.tokens(), config_.hidden_size);
    forward(batch, output.last_hidden_state, workspace, options.hidden_states ? &output.hidden_states : nullptr,
            options.attentions ? &output.attentions : nullptr);
    if (options.pooler_output) output.pooler_output = pool(output.last_hidden_state, batch, workspace);
    return output;
}

template <class W>
auto BertModel<W>::pool(const ConstRows<Scalar>& hidden, const Batch& batch, Workspace& workspace) const
    -> RowMatrix<Scalar> {
    if (!pooler_) {
        detail::fail(ErrorKind::input, "pooler_output was asked for, but the checkpoint has no pooler");
    }
    return pooler_->forward(hidden, batch, workspace);
}

template <class W>
void BertModel<W>::forward(const Batch& batch, Rows<Scalar> x, Workspace& workspace,
                           std::vector<RowMatrix<Scalar>>* hidden_states,
                           std::vector<std::vector<RowMatrix<Scalar>>>* attentions) const {
    embeddings_.check(batch);
    if (x.rows() != batch.tokens() || x.cols() != config_.hidden_size) {
        detail::fail(ErrorKind::shape, "BertModel: ", batch.tokens(), " tokens of ", config_.hidden_size,
                     " features need such a matrix, given ", x.rows(), " x ", x.cols());
    }
    embeddings_.forward(batch, x, workspace);
    encoder_.forward(x, batch, workspace, hidden_states, attentions);
    detail::check_hidden_states<Scalar>(x, batch);
}

BERT_NAMESPACE_END
