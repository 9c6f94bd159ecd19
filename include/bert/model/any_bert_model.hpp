// A BERT model whose type of weights is a value instead of a template argument. Depends on model/bert_model.
#pragma once

#include <bert/io/model_path.hpp>
#include <bert/model/bert_model.hpp>

#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

BERT_NAMESPACE_BEGIN

/// The types of weights to choose from at run time; see Linear for what they mean.
enum class WeightType { float32, bfloat16, int8 };

/// The type to compute with: `wanted`, else what the model was converted for, else float32.
inline WeightType choose_weights(const std::optional<WeightType>& wanted, const ModelPath& model) {
    if (wanted) return *wanted;
    const StorageType storage = model.archive() ? model.archive()->storage : StorageType::float32;
    if (storage == StorageType::int8) return WeightType::int8;
    return storage == StorageType::bfloat16 ? WeightType::bfloat16 : WeightType::float32;
}

/// One of BertModel<float>, BertModel<bfloat16> and BertModel<std::int8_t>, with what they have in common.
class AnyBertModel {
public:
    /// See BertModel::load(); for `weights`, choose_weights().
    static AnyBertModel load(const ModelPath& folder, const std::optional<WeightType>& weights = std::nullopt,
                             const LoadOptions& options = {}) {
        switch (choose_weights(weights, folder)) {
            case WeightType::bfloat16: return AnyBertModel(BertModel<bfloat16>::load(folder, options));
            case WeightType::int8: return AnyBertModel(BertModel<std::int8_t>::load(folder, options));
            case WeightType::float32: break;
        }
        return AnyBertModel(BertModel<float>::load(folder, options));
    }

    template <class W>
    explicit AnyBertModel(BertModel<W> model) : model_(std::move(model)) {}

    WeightType weights() const noexcept { return static_cast<WeightType>(model_.index()); }

    const ModelConfig& config() const noexcept {
        return std::visit([](const auto& model) -> const ModelConfig& { return model.config(); }, model_);
    }

    bool has_pooler() const noexcept {
        return std::visit([](const auto& model) { return model.has_pooler(); }, model_);
    }

    /// See BertModel::forward().
    ModelOutput<float> forward(const Encoding& encoding, const ForwardOptions& options = {}) const {
        return std::visit([&](const auto& model) { return model.forward(encoding, options); }, model_);
    }
    ModelOutput<float> forward(const Batch& batch, const ForwardOptions& options = {}) const {
        return std::visit([&](const auto& model) { return model.forward(batch, options); }, model_);
    }
    ModelOutput<float> forward(const Batch& batch, Workspace& workspace, const ForwardOptions& options = {}) const {
        return std::visit([&](const auto& model) { return model.forward(batch, workspace, options); }, model_);
    }
    void forward(const Batch& batch, Rows<float> x, Workspace& workspace) const {
        std::visit([&](const auto& model) { model.forward(batch, x, workspace); }, model_);
    }

    /// See BertModel::pool().
    Matrix pool(const ConstRows<float>& hidden, const Batch& batch, Workspace& workspace) const {
        return std::visit([&](const auto& model) { return model.pool(hidden, batch, workspace); }, model_);
    }

private:
    // In the order of WeightType.
    std::variant<BertModel<float>, BertModel<bfloat16>, BertModel<std::int8_t>> model_;
};

BERT_NAMESPACE_END
