// Whether one text follows another, by BERT's second pre-training task. Depends on tasks/pooled_classifier.
#pragma once

#include <bert/io/model_path.hpp>
#include <bert/tasks/pooled_classifier.hpp>
#include <bert/tasks/scores.hpp>

#include <cstddef>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What NextSentence says of a pair.
struct NextSentenceScore {
    float probability = 0;      ///< that the second text follows the first
    float is_next_logit = 0;    ///< `transformers`' output 0
    float is_random_logit = 0;  ///< `transformers`' output 1
    bool truncated = false;     ///< whether tokens were left out to respect the model's limit
};

/// Next-sentence prediction (Devlin et al. 2018, section 3.1, task 2) with models of the classes
/// BertForNextSentencePrediction and BertForPreTraining. Const calls may be made from several threads at once.
class NextSentence {
public:
    /// Errors: file, format, shape, vocabulary, unsupported (no such head in the folder).
    explicit NextSentence(const ModelPath& folder, const TaskOptions& options = {})
        : classifier_(folder, Task::next_sentence, "cls.seq_relationship", 2, options) {}

    NextSentenceScore score(const std::string& first, const std::string& second) const {
        return scores({{first, second}}).front();
    }

    std::vector<NextSentenceScore> score_batch(const std::vector<TextPair>& pairs) const {
        std::vector<PooledClassifier::Input> inputs;
        for (const TextPair& pair : pairs) inputs.push_back({pair.first, pair.second});
        return scores(inputs);
    }

    const TaskModel& task() const noexcept { return classifier_.task(); }

private:
    std::vector<NextSentenceScore> scores(const std::vector<PooledClassifier::Input>& inputs) const {
        const PooledClassifier::Logits logits = classifier_.compute(inputs);
        Matrix probabilities = logits.values;
        softmax_rows(probabilities);
        std::vector<NextSentenceScore> result;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            const auto row = static_cast<Index>(i);
            result.push_back(
                {probabilities(row, 0), logits.values(row, 0), logits.values(row, 1), logits.truncated[i]});
        }
        return result;
    }

    PooledClassifier classifier_;
};

BERT_NAMESPACE_END
