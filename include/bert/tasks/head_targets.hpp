// From labelled examples to what a head is fitted to: splits, label ids, target matrices and weights. Depends on
// io/training_file, tasks/head_features, tasks/head_objective and tasks/optimizer.
#pragma once

#include <bert/io/training_file.hpp>
#include <bert/tasks/head_features.hpp>
#include <bert/tasks/head_objective.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Examples by what they are used for.
struct HeadSplit {
    std::vector<TrainingExample> train;
    std::vector<TrainingExample> held_out;
    std::vector<TrainingExample> test;
};

HeadSplit split_examples(const std::vector<TrainingExample>& examples, HeadTask task, double held_out,
                         std::uint32_t seed);

/// The labels by id. Errors: input (one class, a label given twice).
std::vector<std::string> head_labels(const std::vector<TrainingExample>& examples, HeadTask task,
                                     const std::vector<std::string>& given);

/// What the rows of `features` should become. Errors: input.
HeadTargets head_targets(const std::vector<TrainingExample>& examples, const HeadFeatures& features, HeadTask task,
                         const std::vector<std::string>& labels);

/// Sets the weights of rows, or for several labels those of labels that apply. Errors: input.
void weigh_targets(HeadTargets& targets, HeadTask task, const std::vector<std::string>& labels, bool balanced,
                   const std::map<std::string, double>& class_weights);

}  // namespace detail

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/head_targets.ipp>
#endif
