// Definitions of model/decoder_model.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/model/decoder_model.hpp>

#include <cstddef>
#include <optional>
#include <utility>

BERT_NAMESPACE_BEGIN

template <class W>
DecoderModel<W>::DecoderModel(ModelConfig config, Embeddings<Scalar> embeddings, Decoder<W> decoder, Head head)
    : config_(std::move(config)),
      embeddings_(std::move(embeddings)),
      decoder_(std::move(decoder)),
      head_(std::move(head)) {
    const Index head_size = std::visit([](const auto& h) { return h.hidden_size(); }, head_);
    for (const Index size : {embeddings_.hidden_size(), decoder_.hidden_size(), head_size}) {
        if (size != config_.hidden_size) {
            detail::fail(ErrorKind::shape, "DecoderModel: a part of hidden size ", size, " for a configuration with ",
                         config_.hidden_size);
        }
    }
}

template <class W>
auto DecoderModel<W>::load(ModelConfig config, const Checkpoint& checkpoint, const std::string& prefix,
                           const std::string& kernels) -> DecoderModel {
    Weights body(checkpoint, prefix + "bert.", kernels);
    Weights head(checkpoint, prefix, kernels);
    Embeddings<Scalar> embeddings = body.embeddings<W>(config);
    std::vector<DecoderLayer<W>> layers;
    for (Index i = 0; i < config.num_hidden_layers; ++i) layers.push_back(load_layer(config, body, i));
    body.check_all_used();
    Head lm_head = load_head(config, head);
    return DecoderModel(std::move(config), std::move(embeddings), Decoder<W>(std::move(layers)), std::move(lm_head));
}

template <class W>
void DecoderModel<W>::forward(const DecoderBatch<Scalar>& batch, Rows<Scalar> x, Workspace& workspace,
                              std::vector<RowMatrix<Scalar>>* hidden_states) const {
    std::vector<Index> first_positions;
    for (const auto* cache : batch.caches) first_positions.push_back(cache->size());
    if (first_positions.size() != static_cast<std::size_t>(batch.texts.texts())) {
        detail::fail(ErrorKind::shape, "DecoderModel: ", batch.texts.texts(), " sequences, but ",
                     first_positions.size(), " caches");
    }
    embeddings_.check(batch.texts, &first_positions);
    if (!batch.texts.attention_mask.empty()) {
        detail::fail(ErrorKind::input, "DecoderModel: sequences are given without padding and attention_mask");
    }
    if (x.rows() != batch.texts.tokens() || x.cols() != config_.hidden_size) {
        detail::fail(ErrorKind::shape, "DecoderModel: ", batch.texts.tokens(), " tokens of ", config_.hidden_size,
                     " features need such a matrix, given ", x.rows(), " x ", x.cols());
    }
    embeddings_.forward(batch.texts, x, workspace, &first_positions);
    decoder_.forward(x, batch, workspace, hidden_states);
    detail::check_hidden_states<Scalar>(x, batch.texts);
}

template <class W>
void DecoderModel<W>::logits(const ConstRows<Scalar>& hidden, Rows<Scalar> logits, Workspace& workspace) const {
    std::visit([&](const auto& head) { head.forward(hidden, logits, workspace); }, head_);
    detail::check_outputs<Scalar>(logits);
}

template <class W>
DecoderLayer<W> DecoderModel<W>::load_layer(const ModelConfig& config, Weights& weights, Index index) {
    const Index hidden = config.hidden_size;
    const Index heads = config.num_attention_heads;
    const std::string layer = "encoder.layer." + std::to_string(index);
    const auto norm = [&](const char* name) {
        return weights.layer_norm<Scalar>(layer + name, hidden, config.layer_norm_eps);
    };
    const std::string self = layer + ".attention.self.";
    CausalAttention<W> attention(weights.linear<W>({self + "query", self + "key", self + "value"}, hidden, hidden),
                                 weights.linear<W>({layer + ".attention.output.dense"}, hidden, hidden), heads);
    std::optional<CrossAttentionBlock<W>> cross;
    if (config.add_cross_attention) {
        const std::string other = layer + ".crossattention.self.";
        cross.emplace(CrossAttentionBlock<W>{
            CrossAttention<W>(weights.linear<W>({other + "query"}, hidden, hidden),
                              weights.linear<W>({other + "key", other + "value"}, hidden, hidden),
                              weights.linear<W>({layer + ".crossattention.output.dense"}, hidden, hidden), heads),
            norm(".crossattention.output.LayerNorm")});
    }
    FeedForward<W> feed_forward(weights.linear<W>({layer + ".intermediate.dense"}, hidden, config.intermediate_size),
                                weights.linear<W>({layer + ".output.dense"}, config.intermediate_size, hidden),
                                config.hidden_act);
    return DecoderLayer<W>(std::move(attention), norm(".attention.output.LayerNorm"), std::move(cross),
                           std::move(feed_forward), norm(".output.LayerNorm"));
}

template <class W>
auto DecoderModel<W>::load_head(const ModelConfig& config, Weights& weights) -> Head {
    const Index hidden = config.hidden_size;
    const auto decoder = [&](const std::string& name) {
        // Weights that are tied to the word embeddings are stored once, and their bias beside the layer.
        const std::string own = name + ".decoder";
        const bool tied = config.tie_word_embeddings && !weights.has(own + ".weight");
        const std::string weight = tied ? "bert.embeddings.word_embeddings" : own;
        const std::string bias = weights.has(own + ".bias") ? own : name;
        return weights.linear_of<W>({{weight + ".weight", bias + ".bias"}}, hidden, config.vocab_size);
    };
    if (config.model_type == "bert-generation") return LmHead<W>(decoder("lm_head"));
    const std::string transform = "cls.predictions.transform.";
    return MaskedLmHead<W>(weights.linear<W>({transform + "dense"}, hidden, hidden), config.hidden_act,
                           weights.layer_norm<Scalar>(transform + "LayerNorm", hidden, config.layer_norm_eps),
                           decoder("cls.predictions"));
}

BERT_NAMESPACE_END
