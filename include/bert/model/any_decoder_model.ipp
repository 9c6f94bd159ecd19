// Definitions of model/any_decoder_model.hpp.
#pragma once

#include <bert/model/any_decoder_model.hpp>

BERT_NAMESPACE_BEGIN

BERT_INLINE AnyDecoderModel AnyDecoderModel::load(const ModelConfig& config, const Checkpoint& checkpoint,
                                                  const std::string& prefix, WeightType weights,
                                                  const std::string& kernels) {
    switch (weights) {
        case WeightType::bfloat16:
            return AnyDecoderModel(DecoderModel<bfloat16>::load(config, checkpoint, prefix, kernels));
        case WeightType::int8:
            return AnyDecoderModel(DecoderModel<std::int8_t>::load(config, checkpoint, prefix, kernels));
        case WeightType::float32: break;
    }
    return AnyDecoderModel(DecoderModel<float>::load(config, checkpoint, prefix, kernels));
}

BERT_INLINE const ModelConfig& AnyDecoderModel::config() const noexcept {
    return std::visit([](const auto& model) -> const ModelConfig& { return model.config(); }, model_);
}

BERT_INLINE KeyValueCache<float> AnyDecoderModel::make_cache(Index tokens) const {
    return std::visit([&](const auto& model) { return model.decoder().make_cache(tokens); }, model_);
}

BERT_INLINE KeyValueCache<float> AnyDecoderModel::read_source(const ConstRows<float>& states,
                                                              Workspace& workspace) const {
    return std::visit([&](const auto& model) { return model.decoder().read_source(states, workspace); }, model_);
}

BERT_INLINE void AnyDecoderModel::forward(const DecoderBatch<float>& batch, Rows<float> x, Workspace& workspace,
                                          std::vector<Matrix>* hidden_states) const {
    std::visit([&](const auto& model) { model.forward(batch, x, workspace, hidden_states); }, model_);
}

BERT_INLINE void AnyDecoderModel::logits(const ConstRows<float>& hidden, Rows<float> logits,
                                         Workspace& workspace) const {
    std::visit([&](const auto& model) { model.logits(hidden, logits, workspace); }, model_);
}

BERT_NAMESPACE_END
