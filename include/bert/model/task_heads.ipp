// Definitions of model/task_heads.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/decoder_config.hpp>
#include <bert/io/sentence_config.hpp>
#include <bert/model/task_heads.hpp>
#include <bert/model/weights.hpp>

#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

/// A task, its name, and the tensor that shows a head for it whatever `architectures` says. (Classifiers of texts and
/// of tokens share theirs, so nothing but `architectures` tells them apart.)
struct TaskName {
    Task task;
    std::string_view name;
    const char* tensor;
};

BERT_INLINE constexpr TaskName task_names[] = {
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

BERT_INLINE std::string to_string(Task task) {
    for (const auto& known : detail::task_names) {
        if (known.task == task) return std::string(known.name);
    }
    return {};
}

BERT_INLINE std::vector<Task> tasks_of_architecture(std::string_view architecture) {
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
BERT_INLINE bool has_head(const ModelConfig& config, const Checkpoint& checkpoint, Task task) {
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

BERT_INLINE bool fits_modules(const ModelPath& folder, Task task) {
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

BERT_INLINE std::vector<Task> served_tasks(const ModelPath& folder) {
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

BERT_INLINE void fail_without(const ModelPath& folder, const std::string& lacks) {
    std::string others;
    for (const Task other : served_tasks(folder)) others += (others.empty() ? "" : ", ") + to_string(other);
    fail(ErrorKind::unsupported, folder, ": ", lacks, others.empty() ? "" : "; it serves: ", others);
}

}  // namespace detail

BERT_INLINE HeadFolder::HeadFolder(const ModelPath& folder, Task task, const LoadOptions& options)
    : config_(load_model_config(folder)), checkpoint_(folder, options.memory_map), kernels_(options.kernels) {
    if (detail::has_head(config_, checkpoint_, task)) return;
    std::string architectures;
    for (const auto& name : config_.architectures) architectures += (architectures.empty() ? "" : ", ") + name;
    if (architectures.empty()) architectures = "(not named)";
    detail::fail_without(folder, "a model of class " + architectures + " has no head for " + to_string(task));
}

BERT_INLINE void HeadFolder::check_outputs(const std::string& name, Index out_features) const {
    if (out_features < 1) detail::fail(ErrorKind::shape, checkpoint_.folder(), ": \"", name, "\" has no outputs");
}

BERT_INLINE Linear<float> HeadFolder::linear(const std::string& name, Index out_features) const {
    check_outputs(name, out_features);
    Weights weights(checkpoint_, "", kernels_);
    return weights.linear<float>({name}, config_.hidden_size, out_features);
}

BERT_INLINE Linear<float> HeadFolder::linear_without_bias(const std::string& name, Index out_features) const {
    check_outputs(name, out_features);
    Weights weights(checkpoint_, "", kernels_);
    return weights.linear_of<float>({{name + ".weight", ""}}, config_.hidden_size, out_features);
}

template <class W>
MaskedLmHead<W> HeadFolder::masked_lm() const {
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

BERT_INLINE Index AnyMaskedLmHead::vocab_size() const noexcept {
    return std::visit([](const auto& head) { return head.vocab_size(); }, head_);
}

BERT_INLINE void AnyMaskedLmHead::forward(const ConstRows<float>& x, Rows<float> logits, Workspace& workspace) const {
    std::visit([&](const auto& head) { head.forward(x, logits, workspace); }, head_);
    detail::check_outputs<float>(logits);
}

BERT_INLINE auto AnyMaskedLmHead::load(const HeadFolder& folder, WeightType weights) -> Head {
    switch (weights) {
        case WeightType::bfloat16: return folder.masked_lm<bfloat16>();
        case WeightType::int8: return folder.masked_lm<std::int8_t>();
        case WeightType::float32: break;
    }
    return folder.masked_lm<float>();
}

BERT_NAMESPACE_END
