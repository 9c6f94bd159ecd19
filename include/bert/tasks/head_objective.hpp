// What a linear head on fixed features is trained to minimise, and how good it is. Depends on core.
#pragma once

#include <bert/core/matrix.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What a head says about a text.
enum class HeadTask {
    classification,  ///< one label of several (softmax)
    multi_label,     ///< each label by itself (sigmoid)
    regression,      ///< a number
    tokens,          ///< a label for each word (softmax)
};

/// What is known about the rows of a feature matrix.
struct HeadTargets {
    RowMatrix<double> values;              ///< rows x outputs: 1 for labels that apply, else 0; or the numbers
    std::vector<double> row_weights;       ///< empty: all 1; see HeadObjective
    std::vector<double> positive_weights;  ///< of multi_label: of the labels that apply; empty: all 1

    Index rows() const noexcept { return values.rows(); }  ///< examples
};

/// How good a head is on some examples.
struct HeadMetrics {
    std::size_t examples = 0;  ///< texts, or words for HeadTask::tokens
    double loss = 0;           ///< without the L2 term and class weights
    /// Share of examples whose labels are all right. Not for regression.
    std::optional<double> accuracy;
    /// Mean over labels of the harmonic mean of precision and recall, as scikit-learn's f1_score(average="macro",
    /// zero_division=0): over the labels that occur or were given. Not for regression.
    std::optional<double> macro_f1;
    std::optional<double> mean_squared_error;  ///< for regression
    std::optional<double> r_squared;           ///< for regression: the share of variance explained
};

/// The mean loss of logits = features W^T + b over examples, plus l2 / 2 times the squares of W: cross entropy, binary
/// cross entropy (mean over labels too) or squared error, as PyTorch's losses with reduction "mean"; rows weigh as
/// row_weights say, divided by their sum.
///
/// Parameters are W (outputs x features) row by row, then b.
class HeadObjective {
public:
    /// features: n x d, targets of n rows. Both must outlive this object. Errors: shape.
    HeadObjective(const ConstRows<float>& features, const HeadTargets& targets, HeadTask task, double l2);

    Index outputs() const noexcept { return targets_.values.cols(); }  ///< columns of the targets
    /// Weights and biases of the head.
    Index parameters() const noexcept { return outputs() * (features_.cols() + 1); }

    /// Over all examples.
    double operator()(const Vector<double>& x, Vector<double>& gradient) const;

    /// Over the given examples.
    double operator()(const Vector<double>& x, const std::vector<Index>& examples, Vector<double>& gradient) const;

private:
    double row_weight(Index row) const;

    double positive_weight(Index label) const;

    double value(const RowMatrix<double>& features, const RowMatrix<double>& targets,
                 const std::vector<Index>* examples, const Vector<double>& x, Vector<double>& gradient) const;

    /// The loss of one example; turns its logits into the loss's derivatives by them.
    template <class Logits, class Targets>
    double row_loss(Logits&& logits, const Targets& targets) const {
        const auto outputs = static_cast<double>(logits.cols());
        double loss = 0;
        if (task_ == HeadTask::regression) {
            loss = (logits - targets).squaredNorm() / outputs;
            logits = 2 / outputs * (logits - targets);
        } else if (task_ == HeadTask::multi_label) {
            for (Index i = 0; i < logits.cols(); ++i) {
                const double z = logits(i);
                const double up = positive_weight(i) * targets(i);
                // log(1 + exp(-|z|)) never overflows.
                const double soft = std::log1p(std::exp(-std::abs(z)));
                loss += (up * (soft + std::max(-z, 0.0)) + (1 - targets(i)) * (soft + std::max(z, 0.0))) / outputs;
                const double probability = 1 / (1 + std::exp(-z));
                logits(i) = ((1 - targets(i)) * probability - up * (1 - probability)) / outputs;
            }
        } else {
            const double highest = logits.maxCoeff();
            const double log_sum = highest + std::log((logits.array() - highest).exp().sum());
            loss = targets.sum() * log_sum - targets.dot(logits);
            logits = (targets.sum() * (logits.array() - log_sum).exp() - targets.array()).matrix().eval();
        }
        return loss;
    }

    RowMatrix<double> features_;
    const HeadTargets& targets_;
    HeadTask task_;
    double l2_;
};

namespace detail {

double macro_f1(const RowMatrix<double>& chosen, const RowMatrix<double>& truth, bool all_labels);

}  // namespace detail

/// Compares logits (n x outputs) with the truth. Errors: shape.
HeadMetrics head_metrics(const ConstRows<float>& logits, const HeadTargets& targets, HeadTask task);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/head_objective.ipp>
#endif
