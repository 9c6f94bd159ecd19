// Eigen's product, compiled for the machine at hand (see CMakeLists.txt), since Eigen takes no instruction set at run
// time. No other file of the program uses Eigen: its inline functions would be those of another machine there.
#include "eigen_product.hpp"

#include <Eigen/Core>

void bench::eigen_product(const float* x, const float* w, float* y, std::ptrdiff_t rows, std::ptrdiff_t in_features,
                          std::ptrdiff_t out_features) {
    using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Map<const Matrix> a(x, rows, in_features);
    const Eigen::Map<const Matrix> b(w, out_features, in_features);
    Eigen::Map<Matrix>(y, rows, out_features).noalias() = a * b.transpose();
}
