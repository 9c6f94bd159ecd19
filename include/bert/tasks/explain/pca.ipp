// Definitions of tasks/explain/pca.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/explain/pca.hpp>
#include <bert/tasks/similarity.hpp>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

BERT_NAMESPACE_BEGIN

BERT_INLINE Projection principal_components(const ConstRows<float>& rows, Index components) {
    constexpr Index most = 1 << 16;
    if (components < 1 || components > most) {
        detail::fail(ErrorKind::input, "principal_components: components should be from 1 to ", most, ", given ",
                     components);
    }
    detail::check_finite(rows, "principal_components");
    Projection result;
    result.points = RowMatrix<double>::Zero(rows.rows(), components);
    result.variance_ratios.assign(static_cast<std::size_t>(components), 0.0);
    if (rows.size() == 0) return result;
    RowMatrix<double> centred = rows.cast<double>();
    centred.rowwise() -= centred.colwise().mean().eval();
    const double total = centred.squaredNorm();
    if (!(total > 0)) return result;

    // The smaller of the two Gram matrices has the same eigenvalues.
    const bool wide = centred.cols() > centred.rows();
    const RowMatrix<double> gram =
        wide ? RowMatrix<double>(centred * centred.transpose()) : RowMatrix<double>(centred.transpose() * centred);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);
    for (Index i = 0; i < std::min(components, gram.rows()); ++i) {
        const Index at = gram.rows() - 1 - i;  // eigenvalues ascend
        const double variance = solver.eigenvalues()(at);
        constexpr double negligible = 1e-12;
        if (variance <= negligible * total) break;
        Vector<double> loadings = solver.eigenvectors().col(at);
        if (wide) loadings = (centred.transpose() * loadings / std::sqrt(variance)).eval();
        Index largest = 0;
        loadings.cwiseAbs().maxCoeff(&largest);
        if (loadings(largest) < 0) loadings = -loadings;
        result.points.col(i) = centred * loadings;
        result.variance_ratios[static_cast<std::size_t>(i)] = variance / total;
    }
    return result;
}

BERT_NAMESPACE_END
