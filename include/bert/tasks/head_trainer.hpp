// Fine-tuning in its fast form: a head on the features of a frozen encoder. Depends on io/training_file,
// io/model_writer, tasks/head_features, tasks/head_objective and tasks/optimizer.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/checkpoint.hpp>
#include <bert/io/model_path.hpp>
#include <bert/io/model_writer.hpp>
#include <bert/io/training_file.hpp>
#include <bert/model/weights.hpp>
#include <bert/nn/linear.hpp>
#include <bert/tasks/head_features.hpp>
#include <bert/tasks/head_objective.hpp>
#include <bert/tasks/head_targets.hpp>
#include <bert/tasks/optimizer.hpp>
#include <bert/tasks/score_blocks.hpp>
#include <bert/tasks/task_model.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

enum class HeadOptimizer { lbfgs, adam };

/// The layer between the encoder and the classifier: tanh(W h_[CLS] + b). It is not trained: with few examples that was
/// found to fit the training texts alone (docs/tasks.md).
enum class HeadPooler {
    identity,    ///< W is the identity: the features stay those of the encoder, and b is 0
    checkpoint,  ///< the folder's own
};

/// Options of training.
struct HeadTrainerOptions {
    HeadTask task = HeadTask::classification;
    std::vector<std::string> labels;  ///< by id; empty: those of the examples, sorted
    HeadPooler pooler = HeadPooler::identity;
    HeadOptimizer optimizer = HeadOptimizer::lbfgs;
    std::size_t max_iterations = 200;  ///< of L-BFGS, or epochs of Adam
    double l2 = 0.01;             ///< half of it times the squares of the classifier's weights is added to the loss
    double learning_rate = 0.01;  ///< of Adam
    std::size_t batch_size = 32;  ///< of Adam
    /// Share of the training examples that is held out where none has the split "validation". 0: none, and training
    /// ends when the optimizer does.
    double held_out = 0.1;
    std::size_t patience = 10;  ///< iterations without a lower loss on what is held out, before training ends
    bool balanced = false;      ///< labels weigh in inverse proportion to how often they occur
    std::map<std::string, double> class_weights;  ///< instead, by label; 1 where one is not named
    std::uint32_t seed = 0;                       ///< of the split and of Adam's order: training is deterministic
    /// Called after every iteration with its number and the loss on what is held out (or of training). What it throws
    /// ends the call.
    std::function<void(std::size_t iteration, double loss)> progress;
};

/// A trained head and how it came out.
struct TrainedHead {
    HeadTask task = HeadTask::classification;
    std::vector<std::string> labels;  ///< by id; "LABEL_0" for regression
    Matrix pooler_weight;             ///< hidden x hidden; empty for HeadTask::tokens
    Vector<float> pooler_bias;
    Matrix weight;  ///< labels x hidden
    Vector<float> bias;
    std::size_t iterations = 0;
    std::size_t truncated = 0;            ///< examples of which tokens were cut off
    HeadMetrics train;                    ///< on the examples it was fitted to
    std::optional<HeadMetrics> held_out;  ///< on those that ended the training
    std::optional<HeadMetrics> test;      ///< on those with the split "test", which had no part in it
};

/// Trains heads for BertForSequenceClassification and BertForTokenClassification on an encoder's folder, whose weights
/// stay as they are. The features come from text_features() and word_features(); nothing else here knows the encoder.
/// Const calls may be made from several threads at once.
class HeadTrainer {
public:
    /// Opens a folder of a BERT encoder. Errors: as TaskModel.
    explicit HeadTrainer(const ModelPath& folder, const TaskOptions& options = {})
        : folder_(folder), load_(options.load), model_(folder, options) {}

    /// Fits a head. Examples with the split "train" or none are trained on, those with "validation" (or "valid", "dev")
    /// decide when to end, those with "test" are only measured. Errors: input (no examples, a single class, a label
    /// that is not among the options', a number or tags missing, options out of range, a loss without bounds), as
    /// Tokenizer::encode().
    TrainedHead train(const std::vector<TrainingExample>& examples, const HeadTrainerOptions& options = {}) const {
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

    /// How good a head is on other examples. Errors: input (a label it does not know), as Tokenizer::encode().
    HeadMetrics evaluate(const TrainedHead& head, const std::vector<TrainingExample>& examples) const {
        const HeadFeatures features = features_of(head, examples);
        return measure(head, features, detail::head_targets(examples, features, head.task, head.labels));
    }

    /// The head's logits: one row per text, or per word that has tokens. Errors: as Tokenizer::encode().
    Matrix logits(const TrainedHead& head, const std::vector<TrainingExample>& examples) const {
        return classify(head, features_of(head, examples).rows);
    }

    /// Writes encoder, head and tokenizer as a folder that transformers opens as BertForSequenceClassification or
    /// BertForTokenClassification. Errors: as write_head_folder().
    void save(const TrainedHead& head, const std::filesystem::path& target) const {
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

    const TaskModel& model() const noexcept { return model_; }

private:
    static void check(const HeadTrainerOptions& options) {
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

    void make_pooler(HeadPooler kind, TrainedHead& head) const {
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

    /// What the classifier gets to see.
    HeadFeatures features_of(const TrainedHead& head, const std::vector<TrainingExample>& examples) const {
        if (head.task == HeadTask::tokens) return word_features(model_, examples);
        HeadFeatures features = text_features(model_, examples);
        const auto workspace = model_.borrow_workspace();
        Matrix pooled(features.rows.rows(), head.pooler_weight.rows());
        Linear<float>(head.pooler_weight, head.pooler_bias)
            .forward(features.rows, pooled, *workspace, Activation::tanh);
        features.rows = std::move(pooled);
        return features;
    }

    Matrix classify(const TrainedHead& head, const Matrix& features) const {
        Matrix logits(features.rows(), head.weight.rows());
        const auto workspace = model_.borrow_workspace();
        Linear<float>(head.weight, head.bias).forward(features, logits, *workspace);
        return logits;
    }

    HeadMetrics measure(const TrainedHead& head, const HeadFeatures& features, const HeadTargets& targets) const {
        return head_metrics(classify(head, features.rows), targets, head.task);
    }

    static void fit(const Matrix& features, const HeadTargets& targets, const Matrix& held_features,
                    const HeadTargets& held_targets, const HeadTrainerOptions& options, TrainedHead& head) {
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
                [&](const Vector<double>& point, Vector<double>& gradient) { return objective(point, gradient); }, x,
                lbfgs, after);
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

    ModelPath folder_;
    LoadOptions load_;
    TaskModel model_;
};

BERT_NAMESPACE_END
