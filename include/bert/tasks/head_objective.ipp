// Definitions of tasks/head_objective.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/head_objective.hpp>

BERT_NAMESPACE_BEGIN

BERT_INLINE HeadObjective::HeadObjective(const ConstRows<float>& features, const HeadTargets& targets, HeadTask task,
                                         double l2)
    : features_(features.cast<double>()), targets_(targets), task_(task), l2_(l2) {
    if (features.rows() != targets.rows()) {
        detail::fail(ErrorKind::shape, "a head: ", features.rows(), " rows of features for ", targets.rows(),
                     " of targets");
    }
}

BERT_INLINE double HeadObjective::operator()(const Vector<double>& x, Vector<double>& gradient) const {
    return value(features_, targets_.values, nullptr, x, gradient);
}

BERT_INLINE double HeadObjective::operator()(const Vector<double>& x, const std::vector<Index>& examples,
                                             Vector<double>& gradient) const {
    RowMatrix<double> features(static_cast<Index>(examples.size()), features_.cols());
    RowMatrix<double> targets(features.rows(), outputs());
    for (Index i = 0; i < features.rows(); ++i) {
        features.row(i) = features_.row(examples[static_cast<std::size_t>(i)]);
        targets.row(i) = targets_.values.row(examples[static_cast<std::size_t>(i)]);
    }
    return value(features, targets, &examples, x, gradient);
}

BERT_INLINE double HeadObjective::row_weight(Index row) const {
    return targets_.row_weights.empty() ? 1.0 : targets_.row_weights[static_cast<std::size_t>(row)];
}

BERT_INLINE double HeadObjective::positive_weight(Index label) const {
    return targets_.positive_weights.empty() ? 1.0 : targets_.positive_weights[static_cast<std::size_t>(label)];
}

BERT_INLINE double HeadObjective::value(const RowMatrix<double>& features, const RowMatrix<double>& targets,
                                        const std::vector<Index>* examples, const Vector<double>& x,
                                        Vector<double>& gradient) const {
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

namespace detail {

/// Labels given by logits: rows x outputs of 0 and 1. Of equal logits the first label wins.
BERT_INLINE RowMatrix<double> chosen_labels(const ConstRows<float>& logits, HeadTask task) {
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

BERT_INLINE double macro_f1(const RowMatrix<double>& chosen, const RowMatrix<double>& truth, bool all_labels) {
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

BERT_INLINE HeadMetrics head_metrics(const ConstRows<float>& logits, const HeadTargets& targets, HeadTask task) {
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
