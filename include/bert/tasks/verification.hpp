// How far embeddings may be from those that a model should make. Depends on core, io and model.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/model_archive.hpp>
#include <bert/io/verification.hpp>
#include <bert/model/any_bert_model.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The largest relative distance of a row from the row it should be.
inline double deviation_of(const ConstRows<float>& given, const ConstRows<float>& expected) {
    if (given.rows() != expected.rows() || given.cols() != expected.cols()) {
        return std::numeric_limits<double>::infinity();
    }
    double worst = 0;
    for (Index i = 0; i < given.rows(); ++i) {
        const double size = expected.row(i).cast<double>().norm();
        const double distance = (given.row(i).cast<double>() - expected.row(i).cast<double>()).norm();
        const double relative = distance / std::max(size, std::numeric_limits<double>::min());
        if (std::isnan(relative)) return std::numeric_limits<double>::infinity();
        worst = std::max(worst, relative);
    }
    return worst;
}

/// What may lie between embeddings that were computed with `given` and with `expected` weights: other instruction sets
/// round sums otherwise, which moves narrow numbers by a whole step of theirs now and then; other weights are a step
/// away by themselves.
inline double tolerance_of(WeightType given, WeightType expected) {
    return given == WeightType::float32 && expected == WeightType::float32 ? 1e-4 : 0.1;
}

/// Fails unless `encoder` makes the embeddings that the file of its model carries. Errors: unsupported (it carries
/// none), format (it makes others).
template <class Encoder>
void check_verification(const Encoder& encoder, const ModelPath& model) {
    const auto carried = model.archive() ? load_verification(*model.archive()) : std::nullopt;
    if (!carried) fail(ErrorKind::unsupported, model, " carries no embeddings to verify it with");
    const double deviation = deviation_of(encoder.encode(carried->texts), carried->expected);
    const double tolerance = tolerance_of(encoder.model().weights(), choose_weights(std::nullopt, model));
    if (!(deviation <= tolerance)) {
        fail(ErrorKind::format, model.archive()->path, ": embeddings deviate from those that the model carries by ",
             deviation, " of their length; at most ", tolerance, " is let pass");
    }
}

}  // namespace detail

BERT_NAMESPACE_END
