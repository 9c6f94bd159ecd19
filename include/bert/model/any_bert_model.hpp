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
WeightType choose_weights(const std::optional<WeightType>& wanted, const ModelPath& model);

/// One of BertModel<float>, BertModel<bfloat16> and BertModel<std::int8_t>, with what they have in common.
class AnyBertModel {
public:
    /// See BertModel::load(); for `weights`, choose_weights().
    static AnyBertModel load(const ModelPath& folder, const std::optional<WeightType>& weights = std::nullopt,
                             const LoadOptions& options = {});

    /// Holds a model of weights of any type.
    template <class W>
    explicit AnyBertModel(BertModel<W> model) : model_(std::move(model)) {}

    /// The type that products are computed with.
    WeightType weights() const noexcept { return static_cast<WeightType>(model_.index()); }

    const ModelConfig& config() const noexcept;  ///< of the model that is held

    bool has_pooler() const noexcept;  ///< whether the checkpoint had one

    /// See BertModel::forward().
    ModelOutput<float> forward(const Encoding& encoding, const ForwardOptions& options = {}) const;
    /// The same.
    ModelOutput<float> forward(const Batch& batch, const ForwardOptions& options = {}) const;
    /// The same with memory and threads of the caller's.
    ModelOutput<float> forward(const Batch& batch, Workspace& workspace, const ForwardOptions& options = {}) const;
    /// The same into `x`, of tokens x hidden_size, without anything else of the output.
    void forward(const Batch& batch, Rows<float> x, Workspace& workspace) const;

    /// See BertModel::pool().
    Matrix pool(const ConstRows<float>& hidden, const Batch& batch, Workspace& workspace) const;

private:
    // In the order of WeightType.
    std::variant<BertModel<float>, BertModel<bfloat16>, BertModel<std::int8_t>> model_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/model/any_bert_model.ipp>
#endif
