// Comparing embeddings: the four measures, zero vectors and shapes that do not fit.
#include "../test_support.hpp"

#include <bert/tasks/similarity.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace bert_test;
using bert::Matrix;
using bert::Similarity;

Matrix rows_a() {
    Matrix a(2, 3);
    a << 1, 2, 2, 0, -3, 4;
    return a;
}

Matrix rows_b() {
    Matrix b(3, 3);
    b << 2, 4, 4, 0, 0, 0, 1, 0, 0;
    return b;
}

void expect_values(Similarity measure, const Matrix& expected) {
    EXPECT_LE(max_difference(bert::similarity(rows_a(), rows_b(), measure), expected), 1e-6);
}

TEST(Similarity, Cosine) {
    Matrix expected(2, 3);
    expected << 1, 0, 1.0f / 3, 4.0f / 30, 0, 0;  // (0 - 12 + 16) / (5 * 6)
    expect_values(Similarity::cosine, expected);
    EXPECT_LE(max_difference(bert::similarity(rows_a(), rows_b()), expected), 1e-6);
}

TEST(Similarity, Dot) {
    Matrix expected(2, 3);
    expected << 18, 0, 1, 4, 0, 0;
    expect_values(Similarity::dot, expected);
}

TEST(Similarity, EuclideanIsNegated) {
    Matrix expected(2, 3);
    expected << -3, -3, -std::sqrt(8.0f), -std::sqrt(53.0f), -5, -std::sqrt(26.0f);
    expect_values(Similarity::euclidean, expected);
}

TEST(Similarity, ManhattanIsNegated) {
    Matrix expected(2, 3);
    expected << -5, -5, -4, -9, -7, -8;
    expect_values(Similarity::manhattan, expected);
}

TEST(Similarity, OfNoRowsIsEmpty) {
    const Matrix none(0, 3);
    EXPECT_EQ(bert::similarity(none, rows_b()).rows(), 0);
    EXPECT_EQ(bert::similarity(rows_a(), none).cols(), 0);
}

TEST(Similarity, RefusesOtherDimensions) {
    const Matrix other = Matrix::Zero(2, 4);
    expect_error(bert::ErrorKind::shape, {"3", "4"}, [&] { (void)bert::similarity(rows_a(), other); });
}

}  // namespace
