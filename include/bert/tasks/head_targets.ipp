// Definitions of tasks/head_targets.hpp.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/tasks/head_targets.hpp>
#include <bert/tasks/optimizer.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <set>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE const std::vector<std::string>& labels_of(const TrainingExample& example, HeadTask task) {
    return task == HeadTask::tokens ? example.tags : example.labels;
}

/// Moves a share of split.train to split.held_out: of each class the same share, where examples have one.
BERT_INLINE void hold_out(HeadSplit& split, HeadTask task, double share, std::uint32_t seed) {
    std::map<std::string, std::vector<Index>> groups;
    for (std::size_t i = 0; i < split.train.size(); ++i) {
        const auto& labels = split.train[i].labels;
        const bool grouped = task == HeadTask::classification && !labels.empty();
        groups[grouped ? labels.front() : ""].push_back(static_cast<Index>(i));
    }
    std::mt19937 random(seed);
    std::vector<unsigned char> held(split.train.size(), 0);
    for (auto& [label, rows] : groups) {
        shuffle(rows, random);
        const auto count = static_cast<std::size_t>(std::round(share * static_cast<double>(rows.size())));
        for (std::size_t i = 0; i < std::min(count, rows.size() - 1); ++i) held[static_cast<std::size_t>(rows[i])] = 1;
    }
    // What is held out must not be the only place of a label.
    std::map<std::string, std::size_t> left;
    for (std::size_t i = 0; i < held.size(); ++i) {
        if (held[i]) continue;
        for (const std::string& label : labels_of(split.train[i], task)) ++left[label];
    }
    for (std::size_t i = 0; i < held.size() && task != HeadTask::regression; ++i) {
        if (!held[i]) continue;
        const auto& labels = labels_of(split.train[i], task);
        if (std::all_of(labels.begin(), labels.end(), [&](const auto& label) { return left.count(label) > 0; }))
            continue;
        held[i] = 0;
        for (const std::string& label : labels) ++left[label];
    }
    std::vector<TrainingExample> kept;
    for (std::size_t i = 0; i < held.size(); ++i) {
        (held[i] ? split.held_out : kept).push_back(std::move(split.train[i]));
    }
    split.train = std::move(kept);
}

BERT_INLINE HeadSplit split_examples(const std::vector<TrainingExample>& examples, HeadTask task, double held_out,
                                     std::uint32_t seed) {
    HeadSplit split;
    for (const TrainingExample& example : examples) {
        const std::string& name = example.split;
        if (name.empty() || name == "train") split.train.push_back(example);
        else if (name == "validation" || name == "valid" || name == "dev") split.held_out.push_back(example);
        else if (name == "test") split.test.push_back(example);
        else fail(ErrorKind::input, "split \"", name, "\" should be train, validation or test");
    }
    if (split.train.empty()) fail(ErrorKind::input, "there are no examples to train on");
    if (split.held_out.empty()) hold_out(split, task, held_out, seed);
    return split;
}

/// Whole numbers come in their order, other labels by their bytes.
BERT_INLINE bool label_before(const std::string& a, const std::string& b) {
    const auto x = parse_number(a);
    const auto y = parse_number(b);
    if (x && y && *x != *y) return *x < *y;
    return static_cast<bool>(x) != static_cast<bool>(y) ? static_cast<bool>(x) : a < b;
}

BERT_INLINE std::vector<std::string> head_labels(const std::vector<TrainingExample>& examples, HeadTask task,
                                                 const std::vector<std::string>& given) {
    if (task == HeadTask::regression) return {"LABEL_0"};
    std::set<std::string> found;
    for (const TrainingExample& example : examples) {
        const auto& labels = labels_of(example, task);
        found.insert(labels.begin(), labels.end());
    }
    if (found.empty()) fail(ErrorKind::input, "the training examples have no labels");
    if (task != HeadTask::multi_label && found.size() == 1) {
        fail(ErrorKind::input, "the training examples are all of one class, \"", *found.begin(),
             "\": there is nothing to tell apart");
    }
    std::vector<std::string> labels = given;
    if (given.empty()) {
        labels.assign(found.begin(), found.end());
        std::sort(labels.begin(), labels.end(), label_before);
    } else if (std::set<std::string>(given.begin(), given.end()).size() != given.size()) {
        fail(ErrorKind::input, "a label name is given twice");
    }
    return labels;
}

BERT_INLINE Index label_id(const std::vector<std::string>& labels, const std::string& name, std::size_t example) {
    const auto it = std::find(labels.begin(), labels.end(), name);
    if (it == labels.end()) {
        std::string known;
        for (const auto& label : labels) known += (known.empty() ? "\"" : ", \"") + label + "\"";
        fail(ErrorKind::input, "example ", example, " has the unknown label \"", name, "\"; known are ", known);
    }
    return it - labels.begin();
}

BERT_INLINE HeadTargets head_targets(const std::vector<TrainingExample>& examples, const HeadFeatures& features,
                                     HeadTask task, const std::vector<std::string>& labels) {
    HeadTargets targets;
    targets.values = RowMatrix<double>::Zero(features.rows.rows(), static_cast<Index>(labels.size()));
    for (std::size_t row = 0; row < features.examples.size(); ++row) {
        const std::size_t at = features.examples[row];
        const TrainingExample& example = examples[at];
        if (task == HeadTask::regression) {
            if (!example.value || !std::isfinite(*example.value)) {
                fail(ErrorKind::input, "example ", at, " has no finite number to learn");
            }
            targets.values(static_cast<Index>(row), 0) = *example.value;
        } else if (task == HeadTask::tokens) {
            if (example.tags.size() != example.words.size()) {
                fail(ErrorKind::input, "example ", at, " has ", example.words.size(), " words, but ",
                     example.tags.size(), " tags");
            }
            const std::string& tag = example.tags[features.words[row]];
            targets.values(static_cast<Index>(row), label_id(labels, tag, at)) = 1;
        } else {
            if (task == HeadTask::classification && example.labels.size() != 1) {
                fail(ErrorKind::input, "example ", at, " should have one label, given ", example.labels.size());
            }
            for (const std::string& name : example.labels) {
                targets.values(static_cast<Index>(row), label_id(labels, name, at)) = 1;
            }
        }
    }
    return targets;
}

BERT_INLINE void weigh_targets(HeadTargets& targets, HeadTask task, const std::vector<std::string>& labels,
                               bool balanced, const std::map<std::string, double>& class_weights) {
    if (!balanced && class_weights.empty()) return;
    if (task == HeadTask::regression) fail(ErrorKind::input, "class weights have no meaning for a regression");
    const auto rows = static_cast<double>(targets.rows());
    std::vector<double> weights(labels.size(), 1.0);
    for (std::size_t i = 0; i < labels.size() && balanced; ++i) {
        const double count = targets.values.col(static_cast<Index>(i)).sum();
        if (count == 0 || count == rows) continue;
        weights[i] = task == HeadTask::multi_label ? (rows - count) / count
                                                   : rows / (static_cast<double>(labels.size()) * count);
    }
    for (const auto& [name, weight] : class_weights) {
        const auto it = std::find(labels.begin(), labels.end(), name);
        if (it == labels.end()) fail(ErrorKind::input, "there is a weight for the unknown label \"", name, "\"");
        if (!(weight > 0) || !std::isfinite(weight)) {
            fail(ErrorKind::input, "the weight of label \"", name, "\" should be positive, given ", weight);
        }
        weights[static_cast<std::size_t>(it - labels.begin())] = weight;
    }
    if (task == HeadTask::multi_label) {
        targets.positive_weights = std::move(weights);
        return;
    }
    const Eigen::Map<const Vector<double>> by_label(weights.data(), static_cast<Index>(weights.size()));
    const Vector<double> by_row = targets.values * by_label;
    targets.row_weights.assign(by_row.data(), by_row.data() + by_row.size());
}

}  // namespace detail

BERT_NAMESPACE_END
