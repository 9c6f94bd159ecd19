// A decoder whose type of weights is a value instead of a template argument. Depends on model/decoder_model and
// model/any_bert_model.
#pragma once

#include <bert/model/any_bert_model.hpp>
#include <bert/model/decoder_model.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

BERT_NAMESPACE_BEGIN

/// One of DecoderModel<float>, DecoderModel<bfloat16> and DecoderModel<std::int8_t>, with what they have in common.
class AnyDecoderModel {
public:
    /// See DecoderModel::load().
    static AnyDecoderModel load(const ModelConfig& config, const Checkpoint& checkpoint, const std::string& prefix,
                                WeightType weights, const std::string& kernels);

    /// Holds a model of weights of any type.
    template <class W>
    explicit AnyDecoderModel(DecoderModel<W> model) : model_(std::move(model)) {}

    const ModelConfig& config() const noexcept;  ///< of the model that is held

    /// See Decoder::make_cache().
    KeyValueCache<float> make_cache(Index tokens) const;

    /// See Decoder::read_source().
    KeyValueCache<float> read_source(const ConstRows<float>& states, Workspace& workspace) const;

    /// See DecoderModel::forward().
    void forward(const DecoderBatch<float>& batch, Rows<float> x, Workspace& workspace,
                 std::vector<Matrix>* hidden_states = nullptr) const;

    /// See DecoderModel::logits().
    void logits(const ConstRows<float>& hidden, Rows<float> logits, Workspace& workspace) const;

private:
    // In the order of WeightType.
    std::variant<DecoderModel<float>, DecoderModel<bfloat16>, DecoderModel<std::int8_t>> model_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/model/any_decoder_model.ipp>
#endif
