// Definitions of tasks/verification.hpp.
#pragma once

#include <bert/tasks/verification.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE double deviation_of(const ConstRows<float>& given, const ConstRows<float>& expected) {
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

BERT_INLINE double tolerance_of(WeightType given, WeightType expected) {
    return given == WeightType::float32 && expected == WeightType::float32 ? 1e-4 : 0.1;
}

}  // namespace detail

BERT_NAMESPACE_END
