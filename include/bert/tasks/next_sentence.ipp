// Definitions of tasks/next_sentence.hpp.
#pragma once

#include <bert/tasks/next_sentence.hpp>
#include <bert/tasks/scores.hpp>

#include <cstddef>

BERT_NAMESPACE_BEGIN

BERT_INLINE NextSentence::NextSentence(const ModelPath& folder, const TaskOptions& options)
    : classifier_(folder, Task::next_sentence, "cls.seq_relationship", 2, options) {}

BERT_INLINE NextSentenceScore NextSentence::score(const std::string& first, const std::string& second) const {
    return scores({{first, second}}).front();
}

BERT_INLINE std::vector<NextSentenceScore> NextSentence::score_batch(const std::vector<TextPair>& pairs) const {
    std::vector<PooledClassifier::Input> inputs;
    inputs.reserve(pairs.size());
    for (const TextPair& pair : pairs) inputs.push_back({pair.first, pair.second});
    return scores(inputs);
}

BERT_INLINE std::vector<NextSentenceScore> NextSentence::scores(
    const std::vector<PooledClassifier::Input>& inputs) const {
    const PooledClassifier::Logits logits = classifier_.compute(inputs);
    Matrix probabilities = logits.values;
    softmax_rows(probabilities);
    std::vector<NextSentenceScore> result;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const auto row = static_cast<Index>(i);
        result.push_back({probabilities(row, 0), logits.values(row, 0), logits.values(row, 1), logits.truncated[i]});
    }
    return result;
}

BERT_NAMESPACE_END
