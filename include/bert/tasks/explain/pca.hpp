// Many dimensions to a few: principal components. Depends on core and Eigen.
#pragma once

#include <bert/core/matrix.hpp>

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
Projection principal_components(const ConstRows<float>& rows, Index components = 2);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/explain/pca.ipp>
#endif
