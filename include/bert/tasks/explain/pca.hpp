// Many dimensions to a few: principal components. Depends on core and Eigen.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/tasks/score_blocks.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Points in a few dimensions.
struct Projection {
    RowMatrix<double> points;             ///< n x components
    std::vector<double> variance_ratios;  ///< of each component: its share of all variance; 0 where there is none
};

/// The principal components (Pearson 1901) of the rows of a matrix (n x d), the strongest first, as scikit-learn's PCA
/// gives them: rows are centred, and of each component the largest loading is positive. Where there are fewer
/// directions than asked for, the further coordinates are 0. Errors: input (a number of components outside 1 to 65536,
/// a value that is not finite).
inline Projection principal_components(const ConstRows<float>& rows, Index components = 2) {
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
