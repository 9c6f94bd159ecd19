// Classes of texts and of pairs of texts: sentiment, topic, entailment, regression. Depends on tasks/pooled_classifier.
#pragma once

#include <bert/io/model_path.hpp>
#include <bert/tasks/pooled_classifier.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What makes scores of logits.
enum class ScoreFunction {
    softmax,  ///< of several classes one
    sigmoid,  ///< each class for itself
    none,     ///< the logits: regression
};

/// The function that `transformers`' pipeline applies: by problem_type, and without one by the number of labels.
ScoreFunction score_function_of(const ModelConfig& config);

/// Options of one call of TextClassifier.
struct ClassifyOptions {
    std::optional<std::size_t> top_k;       ///< most labels to return; all where not set
    std::optional<ScoreFunction> function;  ///< instead of the folder's
};

/// A label with its score.
struct LabelScore {
    std::string label;  ///< as id2label names it
    Index id = 0;       ///< its place among the model's outputs
    float score = 0;    ///< see ClassifyOptions
};

/// What became of a text.
struct Classification {
    std::vector<LabelScore> labels;  ///< best first
    std::vector<float> logits;       ///< all of the model's outputs, in their own order
    bool truncated = false;          ///< whether tokens were left out to respect the model's limit
};

/// Sequence classification (BertForSequenceClassification) as `transformers`' text-classification pipeline does it.
/// Const calls may be made from several threads at once.
class TextClassifier {
public:
    /// Errors: file, format, shape (weights and labels disagree), vocabulary, unsupported (no such head in the folder).
    explicit TextClassifier(const ModelPath& folder, const TaskOptions& options = {});

    /// Classifies a text.
    Classification classify(const std::string& text, const ClassifyOptions& options = {}) const;

    /// Classifies a pair, the second text with the token type of second texts.
    Classification classify_pair(const std::string& first, const std::string& second,
                                 const ClassifyOptions& options = {}) const;

    /// classify() of each text, in order.
    std::vector<Classification> classify_batch(const std::vector<std::string>& texts,
                                               const ClassifyOptions& options = {}) const;

    /// classify_pair() of each pair, in order.
    std::vector<Classification> classify_pairs(const std::vector<TextPair>& pairs,
                                               const ClassifyOptions& options = {}) const;

    /// The name of each output.
    std::vector<std::string> labels() const;

    const TaskModel& task() const noexcept { return classifier_.task(); }  ///< model and tokenizer

private:
    std::vector<Classification> classify_inputs(const std::vector<PooledClassifier::Input>& inputs,
                                                const ClassifyOptions& options) const;

    PooledClassifier classifier_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/text_classifier.ipp>
#endif
