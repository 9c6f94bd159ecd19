// What a linear head on fixed features is trained to minimise, and how good it is. Depends on core.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
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

    Index rows() const noexcept { return values.rows(); }
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
    HeadObjective(const ConstRows<float>& features, const HeadTargets& targets, HeadTask task, double l2)
        : features_(features.cast<double>()), targets_(targets), task_(task), l2_(l2) {
        if (features.rows() != targets.rows()) {
            detail::fail(ErrorKind::shape, "a head: ", features.rows(), " rows of features for ", targets.rows(),
                         " of targets");
        }
    }

    Index outputs() const noexcept { return targets_.values.cols(); }
    Index parameters() const noexcept { return outputs() * (features_.cols() + 1); }

    /// Over all examples.
    double operator()(const Vector<double>& x, Vector<double>& gradient) const {
        return value(features_, targets_.values, nullptr, x, gradient);
    }

    /// Over the given examples.
    double operator()(const Vector<double>& x, const std::vector<Index>& examples, Vector<double>& gradient) const {
        RowMatrix<double> features(static_cast<Index>(examples.size()), features_.cols());
        RowMatrix<double> targets(features.rows(), outputs());
        for (Index i = 0; i < features.rows(); ++i) {
            features.row(i) = features_.row(examples[static_cast<std::size_t>(i)]);
            targets.row(i) = targets_.values.row(examples[static_cast<std::size_t>(i)]);
        }
        return value(features, targets, &examples, x, gradient);
    }

private:
    double row_weight(Index row) const {
        return targets_.row_weights.empty() ? 1.0 : targets_.row_weights[static_cast<std::size_t>(row)];
    }

    double positive_weight(Index label) const {
        return targets_.positive_weights.empty() ? 1.0 : targets_.positive_weights[static_cast<std::size_t>(label)];
    }

    double value(const RowMatrix<double>& features, const RowMatrix<double>& targets,
                 const std::vector<Index>* examples, const Vector<double>& x, Vector<double>& gradient) const {
        const Eigen::Map<const RowMatrix<double>> weight(x.data(), outputs(), features.cols());
        const auto bias = x.tail(outputs());
        RowMatrix<double> logits = features * weight.transpose();
        logits.rowwise() += bias.transpose();
        double sum = 0;
        double total_weight = 0;
        for (Index row = 0; row < logits.rows(); ++row) {
            const double share = row_weight(examples ? (*examples)[static_cast<std::size_t>(row)] : row);
            sum += share * row_loss(logits.row(row), targets.row(row));
            logits.row(row) *= share;
            total_weight += share;
        }
        // What are now the derivatives by the logits.
        if (total_weight > 0) logits /= total_weight;
        gradient.resize(x.size());
        Eigen::Map<RowMatrix<double>> weight_gradient(gradient.data(), outputs(), features.cols());
        weight_gradient = logits.transpose() * features + l2_ * weight;
        gradient.tail(outputs()) = logits.colwise().sum().transpose();
        return (total_weight > 0 ? sum / total_weight : 0) + l2_ / 2 * weight.squaredNorm();
    }

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

/// Labels given by logits: rows x outputs of 0 and 1. Of equal logits the first label wins.
inline RowMatrix<double> chosen_labels(const ConstRows<float>& logits, HeadTask task) {
    RowMatrix<double> chosen = RowMatrix<double>::Zero(logits.rows(), logits.cols());
    for (Index row = 0; row < logits.rows(); ++row) {
        if (task == HeadTask::multi_label) {
            chosen.row(row) = (logits.row(row).array() > 0).cast<double>();
        } else {
            Index best = 0;
            logits.row(row).maxCoeff(&best);
            chosen(row, best) = 1;
        }
    }
    return chosen;
}

inline double macro_f1(const RowMatrix<double>& chosen, const RowMatrix<double>& truth, bool all_labels) {
    double sum = 0;
    Index labels = 0;
    for (Index i = 0; i < truth.cols(); ++i) {
        const double both = chosen.col(i).dot(truth.col(i));
        const double either = chosen.col(i).sum() + truth.col(i).sum();
        if (either == 0 && !all_labels) continue;
        ++labels;
        if (either > 0) sum += 2 * both / either;
    }
    return labels == 0 ? 0 : sum / static_cast<double>(labels);
}

}  // namespace detail

/// Compares logits (n x outputs) with the truth. Errors: shape.
inline HeadMetrics head_metrics(const ConstRows<float>& logits, const HeadTargets& targets, HeadTask task) {
    if (logits.rows() != targets.rows() || logits.cols() != targets.values.cols()) {
        detail::fail(ErrorKind::shape, "head_metrics: logits of ", logits.rows(), " x ", logits.cols(),
                     " for targets of ", targets.rows(), " x ", targets.values.cols());
    }
    HeadMetrics metrics;
    metrics.examples = static_cast<std::size_t>(logits.rows());
    // Logits are what a head with the identity for weights makes of them.
    const HeadTargets plain{targets.values, {}, {}};
    const HeadObjective objective(logits, plain, task, 0);
    Vector<double> identity = Vector<double>::Zero(objective.parameters());
    for (Index i = 0; i < logits.cols(); ++i) identity(i * logits.cols() + i) = 1;
    Vector<double> gradient;
    metrics.loss = objective(identity, gradient);
    if (task == HeadTask::regression) {
        const RowMatrix<double> error = logits.cast<double>() - targets.values;
        const Eigen::Matrix<double, 1, Eigen::Dynamic> mean = targets.values.colwise().mean();
        const double variance = (targets.values.rowwise() - mean).squaredNorm();
        metrics.mean_squared_error = error.size() == 0 ? 0 : error.squaredNorm() / static_cast<double>(error.size());
        if (variance > 0) metrics.r_squared = 1 - error.squaredNorm() / variance;
        return metrics;
    }
    const RowMatrix<double> chosen = detail::chosen_labels(logits, task);
    std::size_t right = 0;
    for (Index row = 0; row < chosen.rows(); ++row) right += chosen.row(row) == targets.values.row(row);
    metrics.accuracy = metrics.examples == 0 ? 0 : static_cast<double>(right) / static_cast<double>(metrics.examples);
    metrics.macro_f1 = detail::macro_f1(chosen, targets.values, task == HeadTask::multi_label);
    return metrics;
}

BERT_NAMESPACE_END
