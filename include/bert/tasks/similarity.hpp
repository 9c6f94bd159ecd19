// Comparing embeddings. Depends on core and io/sentence_config.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/sentence_config.hpp>

#include <algorithm>

BERT_NAMESPACE_BEGIN

/// How alike the rows of a (n x d) and b (m x d) are: n x m, larger meaning more alike. Euclidean and Manhattan
/// distances are negated, as in sentence-transformers. The cosine with a zero vector is 0. Errors: shape.
inline Matrix similarity(const ConstRows<float>& a, const ConstRows<float>& b,
                         Similarity measure = Similarity::cosine) {
    if (a.cols() != b.cols()) {
        detail::fail(ErrorKind::shape, "similarity: embeddings of ", a.cols(), " and of ", b.cols(), " dimensions");
    }
    Matrix result(a.rows(), b.rows());
    const auto unit = [](const ConstRows<float>& rows) -> Matrix {
        const Eigen::ArrayXf lengths = rows.rowwise().norm().array().max(1e-12f);
        return rows.array().colwise() / lengths;
    };
    switch (measure) {
        case Similarity::cosine: result.noalias() = unit(a) * unit(b).transpose(); break;
        case Similarity::dot: result.noalias() = a * b.transpose(); break;
        case Similarity::euclidean:
            for (Index i = 0; i < a.rows(); ++i) {
                for (Index j = 0; j < b.rows(); ++j) result(i, j) = -(a.row(i) - b.row(j)).norm();
            }
            break;
        case Similarity::manhattan:
            for (Index i = 0; i < a.rows(); ++i) {
                for (Index j = 0; j < b.rows(); ++j) result(i, j) = -(a.row(i) - b.row(j)).lpNorm<1>();
            }
            break;
    }
    return result;
}

BERT_NAMESPACE_END
