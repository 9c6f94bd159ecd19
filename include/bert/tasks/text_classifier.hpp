// Classes of texts and of pairs of texts: sentiment, topic, entailment, regression. Depends on tasks/pooled_classifier.
#pragma once

#include <bert/io/model_path.hpp>
#include <bert/tasks/pooled_classifier.hpp>
#include <bert/tasks/scores.hpp>

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
inline ScoreFunction score_function_of(const ModelConfig& config) {
    if (config.problem_type == ProblemType::regression) return ScoreFunction::none;
    if (config.problem_type == ProblemType::multi_label || config.num_labels == 1) return ScoreFunction::sigmoid;
    return ScoreFunction::softmax;
}

/// Options of one call of TextClassifier.
struct ClassifyOptions {
    std::optional<std::size_t> top_k;       ///< most labels to return; all where not set
    std::optional<ScoreFunction> function;  ///< instead of the folder's
};

/// A label with its score.
struct LabelScore {
    std::string label;  ///< as id2label names it
    Index id = 0;       ///< its place among the model's outputs
    float score = 0;
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
    explicit TextClassifier(const ModelPath& folder, const TaskOptions& options = {})
        : classifier_(folder, Task::text_classification, "classifier", std::nullopt, options) {}

    Classification classify(const std::string& text, const ClassifyOptions& options = {}) const {
        return classify_inputs({{text, std::nullopt}}, options).front();
    }

    /// Classifies a pair, the second text with the token type of second texts.
    Classification classify_pair(const std::string& first, const std::string& second,
                                 const ClassifyOptions& options = {}) const {
        return classify_inputs({{first, second}}, options).front();
    }

    std::vector<Classification> classify_batch(const std::vector<std::string>& texts,
                                               const ClassifyOptions& options = {}) const {
        std::vector<PooledClassifier::Input> inputs;
        for (const std::string& text : texts) inputs.push_back({text, std::nullopt});
        return classify_inputs(inputs, options);
    }

    std::vector<Classification> classify_pairs(const std::vector<TextPair>& pairs,
                                               const ClassifyOptions& options = {}) const {
        std::vector<PooledClassifier::Input> inputs;
        for (const TextPair& pair : pairs) inputs.push_back({pair.first, pair.second});
        return classify_inputs(inputs, options);
    }

    /// The name of each output.
    std::vector<std::string> labels() const {
        std::vector<std::string> names;
        for (Index id = 0; id < classifier_.labels(); ++id) names.push_back(label_name(task().config(), id));
        return names;
    }

    const TaskModel& task() const noexcept { return classifier_.task(); }

private:
    std::vector<Classification> classify_inputs(const std::vector<PooledClassifier::Input>& inputs,
                                                const ClassifyOptions& options) const {
        const PooledClassifier::Logits logits = classifier_.compute(inputs);
        Matrix scores = logits.values;
        switch (options.function.value_or(score_function_of(task().config()))) {
            case ScoreFunction::softmax: softmax_rows(scores); break;
            case ScoreFunction::sigmoid: activate_all(Activation::sigmoid, scores); break;
            case ScoreFunction::none: break;
        }
        const auto labels = static_cast<std::size_t>(classifier_.labels());
        std::vector<Classification> result(inputs.size());
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            const float* const own = scores.data() + i * labels;
            for (const std::size_t id : highest(own, labels, options.top_k.value_or(labels))) {
                const auto index = static_cast<Index>(id);
                result[i].labels.push_back({label_name(task().config(), index), index, own[id]});
            }
            const float* const first = logits.values.data() + i * labels;
            result[i].logits.assign(first, first + labels);
            result[i].truncated = logits.truncated[i];
        }
        return result;
    }

    PooledClassifier classifier_;
};

BERT_NAMESPACE_END
