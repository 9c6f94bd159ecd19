// Eigen's matrix product behind pointers. Depends on nothing.
#pragma once

#include <cstddef>

namespace bench {

/// y = x W^T, all row-major and contiguous: x is rows x in_features, w out_features x in_features.
void eigen_product(const float* x, const float* w, float* y, std::ptrdiff_t rows, std::ptrdiff_t in_features,
                   std::ptrdiff_t out_features);

}  // namespace bench
