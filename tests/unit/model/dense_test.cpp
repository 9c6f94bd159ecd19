// The Dense module by itself.
#include <bert/model/dense.hpp>

#include "../test_support.hpp"

#include <gtest/gtest.h>

#include <cmath>

using bert::Activation;
using bert::Dense;
using bert::Index;
using bert::Linear;
using bert::Matrix;
using bert_test::expect_error;

namespace {

TEST(Dense, AddsItsInputAfterTheActivation) {
    const Matrix weight = Matrix::Random(5, 5);
    const bert::Vector<float> bias = bert::Vector<float>::Random(5);
    const Matrix x = Matrix::Random(7, 5);
    bert::Workspace workspace;
    const Matrix y = Dense(Linear<float>(weight, bias), Activation::tanh, true).forward(x, workspace);
    for (Index row = 0; row < x.rows(); ++row) {
        for (Index i = 0; i < 5; ++i) {
            const float expected = std::tanh(x.row(row).dot(weight.row(i)) + bias(i)) + x(row, i);
            EXPECT_NEAR(y(row, i), expected, 1e-6f);
        }
    }
}

TEST(Dense, NeedsAWeightForAResidualBetweenDifferentSizes) {
    expect_error(bert::ErrorKind::shape, {"5 -> 3"}, [] {
        const Dense dense(Linear<float>(Matrix::Random(3, 5), bert::Vector<float>()), Activation::tanh, true);
    });
}

}  // namespace
