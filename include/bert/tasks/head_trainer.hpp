// Fine-tuning in its fast form: a head on the features of a frozen encoder. Depends on io/training_file,
// io/model_writer, tasks/head_features, tasks/head_objective and tasks/optimizer.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/model_path.hpp>
#include <bert/io/training_file.hpp>
#include <bert/tasks/head_features.hpp>
#include <bert/tasks/head_objective.hpp>
#include <bert/tasks/task_model.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What finds the minimum: see minimize_lbfgs() and AdamOptions.
enum class HeadOptimizer { lbfgs, adam };

/// The layer between the encoder and the classifier: tanh(W h_[CLS] + b). It is not trained: with few examples that was
/// found to fit the training texts alone (docs/tasks.md).
enum class HeadPooler {
    identity,    ///< W is the identity: the features stay those of the encoder, and b is 0
    checkpoint,  ///< the folder's own
};

/// Options of training.
struct HeadTrainerOptions {
    HeadTask task = HeadTask::classification;        ///< what the head is for
    std::vector<std::string> labels;                 ///< by id; empty: those of the examples, sorted
    HeadPooler pooler = HeadPooler::identity;        ///< what becomes of the pooled hidden state before the classifier
    HeadOptimizer optimizer = HeadOptimizer::lbfgs;  ///< how the minimum is found
    std::size_t max_iterations = 200;                ///< of L-BFGS, or epochs of Adam
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
    HeadTask task = HeadTask::classification;  ///< what the head is for
    std::vector<std::string> labels;           ///< by id; "LABEL_0" for regression
    Matrix pooler_weight;                      ///< hidden x hidden; empty for HeadTask::tokens
    Vector<float> pooler_bias;                 ///< empty without a pooler
    Matrix weight;                             ///< labels x hidden
    Vector<float> bias;                        ///< one value a label
    std::size_t iterations = 0;                ///< of the optimizer
    std::size_t truncated = 0;                 ///< examples of which tokens were cut off
    HeadMetrics train;                         ///< on the examples it was fitted to
    std::optional<HeadMetrics> held_out;       ///< on those that ended the training
    std::optional<HeadMetrics> test;           ///< on those with the split "test", which had no part in it
};

/// Trains heads for BertForSequenceClassification and BertForTokenClassification on an encoder's folder, whose weights
/// stay as they are. The features come from text_features() and word_features(); nothing else here knows the encoder.
/// Const calls may be made from several threads at once.
class HeadTrainer {
public:
    /// Opens a folder of a BERT encoder. Errors: as TaskModel.
    explicit HeadTrainer(const ModelPath& folder, const TaskOptions& options = {});

    /// Fits a head. Examples with the split "train" or none are trained on, those with "validation" (or "valid", "dev")
    /// decide when to end, those with "test" are only measured. Errors: input (no examples, a single class, a label
    /// that is not among the options', a number or tags missing, options out of range, a loss without bounds), as
    /// Tokenizer::encode().
    TrainedHead train(const std::vector<TrainingExample>& examples, const HeadTrainerOptions& options = {}) const;

    /// How good a head is on other examples. Errors: input (a label it does not know), as Tokenizer::encode().
    HeadMetrics evaluate(const TrainedHead& head, const std::vector<TrainingExample>& examples) const;

    /// The head's logits: one row per text, or per word that has tokens. Errors: as Tokenizer::encode().
    Matrix logits(const TrainedHead& head, const std::vector<TrainingExample>& examples) const;

    /// Writes encoder, head and tokenizer as a folder that transformers opens as BertForSequenceClassification or
    /// BertForTokenClassification. Errors: as write_head_folder().
    void save(const TrainedHead& head, const std::filesystem::path& target) const;

    const TaskModel& model() const noexcept { return model_; }  ///< the encoder, which stays as it is

private:
    static void check(const HeadTrainerOptions& options);

    void make_pooler(HeadPooler kind, TrainedHead& head) const;

    /// What the classifier gets to see.
    HeadFeatures features_of(const TrainedHead& head, const std::vector<TrainingExample>& examples) const;

    Matrix classify(const TrainedHead& head, const Matrix& features) const;

    HeadMetrics measure(const TrainedHead& head, const HeadFeatures& features, const HeadTargets& targets) const;

    static void fit(const Matrix& features, const HeadTargets& targets, const Matrix& held_features,
                    const HeadTargets& held_targets, const HeadTrainerOptions& options, TrainedHead& head);

    ModelPath folder_;
    LoadOptions load_;
    TaskModel model_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/head_trainer.ipp>
#endif
