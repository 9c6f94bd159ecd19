// A BERT model's `config.json` as a plain struct. Depends on core and io.
// Names and defaults follow transformers' BertConfig.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/core/matrix.hpp>
#include <bert/io/model_path.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What the logits of a classifier stand for. Where config.json does not say, their number decides.
enum class ProblemType {
    regression,    ///< values as they are
    single_label,  ///< one of several classes (softmax)
    multi_label,   ///< each class for itself (sigmoid)
};

/// The sizes and choices that make a BERT encoder. The defaults are those of BERT-base.
struct ModelConfig {
    Index vocab_size = 30522;                  ///< rows of the table of word embeddings
    Index hidden_size = 768;                   ///< columns of the hidden states
    Index num_hidden_layers = 12;              ///< encoder layers
    Index num_attention_heads = 12;            ///< divides hidden_size
    Index intermediate_size = 3072;            ///< columns between the two dense layers of a feed-forward block
    Index max_position_embeddings = 512;       ///< the most tokens a text may have
    Index type_vocab_size = 2;                 ///< token types (segment ids); 0 for BertGeneration, which has none
    double layer_norm_eps = 1e-12;             ///< added to the variance
    Activation hidden_act = Activation::gelu;  ///< of the feed-forward blocks
    std::string hidden_act_name = "gelu";      ///< as config.json writes it
    std::vector<std::string> architectures;    ///< e.g. {"BertForMaskedLM"}: the class the checkpoint was saved from
    std::string model_type = "bert";           ///< "bert" or "bert-generation"
    bool is_decoder = false;                   ///< attention is causal: a token sees itself and those before it
    bool add_cross_attention = false;          ///< a decoder that also attends to an encoder's states
    bool tie_word_embeddings = true;           ///< a language-model head may share its weights with the embeddings

    // Of heads.
    Index num_labels = 2;                     ///< outputs of a classifier
    std::map<Index, std::string> id2label;    ///< names of the outputs; those not named are called "LABEL_<id>"
    std::map<std::string, Index> label2id;    ///< the other way round, as config.json says it
    std::optional<ProblemType> problem_type;  ///< of a classifier, where config.json says so
    /// The class of the activation of a cross-encoder, as sentence-transformers writes it.
    std::optional<std::string> cross_encoder_activation;

    Index head_dim() const noexcept { return hidden_size / num_attention_heads; }  ///< columns of one head
};

/// The name of output `id` of a classifier.
std::string label_name(const ModelConfig& config, Index id);

/// Checks that sizes are positive and that heads divide the hidden size. Errors: shape. `source` is named in messages.
void check_model_config(const ModelConfig& config, const std::filesystem::path& source);

/// Reads the `folder`/config.json of an encoder. Errors: file, format, shape, unsupported (another architecture,
/// relative positions, a decoder, an activation with parameters).
ModelConfig load_model_config(const ModelPath& folder);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/model_config.ipp>
#endif
