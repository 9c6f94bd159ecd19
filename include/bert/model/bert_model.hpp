// The BERT model: embeddings, encoder and pooler, opened from a folder. Depends on io, nn and model/weights.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/model_config.hpp>
#include <bert/io/model_path.hpp>
#include <bert/model/weights.hpp>
#include <bert/nn/batch.hpp>
#include <bert/nn/embeddings.hpp>
#include <bert/nn/encoder.hpp>
#include <bert/nn/pooler.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

/// How a model is opened.
struct LoadOptions {
    bool memory_map = true;  ///< false copies the weight files instead: for files that may change while in use
    /// Instruction set to compute with, one of available_kernels(); empty: BERT_KERNELS of the environment, else the
    /// best this machine has. Not for double.
    std::string kernels;
    /// Calls body(i) for every i in [0, count), on any threads, and returns when all calls have: how embeddings and
    /// layers are read and packed. `body` throws nothing. Empty: one call after another. What is loaded is the same.
    std::function<void(std::size_t count, const std::function<void(std::size_t i)>& body)> parallel_for;
    /// Told, in one line, of what is no error but costs much: kernels compiled without optimisation. May throw.
    std::function<void(std::string_view)> warning;
};

/// What a forward pass returns besides the last hidden states.
struct ForwardOptions {
    bool hidden_states = false;  ///< those of every layer
    bool attentions = false;     ///< the attention probabilities of every layer and head
    bool pooler_output = false;  ///< BERT's pooler; an error where the checkpoint has none
};

/// The results of a forward pass. Row r belongs to token r of the batch; what was not asked for is empty.
template <class T>
struct ModelOutput {
    RowMatrix<T> last_hidden_state;  ///< tokens x hidden
    RowMatrix<T> pooler_output;      ///< texts x hidden
    std::vector<RowMatrix<T>>
        hidden_states;  ///< the embeddings, then each layer's output: layers + 1 of tokens x hidden
    /// [layer][text * heads + head]: n x n for a text of n tokens, rows being queries and columns keys; rows sum to 1
    std::vector<std::vector<RowMatrix<T>>> attentions;
};

/// BERT (Devlin et al. 2018, https://arxiv.org/abs/1810.04805) as `transformers.BertModel` computes it, with dense
/// layers of type W: float; bfloat16 and std::int8_t, which are smaller and faster at the price of some accuracy;
/// double to check against. Checkpoints of any number format open as any of them. Immutable once made: any number of
/// threads may share one model.
template <class W>
class BertModel {
public:
    using Scalar = typename Linear<W>::Scalar;  ///< of activations: double for double, else float

    /// Puts a model together from its parts. Errors: shape.
    BertModel(ModelConfig config, Embeddings<Scalar> embeddings, Encoder<W> encoder, std::optional<Pooler<W>> pooler);

    /// Opens a model: config.json and model.safetensors (or its shards) of a folder, or one file; see ModelPath.
    /// Errors: file, format, shape, unsupported; see the parts.
    static BertModel load(const ModelPath& folder, const LoadOptions& options = {});

    /// The encoder whose tensors `weights` looks up. Errors: format, shape, unsupported.
    static BertModel load(ModelConfig config, Weights& weights, const LoadOptions& options = {});

    const ModelConfig& config() const noexcept { return config_; }                 ///< as it was loaded
    const Embeddings<Scalar>& embeddings() const noexcept { return embeddings_; }  ///< ids to rows of hidden_size
    const Encoder<W>& encoder() const noexcept { return encoder_; }                ///< the layers
    bool has_pooler() const noexcept { return pooler_.has_value(); }               ///< whether the checkpoint had one

    /// Contextual embeddings of one text. Errors: input (no tokens, too many, ids out of range, no pooler), shape,
    /// format (numbers of the model that are not finite, or become so).
    ModelOutput<Scalar> forward(const Encoding& encoding, const ForwardOptions& options = {}) const;

    /// Contextual embeddings of several texts. Errors: as above.
    ModelOutput<Scalar> forward(const Batch& batch, const ForwardOptions& options = {}) const;

    /// The same with the caller's scratch memory and threads.
    ModelOutput<Scalar> forward(const Batch& batch, Workspace& workspace, const ForwardOptions& options = {}) const;

    /// BERT's pooler on the last hidden states (tokens x hidden) of a batch: texts x hidden. Errors: input (no pooler).
    RowMatrix<Scalar> pool(const ConstRows<Scalar>& hidden, const Batch& batch, Workspace& workspace) const;

    /// The pass itself, into x (tokens x hidden); once the workspace has its size, nothing is allocated on the way.
    void forward(const Batch& batch, Rows<Scalar> x, Workspace& workspace,
                 std::vector<RowMatrix<Scalar>>* hidden_states = nullptr,
                 std::vector<std::vector<RowMatrix<Scalar>>>* attentions = nullptr) const;

private:
    static EncoderLayer<W> load_layer(const ModelConfig& config, Weights& weights, std::size_t number);

    ModelConfig config_;
    Embeddings<Scalar> embeddings_;
    Encoder<W> encoder_;
    std::optional<Pooler<W>> pooler_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/model/bert_model.ipp>
#endif
