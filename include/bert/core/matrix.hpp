// The matrix vocabulary of the library: row-major Eigen matrices, one row per token or text, and references to them.
// Depends on Eigen and config.hpp.
#pragma once

#include <bert/config.hpp>

#include <Eigen/Core>

BERT_NAMESPACE_BEGIN

/// Signed size and index type of rows and columns.
using Index = Eigen::Index;

/// A dense row-major matrix that owns its values.
template <class T>
using RowMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The matrix of results: 32-bit floats, row-major, one row per token (hidden states) or per text (embeddings).
using Matrix = RowMatrix<float>;

/// A column vector that owns its values (biases, layer-norm weights).
template <class T>
using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;

/// A read-only view of rows: binds to a RowMatrix, a Map or a block of rows without copying.
template <class T>
using ConstRows = Eigen::Ref<const RowMatrix<T>>;

/// A writable view of rows.
template <class T>
using Rows = Eigen::Ref<RowMatrix<T>>;

namespace detail {

/// Gives a matrix another size, or leaves it as it was where memory runs out. Eigen's resize() frees what there was
/// before it asks for more: where that fails, the matrix frees it again at its end. Values become undefined.
template <class T>
void resize(RowMatrix<T>& matrix, Index rows, Index cols) {
    if (matrix.rows() != rows || matrix.cols() != cols) matrix = RowMatrix<T>(rows, cols);
}

}  // namespace detail

BERT_NAMESPACE_END
