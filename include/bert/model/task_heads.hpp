// The heads of published checkpoints: which tasks a folder serves, and its heads under their published names.
// Depends on io, nn and model.
#pragma once

#include <bert/io/checkpoint.hpp>
#include <bert/io/model_config.hpp>
#include <bert/io/model_path.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/nn/linear.hpp>
#include <bert/nn/masked_lm_head.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
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

/// The name of a task as `bert inspect` writes it, e.g. "fill-mask".
std::string to_string(Task task);

/// The tasks that models of the class `architecture` were made for, such as "BertForMaskedLM".
std::vector<Task> tasks_of_architecture(std::string_view architecture);

namespace detail {

/// Whether what sentence-transformers wrote into a folder, if it did, is for a task.
bool fits_modules(const ModelPath& folder, Task task);

}  // namespace detail

/// The tasks that a folder can be opened for. Errors: file, format, unsupported (a folder of no kind that is known).
std::vector<Task> served_tasks(const ModelPath& folder);

namespace detail {

/// Fails because a folder lacks what a task needs, and says what it serves instead. Errors: those of served_tasks();
/// unsupported.
[[noreturn]] void fail_without(const ModelPath& folder, const std::string& lacks);

}  // namespace detail

/// A folder's weights and configuration, for loading a head.
class HeadFolder {
public:
    /// Errors: file, format, unsupported; unsupported too where the folder has no head for `task`.
    HeadFolder(const ModelPath& folder, Task task, const LoadOptions& options = {});

    const ModelConfig& config() const noexcept { return config_; }         ///< of the folder
    const Checkpoint& checkpoint() const noexcept { return checkpoint_; }  ///< mapped, as long as this lives

    /// The dense layer "<name>.weight" and "<name>.bias", hidden -> out_features. Kept as float whatever the model's
    /// weights are: it is small. Errors: format (missing), shape, unsupported.
    Linear<float> linear(const std::string& name, Index out_features) const;

    /// The same without a bias. Errors: as above.
    Linear<float> linear_without_bias(const std::string& name, Index out_features) const;

    /// The head "cls.predictions". A decoder's weights of its own are used where the checkpoint has them; else they are
    /// the word embeddings, if the configuration ties them. Errors: format (missing), shape, unsupported.
    template <class W>
    MaskedLmHead<W> masked_lm() const;

private:
    /// Errors: shape (a head without outputs, as "id2label": {} makes it).
    void check_outputs(const std::string& name, Index out_features) const;

    ModelConfig config_;
    Checkpoint checkpoint_;
    std::string kernels_;
};

/// A masked-LM head whose type of weights is a value, as AnyBertModel.
class AnyMaskedLmHead {
public:
    /// Errors: see HeadFolder::masked_lm().
    AnyMaskedLmHead(const HeadFolder& folder, WeightType weights) : head_(load(folder, weights)) {}

    Index vocab_size() const noexcept;  ///< columns of the logits

    /// See MaskedLmHead::forward().
    void forward(const ConstRows<float>& x, Rows<float> logits, Workspace& workspace) const;

    /// Calls function(row number, logits of vocab_size() values) for each row of x (n x hidden). Few rows are computed
    /// at a time: the logits of a long text would need more memory than its whole model. Errors: shape.
    template <class Function>
    void for_each_row(const ConstRows<float>& x, Workspace& workspace, const Function& function) const {
        constexpr Index block = 48;
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

    static Head load(const HeadFolder& folder, WeightType weights);

    Head head_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/model/task_heads.ipp>
#endif
