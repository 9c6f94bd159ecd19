// The heads of published checkpoints: which tasks a folder serves, and its heads under their published names.
// Depends on io, nn and model.
#pragma once

#include <bert/error.hpp>
#include <bert/io/checkpoint.hpp>
#include <bert/io/decoder_config.hpp>
#include <bert/io/model_config.hpp>
#include <bert/io/model_path.hpp>
#include <bert/io/sentence_config.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/model/weights.hpp>
#include <bert/nn/linear.hpp>
#include <bert/nn/masked_lm_head.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What a folder can be asked.
enum class Task {
    fill_mask,             ///< FillMask
    next_sentence,         ///< NextSentence
    question_answering,    ///< QuestionAnswering
    text_classification,   ///< TextClassifier, ZeroShotClassifier
    token_classification,  ///< TokenClassifier
    reranking,             ///< Reranker
    sparse_embedding,      ///< Splade
    late_interaction,      ///< Colbert
    sentence_embedding,    ///< SentenceEncoder
    text_generation,       ///< CausalLM
    text2text_generation,  ///< Seq2Seq
};

namespace detail {

/// A task, its name, and the tensor that shows a head for it whatever `architectures` says. (Classifiers of texts and
/// of tokens share theirs, so nothing but `architectures` tells them apart.)
struct TaskName {
    Task task;
    std::string_view name;
    const char* tensor;
};

inline constexpr TaskName task_names[] = {
    {Task::fill_mask, "fill-mask", "cls.predictions.transform.dense.weight"},
    {Task::next_sentence, "next-sentence", "cls.seq_relationship.weight"},
    {Task::question_answering, "question-answering", "qa_outputs.weight"},
    {Task::text_classification, "text-classification", nullptr},
    {Task::token_classification, "token-classification", nullptr},
    {Task::reranking, "reranking", nullptr},
    {Task::sparse_embedding, "sparse-embedding", "cls.predictions.transform.dense.weight"},
    {Task::late_interaction, "late-interaction", nullptr},
    {Task::sentence_embedding, "sentence-embedding", nullptr},
    {Task::text_generation, "text-generation", nullptr},
    {Task::text2text_generation, "text2text-generation", nullptr},
};

}  // namespace detail

inline std::string to_string(Task task) {
    for (const auto& known : detail::task_names) {
        if (known.task == task) return std::string(known.name);
    }
    return {};
}

/// The tasks that models of the class `architecture` were made for, such as "BertForMaskedLM".
inline std::vector<Task> tasks_of_architecture(std::string_view architecture) {
    if (architecture == "BertForMaskedLM") return {Task::fill_mask, Task::sparse_embedding};
    if (architecture == "BertForPreTraining") return {Task::fill_mask, Task::next_sentence, Task::sparse_embedding};
    if (architecture == "BertForNextSentencePrediction") return {Task::next_sentence};
    if (architecture == "BertForQuestionAnswering") return {Task::question_answering};
    if (architecture == "BertForSequenceClassification") return {Task::text_classification, Task::reranking};
    if (architecture == "BertForTokenClassification") return {Task::token_classification};
    if (architecture == "HF_ColBERT") return {Task::late_interaction};
    return {};
}

namespace detail {

/// Whether a checkpoint of an encoder holds what a task needs beside the encoder, by its `architectures` or because the
/// head is in the weights beyond any doubt.
inline bool has_head(const ModelConfig& config, const Checkpoint& checkpoint, Task task) {
    if (task == Task::sentence_embedding) return true;
    for (const auto& known : task_names) {
        if (known.task == task && known.tensor && checkpoint.find(known.tensor)) return true;
    }
    for (const std::string& architecture : config.architectures) {
        const auto own = tasks_of_architecture(architecture);
        if (std::find(own.begin(), own.end(), task) != own.end()) return true;
    }
    // Nothing says what the classifier is for: the caller's word is taken.
    const bool classifies =
        task == Task::text_classification || task == Task::token_classification || task == Task::reranking;
    return classifies && config.architectures.empty() && checkpoint.find("classifier.weight");
}

/// Whether what sentence-transformers wrote into a folder, if it did, is for a task.
inline bool fits_modules(const ModelPath& folder, Task task) {
    if (!is_there(folder / "modules.json")) return true;
    const ModuleLayout layout = module_layout(read_module_list(folder));
    switch (task) {
        case Task::reranking: return layout == ModuleLayout::cross_encoder;
        case Task::sparse_embedding: return layout == ModuleLayout::sparse_encoder;
        case Task::late_interaction: return layout == ModuleLayout::multi_vector_encoder;
        case Task::sentence_embedding: return layout == ModuleLayout::sentence_encoder;
        default: return transformer_folder(folder) == folder;  // the others look at the folder alone
    }
}

}  // namespace detail

/// The tasks that a folder can be opened for. Errors: file, format, unsupported (a folder of no kind that is known).
inline std::vector<Task> served_tasks(const ModelPath& folder) {
    const ModelPath transformer = transformer_folder(folder);
    if (transformer == folder && is_encoder_decoder(folder)) return {Task::text2text_generation};
    if (transformer == folder && is_decoder(folder)) return {Task::text_generation};
    const ModelConfig config = load_model_config(transformer);
    const Checkpoint checkpoint(transformer);
    const bool has_modules = detail::is_there(folder / "modules.json");
    std::vector<Task> tasks;
    for (const auto& known : detail::task_names) {
        // What makes token vectors of hidden states may be a module, and so not among the encoder's weights.
        const bool head =
            (has_modules && known.task == Task::late_interaction) || detail::has_head(config, checkpoint, known.task);
        if (head && detail::fits_modules(folder, known.task)) tasks.push_back(known.task);
    }
    return tasks;
}

namespace detail {

/// Fails because a folder lacks what a task needs, and says what it serves instead. Errors: those of served_tasks();
/// unsupported.
[[noreturn]] inline void fail_without(const ModelPath& folder, const std::string& lacks) {
    std::string others;
    for (const Task other : served_tasks(folder)) others += (others.empty() ? "" : ", ") + to_string(other);
    fail(ErrorKind::unsupported, folder, ": ", lacks, others.empty() ? "" : "; it serves: ", others);
}

}  // namespace detail

/// A folder's weights and configuration, for loading a head.
class HeadFolder {
public:
    /// Errors: file, format, unsupported; unsupported too where the folder has no head for `task`.
    HeadFolder(const ModelPath& folder, Task task, const LoadOptions& options = {})
        : config_(load_model_config(folder)), checkpoint_(folder, options.memory_map), kernels_(options.kernels) {
        if (detail::has_head(config_, checkpoint_, task)) return;
        std::string architectures;
        for (const auto& name : config_.architectures) architectures += (architectures.empty() ? "" : ", ") + name;
        if (architectures.empty()) architectures = "(not named)";
        detail::fail_without(folder, "a model of class " + architectures + " has no head for " + to_string(task));
    }

    const ModelConfig& config() const noexcept { return config_; }
    const Checkpoint& checkpoint() const noexcept { return checkpoint_; }

    /// The dense layer "<name>.weight" and "<name>.bias", hidden -> out_features. Kept as float whatever the model's
    /// weights are: it is small. Errors: format (missing), shape, unsupported.
    Linear<float> linear(const std::string& name, Index out_features) const {
        Weights weights(checkpoint_, "", kernels_);
        return weights.linear<float>({name}, config_.hidden_size, out_features);
    }

    /// The same without a bias. Errors: as above.
    Linear<float> linear_without_bias(const std::string& name, Index out_features) const {
        Weights weights(checkpoint_, "", kernels_);
        return weights.linear_of<float>({{name + ".weight", ""}}, config_.hidden_size, out_features);
    }

    /// The head "cls.predictions". A decoder's weights of its own are used where the checkpoint has them; else they are
    /// the word embeddings, if the configuration ties them. Errors: format (missing), shape, unsupported.
    template <class W>
    MaskedLmHead<W> masked_lm() const {
        using Scalar = typename Linear<W>::Scalar;
        const std::string name = "cls.predictions.";
        const Index hidden = config_.hidden_size;
        Weights head(checkpoint_, "", kernels_);
        Linear<W> transform = head.linear<W>({name + "transform.dense"}, hidden, hidden);
        LayerNorm<Scalar> norm = head.layer_norm<Scalar>(name + "transform.LayerNorm", hidden, config_.layer_norm_eps);
        std::string weight = name + "decoder.weight";
        if (!head.has(weight) && config_.tie_word_embeddings) {
            weight = Weights::of_encoder(checkpoint_).prefix() + "embeddings.word_embeddings.weight";
        }
        const std::string own_bias = name + "decoder.bias";
        return MaskedLmHead<W>(
            std::move(transform), config_.hidden_act, std::move(norm),
            head.linear_of<W>({{weight, head.has(own_bias) ? own_bias : name + "bias"}}, hidden, config_.vocab_size));
    }

private:
    ModelConfig config_;
    Checkpoint checkpoint_;
    std::string kernels_;
};

/// A masked-LM head whose type of weights is a value, as AnyBertModel.
class AnyMaskedLmHead {
public:
    /// Errors: see HeadFolder::masked_lm().
    AnyMaskedLmHead(const HeadFolder& folder, WeightType weights) : head_(load(folder, weights)) {}

    Index vocab_size() const noexcept {
        return std::visit([](const auto& head) { return head.vocab_size(); }, head_);
    }

    /// See MaskedLmHead::forward().
    void forward(const ConstRows<float>& x, Rows<float> logits, Workspace& workspace) const {
        std::visit([&](const auto& head) { head.forward(x, logits, workspace); }, head_);
        detail::check_outputs<float>(logits);
    }

    /// Calls function(row number, logits of vocab_size() values) for each row of x (n x hidden). Few rows are computed
    /// at a time: the logits of a long text would need more memory than its whole model. Errors: shape.
    template <class Function>
    void for_each_row(const ConstRows<float>& x, Workspace& workspace, const Function& function) const {
        constexpr Index block = detail::row_block;
        const Workspace::Frame frame(workspace);
        const Index rows = std::min(block, x.rows());
        float* const memory = workspace.take<float>(static_cast<std::size_t>(rows * vocab_size()));
        for (Index first = 0; first < x.rows(); first += block) {
            Eigen::Map<Matrix> logits(memory, std::min(block, x.rows() - first), vocab_size());
            forward(x.middleRows(first, logits.rows()), logits, workspace);
            for (Index row = 0; row < logits.rows(); ++row) function(first + row, logits.data() + row * vocab_size());
        }
    }

private:
    using Head = std::variant<MaskedLmHead<float>, MaskedLmHead<bfloat16>, MaskedLmHead<std::int8_t>>;

    static Head load(const HeadFolder& folder, WeightType weights) {
        switch (weights) {
            case WeightType::bfloat16: return folder.masked_lm<bfloat16>();
            case WeightType::int8: return folder.masked_lm<std::int8_t>();
            case WeightType::float32: break;
        }
        return folder.masked_lm<float>();
    }

    Head head_;
};

BERT_NAMESPACE_END
