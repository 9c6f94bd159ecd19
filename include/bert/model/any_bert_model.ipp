// Definitions of model/any_bert_model.hpp.
#pragma once

#include <bert/model/any_bert_model.hpp>

BERT_NAMESPACE_BEGIN

BERT_INLINE WeightType choose_weights(const std::optional<WeightType>& wanted, const ModelPath& model) {
    if (wanted) return *wanted;
    const StorageType storage = model.archive() ? model.archive()->storage : StorageType::float32;
    if (storage == StorageType::int8) return WeightType::int8;
    return storage == StorageType::bfloat16 ? WeightType::bfloat16 : WeightType::float32;
}

BERT_INLINE AnyBertModel AnyBertModel::load(const ModelPath& folder, const std::optional<WeightType>& weights,
                                            const LoadOptions& options) {
    switch (choose_weights(weights, folder)) {
        case WeightType::bfloat16: return AnyBertModel(BertModel<bfloat16>::load(folder, options));
        case WeightType::int8: return AnyBertModel(BertModel<std::int8_t>::load(folder, options));
        case WeightType::float32: break;
    }
    return AnyBertModel(BertModel<float>::load(folder, options));
}

BERT_INLINE const ModelConfig& AnyBertModel::config() const noexcept {
    return std::visit([](const auto& model) -> const ModelConfig& { return model.config(); }, model_);
}

BERT_INLINE bool AnyBertModel::has_pooler() const noexcept {
    return std::visit([](const auto& model) { return model.has_pooler(); }, model_);
}

BERT_INLINE ModelOutput<float> AnyBertModel::forward(const Encoding& encoding, const ForwardOptions& options) const {
    return std::visit([&](const auto& model) { return model.forward(encoding, options); }, model_);
}

BERT_INLINE ModelOutput<float> AnyBertModel::forward(const Batch& batch, const ForwardOptions& options) const {
    return std::visit([&](const auto& model) { return model.forward(batch, options); }, model_);
}

BERT_INLINE ModelOutput<float> AnyBertModel::forward(const Batch& batch, Workspace& workspace,
                                                     const ForwardOptions& options) const {
    return std::visit([&](const auto& model) { return model.forward(batch, workspace, options); }, model_);
}

BERT_INLINE void AnyBertModel::forward(const Batch& batch, Rows<float> x, Workspace& workspace) const {
    std::visit([&](const auto& model) { model.forward(batch, x, workspace); }, model_);
}

BERT_INLINE Matrix AnyBertModel::pool(const ConstRows<float>& hidden, const Batch& batch, Workspace& workspace) const {
    return std::visit([&](const auto& model) { return model.pool(hidden, batch, workspace); }, model_);
}

BERT_NAMESPACE_END
