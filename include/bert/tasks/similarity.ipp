// Definitions of tasks/similarity.hpp.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/error.hpp>
#include <bert/nn/linear.hpp>
#include <bert/nn/pooling.hpp>
#include <bert/tasks/similarity.hpp>

#include <cmath>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE void check_finite(const ConstRows<float>& rows, const char* what) {
    for (Index row = 0; row < rows.rows(); ++row) {
        if (!rows.row(row).allFinite()) {
            fail(ErrorKind::input, what, ": row ", row, " holds a value that is NaN or infinite");
        }
    }
}

}  // namespace detail

BERT_INLINE Matrix similarity(const ConstRows<float>& a, const ConstRows<float>& b, Similarity measure) {
    if (a.cols() != b.cols()) {
        detail::fail(ErrorKind::shape, "similarity: embeddings of ", a.cols(), " and of ", b.cols(), " dimensions");
    }
    detail::check_finite(a, "similarity");
    detail::check_finite(b, "similarity");
    Matrix result(a.rows(), b.rows());
    if (result.size() == 0) return result;
    // All products at once: a dense layer whose weights are the other rows.
    const auto multiply = [&result](const ConstRows<float>& x, const ConstRows<float>& rows) {
        Workspace workspace;
        Linear<float>(rows, Vector<float>()).forward(x, result, workspace);
    };
    switch (measure) {
        case Similarity::cosine: {
            Matrix x = a;
            Matrix y = b;
            normalize_rows(x);
            normalize_rows(y);
            multiply(x, y);
            break;
        }
        case Similarity::dot: multiply(a, b); break;
        case Similarity::euclidean:
        case Similarity::manhattan:
            for (Index i = 0; i < a.rows(); ++i) {
                for (Index j = 0; j < b.rows(); ++j) {
                    double sum = 0;
                    for (Index k = 0; k < a.cols(); ++k) {
                        const double difference = static_cast<double>(a(i, k)) - static_cast<double>(b(j, k));
                        sum += measure == Similarity::euclidean ? difference * difference : std::abs(difference);
                    }
                    result(i, j) = static_cast<float>(-(measure == Similarity::euclidean ? std::sqrt(sum) : sum));
                }
            }
            break;
    }
    return result;
}

BERT_NAMESPACE_END
