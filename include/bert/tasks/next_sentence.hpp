// Whether one text follows another, by BERT's second pre-training task. Depends on tasks/pooled_classifier.
#pragma once

#include <bert/io/model_path.hpp>
#include <bert/tasks/pooled_classifier.hpp>

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
    explicit NextSentence(const ModelPath& folder, const TaskOptions& options = {});

    /// How likely `second` follows `first`.
    NextSentenceScore score(const std::string& first, const std::string& second) const;

    /// score() of each pair, in order.
    std::vector<NextSentenceScore> score_batch(const std::vector<TextPair>& pairs) const;

    const TaskModel& task() const noexcept { return classifier_.task(); }  ///< model and tokenizer

private:
    std::vector<NextSentenceScore> scores(const std::vector<PooledClassifier::Input>& inputs) const;

    PooledClassifier classifier_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/next_sentence.ipp>
#endif
