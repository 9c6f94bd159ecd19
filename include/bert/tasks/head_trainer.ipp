// Definitions of tasks/head_trainer.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/checkpoint.hpp>
#include <bert/io/model_writer.hpp>
#include <bert/model/weights.hpp>
#include <bert/nn/linear.hpp>
#include <bert/tasks/head_targets.hpp>
#include <bert/tasks/head_trainer.hpp>
#include <bert/tasks/optimizer.hpp>
#include <bert/tasks/similarity.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

BERT_NAMESPACE_BEGIN

BERT_INLINE HeadTrainer::HeadTrainer(const ModelPath& folder, const TaskOptions& options)
    : folder_(folder), load_(options.load), model_(folder, options) {}

BERT_INLINE TrainedHead HeadTrainer::train(const std::vector<TrainingExample>& examples,
                                           const HeadTrainerOptions& options) const {
    check(options);
    const detail::HeadSplit split = detail::split_examples(examples, options.task, options.held_out, options.seed);
    TrainedHead head;
    head.task = options.task;
    head.labels = detail::head_labels(split.train, options.task, options.labels);
    if (options.task != HeadTask::tokens) make_pooler(options.pooler, head);

    const HeadFeatures features = features_of(head, split.train);
    HeadTargets targets = detail::head_targets(split.train, features, options.task, head.labels);
    detail::weigh_targets(targets, options.task, head.labels, options.balanced, options.class_weights);
    const HeadFeatures held_features = features_of(head, split.held_out);
    const HeadTargets held_targets = detail::head_targets(split.held_out, held_features, options.task, head.labels);
    if (targets.rows() == 0) detail::fail(ErrorKind::input, "there is nothing to train on: no words with tags");

    fit(features.rows, targets, held_features.rows, held_targets, options, head);
    head.truncated = features.truncated + held_features.truncated;
    head.train = measure(head, features, targets);
    if (held_targets.rows() > 0) head.held_out = measure(head, held_features, held_targets);
    if (!split.test.empty()) head.test = evaluate(head, split.test);
    return head;
}

BERT_INLINE HeadMetrics HeadTrainer::evaluate(const TrainedHead& head,
                                              const std::vector<TrainingExample>& examples) const {
    const HeadFeatures features = features_of(head, examples);
    return measure(head, features, detail::head_targets(examples, features, head.task, head.labels));
}

BERT_INLINE Matrix HeadTrainer::logits(const TrainedHead& head, const std::vector<TrainingExample>& examples) const {
    return classify(head, features_of(head, examples).rows);
}

BERT_INLINE void HeadTrainer::save(const TrainedHead& head, const std::filesystem::path& target) const {
    HeadConfig config;
    config.labels = head.labels;
    std::vector<NewTensor> tensors;
    const auto add = [&](const std::string& name, const auto& values, std::vector<Index> shape) {
        const float* const data = values.data();
        const Index size = values.size();
        tensors.push_back(
            float_tensor(name, std::move(shape), [data, size](float* out) { std::copy_n(data, size, out); }));
    };
    if (head.task == HeadTask::tokens) {
        config.architecture = "BertForTokenClassification";
    } else {
        config.architecture = "BertForSequenceClassification";
        config.problem_type = head.task == HeadTask::classification ? "single_label_classification"
                              : head.task == HeadTask::multi_label  ? "multi_label_classification"
                                                                    : "regression";
        add("bert.pooler.dense.weight", head.pooler_weight, {head.pooler_weight.rows(), head.pooler_weight.cols()});
        add("bert.pooler.dense.bias", head.pooler_bias, {head.pooler_bias.size()});
    }
    add("classifier.weight", head.weight, {head.weight.rows(), head.weight.cols()});
    add("classifier.bias", head.bias, {head.bias.size()});
    write_head_folder(folder_, target, config, std::move(tensors));
}

BERT_INLINE void HeadTrainer::check(const HeadTrainerOptions& options) {
    if (!(options.l2 >= 0 && std::isfinite(options.l2))) {
        detail::fail(ErrorKind::input, "l2 should not be negative or infinite, given ", options.l2);
    }
    if (!(options.held_out >= 0 && options.held_out < 1)) {
        detail::fail(ErrorKind::input, "held_out should be in [0, 1), given ", options.held_out);
    }
    if (!(options.learning_rate > 0)) {
        detail::fail(ErrorKind::input, "learning_rate should be positive, given ", options.learning_rate);
    }
    if (options.patience < 1) detail::fail(ErrorKind::input, "patience should be at least 1, given 0");
}

BERT_INLINE void HeadTrainer::make_pooler(HeadPooler kind, TrainedHead& head) const {
    const Index hidden = model_.config().hidden_size;
    if (kind == HeadPooler::identity) {
        head.pooler_weight = Matrix::Identity(hidden, hidden);
        head.pooler_bias = Vector<float>::Zero(hidden);
        return;
    }
    const Checkpoint checkpoint(folder_, load_.memory_map);
    Weights weights = Weights::of_encoder(checkpoint);
    if (!weights.has("pooler.dense.weight")) {
        detail::fail(ErrorKind::input, folder_, ": the checkpoint has no pooler to build on");
    }
    head.pooler_weight = weights.matrix<float>("pooler.dense.weight", hidden, hidden);
    head.pooler_bias = weights.vector<float>("pooler.dense.bias", hidden);
}

BERT_INLINE HeadFeatures HeadTrainer::features_of(const TrainedHead& head,
                                                  const std::vector<TrainingExample>& examples) const {
    if (head.task == HeadTask::tokens) return word_features(model_, examples);
    HeadFeatures features = text_features(model_, examples);
    const auto workspace = model_.borrow_workspace();
    Matrix pooled(features.rows.rows(), head.pooler_weight.rows());
    Linear<float>(head.pooler_weight, head.pooler_bias).forward(features.rows, pooled, *workspace, Activation::tanh);
    features.rows = std::move(pooled);
    return features;
}

BERT_INLINE Matrix HeadTrainer::classify(const TrainedHead& head, const Matrix& features) const {
    Matrix logits(features.rows(), head.weight.rows());
    const auto workspace = model_.borrow_workspace();
    Linear<float>(head.weight, head.bias).forward(features, logits, *workspace);
    return logits;
}

BERT_INLINE HeadMetrics HeadTrainer::measure(const TrainedHead& head, const HeadFeatures& features,
                                             const HeadTargets& targets) const {
    return head_metrics(classify(head, features.rows), targets, head.task);
}

BERT_INLINE void HeadTrainer::fit(const Matrix& features, const HeadTargets& targets, const Matrix& held_features,
                                  const HeadTargets& held_targets, const HeadTrainerOptions& options,
                                  TrainedHead& head) {
    detail::check_finite(features, "the encoder's features");
    const HeadObjective objective(features, targets, options.task, options.l2);
    const HeadObjective held_objective(held_features, held_targets, options.task, 0);
    Vector<double> x = Vector<double>::Zero(objective.parameters());
    Vector<double> best = x;
    Vector<double> unused;
    double best_loss = std::numeric_limits<double>::infinity();
    std::size_t best_iteration = 0;
    const auto after = [&](std::size_t iteration, const Vector<double>& point, double value) {
        head.iterations = iteration;
        const double loss = held_targets.rows() > 0 ? held_objective(point, unused) : value;
        if (options.progress) options.progress(iteration, loss);
        if (held_targets.rows() == 0) return true;
        if (loss < best_loss) {
            best_loss = loss;
            best = point;
            best_iteration = iteration;
        }
        return iteration - best_iteration < options.patience;
    };
    if (options.optimizer == HeadOptimizer::lbfgs) {
        LbfgsOptions lbfgs;
        lbfgs.max_iterations = options.max_iterations;
        x = minimize_lbfgs(
            [&](const Vector<double>& point, Vector<double>& gradient) { return objective(point, gradient); }, x, lbfgs,
            after);
    } else {
        AdamOptions adam;
        adam.max_epochs = options.max_iterations;
        adam.batch_size = options.batch_size;
        adam.learning_rate = options.learning_rate;
        adam.seed = options.seed;
        x = minimize_adam([&](const Vector<double>& point, const std::vector<Index>& rows,
                              Vector<double>& gradient) { return objective(point, rows, gradient); },
                          targets.rows(), x, adam, after);
    }
    const bool never_better = held_targets.rows() > 0 && head.iterations > 0 && best_iteration == 0;
    if (held_targets.rows() > 0) x = best;
    const Eigen::Map<const RowMatrix<double>> weight(x.data(), objective.outputs(), features.cols());
    head.weight = weight.cast<float>();
    head.bias = x.tail(objective.outputs()).cast<float>();
    if (never_better || !head.weight.allFinite() || !head.bias.allFinite()) {
        detail::fail(ErrorKind::input, "training diverged: the loss is not finite; a lower learning_rate may help");
    }
}

BERT_NAMESPACE_END
