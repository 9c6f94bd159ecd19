// Definitions of tasks/text_classifier.hpp.
#pragma once

#include <bert/tasks/scores.hpp>
#include <bert/tasks/text_classifier.hpp>

BERT_NAMESPACE_BEGIN

BERT_INLINE ScoreFunction score_function_of(const ModelConfig& config) {
    if (config.problem_type == ProblemType::regression) return ScoreFunction::none;
    if (config.problem_type == ProblemType::multi_label || config.num_labels == 1) return ScoreFunction::sigmoid;
    return ScoreFunction::softmax;
}

BERT_INLINE TextClassifier::TextClassifier(const ModelPath& folder, const TaskOptions& options)
    : classifier_(folder, Task::text_classification, "classifier", std::nullopt, options) {}

BERT_INLINE Classification TextClassifier::classify(const std::string& text, const ClassifyOptions& options) const {
    return classify_inputs({{text, std::nullopt}}, options).front();
}

BERT_INLINE Classification TextClassifier::classify_pair(const std::string& first, const std::string& second,
                                                         const ClassifyOptions& options) const {
    return classify_inputs({{first, second}}, options).front();
}

BERT_INLINE std::vector<Classification> TextClassifier::classify_batch(const std::vector<std::string>& texts,
                                                                       const ClassifyOptions& options) const {
    std::vector<PooledClassifier::Input> inputs;
    inputs.reserve(texts.size());
    for (const std::string& text : texts) inputs.push_back({text, std::nullopt});
    return classify_inputs(inputs, options);
}

BERT_INLINE std::vector<Classification> TextClassifier::classify_pairs(const std::vector<TextPair>& pairs,
                                                                       const ClassifyOptions& options) const {
    std::vector<PooledClassifier::Input> inputs;
    inputs.reserve(pairs.size());
    for (const TextPair& pair : pairs) inputs.push_back({pair.first, pair.second});
    return classify_inputs(inputs, options);
}

BERT_INLINE std::vector<std::string> TextClassifier::labels() const {
    std::vector<std::string> names;
    for (Index id = 0; id < classifier_.labels(); ++id) names.push_back(label_name(task().config(), id));
    return names;
}

BERT_INLINE std::vector<Classification> TextClassifier::classify_inputs(
    const std::vector<PooledClassifier::Input>& inputs, const ClassifyOptions& options) const {
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

BERT_NAMESPACE_END
