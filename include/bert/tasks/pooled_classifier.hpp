// What next-sentence prediction, text classification and reranking share: a dense layer on BERT's pooled vector of a
// text or a pair of texts. Depends on core, text, model and tasks/task_model.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/model_path.hpp>
#include <bert/model/task_heads.hpp>
#include <bert/tasks/task_model.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Two texts that belong together: question and context, query and document, premise and hypothesis.
struct TextPair {
    std::string first;   ///< the first text
    std::string second;  ///< the second text
};

/// logits = W pooled + b for texts and pairs of texts, which get the token types of the tokenizer's template.
class PooledClassifier {
public:
    /// A text, or a pair. The views must live until the call returns.
    struct Input {
        std::string_view first;                  ///< the only text, or the first
        std::optional<std::string_view> second;  ///< nothing for a single text
    };

    /// What classify() returns.
    struct Logits {
        Matrix values;                ///< inputs x labels
        std::vector<bool> truncated;  ///< per input: whether tokens were left out to respect max_length()
    };

    /// `head`: name of the dense layer in the checkpoint; `labels`: its outputs, config.json's num_labels where not
    /// given. Errors: those of TaskModel and HeadFolder; format (no pooler).
    PooledClassifier(const ModelPath& folder, Task task, const char* head, std::optional<Index> labels,
                     const TaskOptions& options, const TokenizerChanges& changes = {});

    const TaskModel& task() const noexcept { return task_; }        ///< model and tokenizer
    Index labels() const noexcept { return head_.out_features(); }  ///< columns of the logits

    /// The logits of all inputs; `truncation` says which text of a pair gives way. Errors: input (that truncation
    /// cannot make a pair fit; a token type the model does not have), format (invalid UTF-8, where that is refused;
    /// numbers that grow too large).
    Logits compute(const std::vector<Input>& inputs,
                   TruncationStrategy truncation = TruncationStrategy::longest_first) const;

private:
    PooledClassifier(const ModelPath& folder, const HeadFolder& heads, const char* head, std::optional<Index> labels,
                     const TaskOptions& options, const TokenizerChanges& changes);

    Linear<float> head_;
    TaskModel task_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/pooled_classifier.ipp>
#endif
