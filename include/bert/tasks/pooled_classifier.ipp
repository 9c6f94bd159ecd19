// Definitions of tasks/pooled_classifier.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/pooled_classifier.hpp>

BERT_NAMESPACE_BEGIN

BERT_INLINE PooledClassifier::PooledClassifier(const ModelPath& folder, Task task, const char* head,
                                               std::optional<Index> labels, const TaskOptions& options,
                                               const TokenizerChanges& changes)
    : PooledClassifier(folder, HeadFolder(folder, task, options.load), head, labels, options, changes) {}

BERT_INLINE auto PooledClassifier::compute(const std::vector<Input>& inputs, TruncationStrategy truncation) const
    -> Logits {
    Logits logits;
    logits.values.resize(static_cast<Index>(inputs.size()), labels());
    TaskRun run(task_, [&](const TaskStep& step) {
        const Matrix pooled = task_.model().pool(step.hidden, step.batch, step.workspace);
        auto rows = logits.values.middleRows(static_cast<Index>(step.first), pooled.rows());
        head_.forward(pooled, rows, step.workspace);
        detail::check_outputs<float>(rows);
    });
    EncodeOptions options;
    options.max_length = task_.max_length();
    options.truncation = truncation;
    TokenIds ids;
    for (const Input& input : inputs) {
        if (input.second) task_.tokenizer().encode_ids(input.first, *input.second, options, ids);
        else task_.tokenizer().encode_ids(input.first, options, ids);
        logits.truncated.push_back(ids.truncated);
        run.add(ids);
        if (run.full()) run.compute();
    }
    run.compute();
    return logits;
}

BERT_INLINE PooledClassifier::PooledClassifier(const ModelPath& folder, const HeadFolder& heads, const char* head,
                                               std::optional<Index> labels, const TaskOptions& options,
                                               const TokenizerChanges& changes)
    : head_(heads.linear(head, labels.value_or(heads.config().num_labels))), task_(folder, options, changes) {
    if (!task_.model().has_pooler()) {
        detail::fail(ErrorKind::format, folder, ": the head \"", head,
                     "\" stands on BERT's pooler, but tensor \"pooler.dense.weight\" is missing");
    }
}

BERT_NAMESPACE_END
