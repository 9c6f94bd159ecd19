// Definitions of tasks/zero_shot_classifier.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/scores.hpp>
#include <bert/tasks/zero_shot_classifier.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>

BERT_NAMESPACE_BEGIN

BERT_INLINE ZeroShotClassifier::ZeroShotClassifier(const ModelPath& folder, const TaskOptions& options,
                                                   const std::optional<std::string>& entailment)
    : classifier_(folder, Task::text_classification, "classifier", std::nullopt, options) {
    choose_labels(folder, entailment);
}

BERT_INLINE ZeroShotResult ZeroShotClassifier::classify(const std::string& text, const std::vector<std::string>& labels,
                                                        const ZeroShotOptions& options) const {
    return classify_batch({text}, labels, options).front();
}

BERT_INLINE std::vector<ZeroShotResult> ZeroShotClassifier::classify_batch(const std::vector<std::string>& texts,
                                                                           const std::vector<std::string>& labels,
                                                                           const ZeroShotOptions& options) const {
    if (labels.empty()) detail::fail(ErrorKind::input, "at least one label is needed");
    const std::size_t place = options.hypothesis.find("{}");
    if (place == std::string::npos || options.hypothesis.find("{}", place + 2) != std::string::npos) {
        detail::fail(ErrorKind::input, "the hypothesis \"", options.hypothesis, "\" should hold \"{}\" once");
    }
    std::vector<std::string> hypotheses;
    hypotheses.reserve(labels.size());
    for (const std::string& label : labels) {
        hypotheses.push_back(std::string(options.hypothesis).replace(place, 2, label));
    }
    std::vector<PooledClassifier::Input> inputs;
    for (const std::string& text : texts) {
        for (const std::string& hypothesis : hypotheses) inputs.push_back({text, hypothesis});
    }
    const PooledClassifier::Logits logits = classifier_.compute(inputs, TruncationStrategy::only_first);
    std::vector<ZeroShotResult> results(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::size_t first = i * labels.size();
        const auto rows = logits.values.middleRows(static_cast<Index>(first), static_cast<Index>(labels.size()));
        results[i].labels = rank(labels, scores(rows, options.multi_label));
        const auto begin = logits.truncated.begin() + static_cast<std::ptrdiff_t>(first);
        const auto end = begin + static_cast<std::ptrdiff_t>(labels.size());
        results[i].truncated = std::find(begin, end, true) != end;
    }
    return results;
}

BERT_INLINE void ZeroShotClassifier::choose_labels(const ModelPath& folder,
                                                   const std::optional<std::string>& entailment) {
    const Index count = classifier_.labels();
    std::string known;
    entailment_ = -1;
    for (Index id = 0; id < count; ++id) {
        const std::string name = label_name(task().config(), id);
        known.append(known.empty() ? "" : ", ").append(name);
        const bool entails = entailment ? name == *entailment : begins_entail(name);
        if (entails && entailment_ < 0) entailment_ = id;
    }
    if (count < 2) {
        detail::fail(ErrorKind::unsupported, folder, ": zero-shot classification needs a model of entailment, but ",
                     "this one has a single label, ", known);
    }
    if (entailment_ < 0) {
        detail::fail(entailment ? ErrorKind::input : ErrorKind::unsupported, folder, ": no label ",
                     entailment ? "is called \"" + *entailment + "\"" : std::string("stands for entailment"),
                     "; the labels are: ", known);
    }
    contradiction_ = entailment_ == 0 ? count - 1 : 0;
}

BERT_INLINE bool ZeroShotClassifier::begins_entail(std::string name) {
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return detail::starts_with(name, "entail");
}

BERT_INLINE std::vector<float> ZeroShotClassifier::scores(const Matrix& logits, bool multi_label) const {
    std::vector<float> result;
    if (multi_label || logits.rows() == 1) {
        Matrix pairs(logits.rows(), 2);
        pairs << logits.col(contradiction_), logits.col(entailment_);
        softmax_rows(pairs);
        for (Index i = 0; i < pairs.rows(); ++i) result.push_back(pairs(i, 1));
    } else {
        Matrix row = logits.col(entailment_).transpose();
        softmax_rows(row);
        result.assign(row.data(), row.data() + row.size());
    }
    return result;
}

BERT_INLINE std::vector<ZeroShotLabel> ZeroShotClassifier::rank(const std::vector<std::string>& labels,
                                                                const std::vector<float>& scores) {
    std::vector<std::size_t> order(labels.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
    std::vector<ZeroShotLabel> result;
    for (auto i = order.rbegin(); i != order.rend(); ++i) result.push_back({labels[*i], scores[*i]});
    return result;
}

BERT_NAMESPACE_END
