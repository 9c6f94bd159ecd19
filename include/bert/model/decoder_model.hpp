// A decoder with its language-model head, as it stands in a checkpoint. Depends on io, nn and model/weights.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/model_config.hpp>
#include <bert/model/weights.hpp>
#include <bert/nn/decoder.hpp>
#include <bert/nn/embeddings.hpp>
#include <bert/nn/lm_head.hpp>
#include <bert/nn/masked_lm_head.hpp>

#include <string>
#include <variant>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What `transformers.BertLMHeadModel` and `BertGenerationDecoder` compute with `is_decoder` set, by themselves or as
/// the decoder of an EncoderDecoderModel. W: see BertModel. Immutable once made: any number of threads may share one.
template <class W>
class DecoderModel {
public:
    using Scalar = typename Linear<W>::Scalar;              ///< of activations: double for double, else float
    using Head = std::variant<MaskedLmHead<W>, LmHead<W>>;  ///< BERT's, with a transform before, or one layer alone

    /// Errors: shape.
    DecoderModel(ModelConfig config, Embeddings<Scalar> embeddings, Decoder<W> decoder, Head head);

    /// The decoder whose tensors have names that start with `prefix` ("", or "decoder." in an EncoderDecoderModel).
    /// Errors: format, shape, unsupported.
    static DecoderModel load(ModelConfig config, const Checkpoint& checkpoint, const std::string& prefix,
                             const std::string& kernels = {});

    const ModelConfig& config() const noexcept { return config_; }                 ///< as it was loaded
    const Embeddings<Scalar>& embeddings() const noexcept { return embeddings_; }  ///< ids to rows of hidden_size
    const Decoder<W>& decoder() const noexcept { return decoder_; }                ///< the layers

    /// Hidden states of the new tokens of `batch`, into x (new tokens x hidden); their keys and values go to the
    /// caches. `hidden_states`: as Decoder::forward() fills it. Errors: input (ids out of range, more tokens than the
    /// model has positions), shape, format (numbers of the model that are not finite, or become so).
    void forward(const DecoderBatch<Scalar>& batch, Rows<Scalar> x, Workspace& workspace,
                 std::vector<RowMatrix<Scalar>>* hidden_states = nullptr) const;

    /// A score per token of the vocabulary for what follows. hidden: n x hidden; logits: n x vocab. Errors: shape.
    void logits(const ConstRows<Scalar>& hidden, Rows<Scalar> logits, Workspace& workspace) const;

private:
    static DecoderLayer<W> load_layer(const ModelConfig& config, Weights& weights, Index index);

    static Head load_head(const ModelConfig& config, Weights& weights);

    ModelConfig config_;
    Embeddings<Scalar> embeddings_;
    Decoder<W> decoder_;
    Head head_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/model/decoder_model.ipp>
#endif
