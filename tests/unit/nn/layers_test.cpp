// Each layer built and called alone, against its formula written with Eigen in double.
#include <bert/nn/embeddings.hpp>
#include <bert/nn/encoder.hpp>
#include <bert/nn/pooler.hpp>
#include <bert/nn/pooling.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../test_support.hpp"

namespace {

using bert::Index;
using bert::Matrix;
using bert::RowMatrix;
using MatrixD = RowMatrix<double>;
using VectorD = bert::Vector<double>;

/// Weights in double, from which layers of any type are made.
struct Weights {
    explicit Weights(unsigned seed) : generator(seed) {}

    MatrixD matrix(Index rows, Index cols, double scale = 1.0) {
        std::normal_distribution<double> normal(0.0, scale);
        // Rounded to float: both types then compute with the same numbers.
        return MatrixD::NullaryExpr(rows, cols,
                                    [&] { return static_cast<double>(static_cast<float>(normal(generator))); });
    }
    VectorD vector(Index size, double scale = 1.0) { return matrix(size, 1, scale); }

    std::mt19937 generator;
};

MatrixD softmax(const MatrixD& scores) {
    MatrixD e = (scores.array().colwise() - scores.rowwise().maxCoeff().array()).exp();
    return e.array().colwise() / e.rowwise().sum().array();
}

MatrixD layer_norm(const MatrixD& x, const VectorD& weight, const VectorD& bias, double epsilon) {
    const VectorD mean = x.rowwise().mean();
    const MatrixD centred = x.colwise() - mean;
    const VectorD scale = (centred.array().square().rowwise().mean() + epsilon).sqrt().inverse();
    return (centred.array().colwise() * scale.array()).rowwise() * weight.transpose().array() +
           bias.transpose().array().replicate(x.rows(), 1);
}

MatrixD gelu(const MatrixD& x) {
    return x.unaryExpr([](double v) { return 0.5 * v * std::erfc(-v / std::sqrt(2.0)); });
}

template <class W>
bert::Linear<W> make_linear(const MatrixD& weight, const VectorD& bias) {
    return bert::Linear<W>(weight.cast<W>(), bias.cast<W>());
}

/// One encoder layer's weights, and its output by the book.
struct LayerWeights {
    LayerWeights(Index hidden, Index inner, Weights& w)
        : qkv(w.matrix(3 * hidden, hidden, 1.5 / std::sqrt(static_cast<double>(hidden)))),
          qkv_bias(w.vector(3 * hidden, 0.2)),
          out(w.matrix(hidden, hidden, 0.2)),
          out_bias(w.vector(hidden, 0.2)),
          up(w.matrix(inner, hidden, 0.3)),
          up_bias(w.vector(inner, 0.2)),
          down(w.matrix(hidden, inner, 0.2)),
          down_bias(w.vector(hidden, 0.2)),
          norm1(w.vector(hidden)),
          norm1_bias(w.vector(hidden)),
          norm2(w.vector(hidden)),
          norm2_bias(w.vector(hidden)) {}

    template <class W>
    bert::MultiHeadAttention<W> attention(Index heads) const {
        return {make_linear<W>(qkv, qkv_bias), make_linear<W>(out, out_bias), heads};
    }
    template <class W>
    bert::FeedForward<W> feed_forward() const {
        return {make_linear<W>(up, up_bias), make_linear<W>(down, down_bias), bert::Activation::gelu};
    }
    template <class W>
    bert::EncoderLayer<W> layer(Index heads) const {
        return {attention<W>(heads), bert::LayerNorm<W>(norm1.cast<W>(), norm1_bias.cast<W>(), 1e-5), feed_forward<W>(),
                bert::LayerNorm<W>(norm2.cast<W>(), norm2_bias.cast<W>(), 1e-5)};
    }

    MatrixD attention_of(const MatrixD& x, Index heads, std::vector<MatrixD>* maps = nullptr) const {
        const Index hidden = x.cols();
        const Index d = hidden / heads;
        const MatrixD projected = (x * qkv.transpose()).rowwise() + qkv_bias.transpose();
        MatrixD context(x.rows(), hidden);
        for (Index h = 0; h < heads; ++h) {
            const MatrixD p =
                softmax(projected.middleCols(h * d, d) * projected.middleCols(hidden + h * d, d).transpose() /
                        std::sqrt(static_cast<double>(d)));
            if (maps) maps->push_back(p);
            context.middleCols(h * d, d) = p * projected.middleCols(2 * hidden + h * d, d);
        }
        return (context * out.transpose()).rowwise() + out_bias.transpose();
    }
    MatrixD feed_forward_of(const MatrixD& x) const {
        const MatrixD inner = gelu((x * up.transpose()).rowwise() + up_bias.transpose());
        return (inner * down.transpose()).rowwise() + down_bias.transpose();
    }
    MatrixD layer_of(const MatrixD& x, Index heads) const {
        const MatrixD h = layer_norm(x + attention_of(x, heads), norm1, norm1_bias, 1e-5);
        return layer_norm(h + feed_forward_of(h), norm2, norm2_bias, 1e-5);
    }

    MatrixD qkv;
    VectorD qkv_bias;
    MatrixD out;
    VectorD out_bias;
    MatrixD up;
    VectorD up_bias;
    MatrixD down;
    VectorD down_bias;
    VectorD norm1, norm1_bias, norm2, norm2_bias;
};

/// A batch of texts of these lengths; layers above the embeddings use its offsets only.
bert::Batch batch_of(const std::vector<Index>& lengths) {
    bert::Batch batch;
    for (const Index length : lengths) {
        const std::vector<std::int32_t> ids(static_cast<std::size_t>(length), 0);
        batch.add(ids.data(), nullptr, ids.size());
    }
    return batch;
}

double worst(const MatrixD& a, const MatrixD& b) {
    return (a - b).cwiseAbs().maxCoeff();
}

template <class W>
class Layers : public testing::Test {
public:
    static constexpr double tolerance = std::is_same_v<W, double> ? 1e-12 : 1e-5;
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Layers, Types, );

TYPED_TEST(Layers, LinearIsXWPlusB) {
    Weights w(1);
    const MatrixD weight = w.matrix(37, 50, 0.2);
    const VectorD bias = w.vector(37);
    const auto linear = make_linear<TypeParam>(weight, bias);
    bert::Workspace workspace;
    for (const Index rows : {0, 1, 3, 49, 200}) {
        const MatrixD x = w.matrix(rows, 50);
        RowMatrix<TypeParam> y(rows, 37);
        linear.forward(x.cast<TypeParam>(), y, workspace);
        if (rows == 0) continue;
        EXPECT_LT(worst(y.template cast<double>(), (x * weight.transpose()).rowwise() + bias.transpose()),
                  this->tolerance);
    }
}

TYPED_TEST(Layers, LinearTakesBlocksOfLargerMatricesAndNoBias) {
    Weights w(2);
    const MatrixD weight = w.matrix(9, 12);
    const RowMatrix<TypeParam> big_weight = w.matrix(11, 20).cast<TypeParam>();
    const MatrixD x = w.matrix(6, 30);
    const RowMatrix<TypeParam> xt = x.cast<TypeParam>();
    const bert::Linear<TypeParam> linear(big_weight.block(1, 3, 9, 12), bert::Vector<TypeParam>());
    RowMatrix<TypeParam> y = RowMatrix<TypeParam>::Constant(8, 15, TypeParam(7));
    bert::Workspace workspace;
    linear.forward(xt.block(0, 5, 6, 12), y.block(1, 2, 6, 9), workspace);
    const MatrixD expected = x.block(0, 5, 6, 12) * big_weight.block(1, 3, 9, 12).template cast<double>().transpose();
    EXPECT_LT(worst(y.block(1, 2, 6, 9).template cast<double>(), expected), this->tolerance);
    EXPECT_EQ(y(0, 2), TypeParam(7));
    EXPECT_EQ(y(1, 1), TypeParam(7));
    EXPECT_EQ(y(1, 11), TypeParam(7));
    EXPECT_EQ(y(7, 2), TypeParam(7));
}

TYPED_TEST(Layers, FeedForwardIsTwoLayersAndAnActivation) {
    Weights w(3);
    const LayerWeights weights(24, 70, w);
    const auto layer = weights.feed_forward<TypeParam>();
    bert::ThreadPool pool(2);
    for (bert::ThreadPool* threads : {static_cast<bert::ThreadPool*>(nullptr), &pool}) {
        bert::Workspace workspace(threads);
        for (const Index rows : {1, 7, 130}) {
            const MatrixD x = w.matrix(rows, 24);
            RowMatrix<TypeParam> y(rows, 24);
            layer.forward(x.cast<TypeParam>(), y, workspace);
            EXPECT_LT(worst(y.template cast<double>(), weights.feed_forward_of(x)), this->tolerance);
            layer.forward(x.cast<TypeParam>(), y, workspace, bert::Residual::input);
            EXPECT_LT(worst(y.template cast<double>(), x + weights.feed_forward_of(x)), this->tolerance);
        }
    }
}

TYPED_TEST(Layers, AttentionStaysWithinItsText) {
    Weights w(4);
    const Index hidden = 60, heads = 3;  // heads of 20: no multiple of any vector
    const LayerWeights weights(hidden, 10, w);
    const auto attention = weights.attention<TypeParam>(heads);
    const std::vector<Index> lengths{5, 1, 33, 2, 70};
    const bert::Batch batch = batch_of(lengths);
    const MatrixD x = w.matrix(batch.tokens(), hidden);
    RowMatrix<TypeParam> y(batch.tokens(), hidden);
    std::vector<RowMatrix<TypeParam>> maps;
    bert::Workspace workspace;
    attention.forward(x.cast<TypeParam>(), batch, y, workspace, &maps);
    ASSERT_EQ(maps.size(), lengths.size() * static_cast<std::size_t>(heads));
    for (std::size_t text = 0; text < lengths.size(); ++text) {
        std::vector<MatrixD> expected_maps;
        const MatrixD expected =
            weights.attention_of(x.middleRows(batch.offsets[text], lengths[text]), heads, &expected_maps);
        EXPECT_LT(worst(y.middleRows(batch.offsets[text], lengths[text]).template cast<double>(), expected),
                  this->tolerance);
        for (std::size_t head = 0; head < static_cast<std::size_t>(heads); ++head) {
            const auto& map = maps[text * static_cast<std::size_t>(heads) + head];
            EXPECT_LT(worst(map.template cast<double>(), expected_maps[head]), this->tolerance);
        }
    }
}

TYPED_TEST(Layers, EncoderLayerAddsAndNormalises) {
    Weights w(5);
    const LayerWeights weights(32, 50, w);
    const auto layer = weights.layer<TypeParam>(4);
    const std::vector<Index> lengths{3, 50, 17};
    const bert::Batch batch = batch_of(lengths);
    const MatrixD x = w.matrix(batch.tokens(), 32);
    RowMatrix<TypeParam> y = x.cast<TypeParam>();
    bert::Workspace workspace;
    layer.forward(y, batch, workspace);
    for (std::size_t text = 0; text < lengths.size(); ++text) {
        const MatrixD expected = weights.layer_of(x.middleRows(batch.offsets[text], lengths[text]), 4);
        EXPECT_LT(worst(y.middleRows(batch.offsets[text], lengths[text]).template cast<double>(), expected),
                  this->tolerance);
    }
}

TEST(EncoderLayer, GivesTheSameBitsInAnyBatchOnAnyThreads) {
    Weights w(6);
    const LayerWeights weights(60, 90, w);
    const auto layer = weights.layer<float>(3);
    const std::vector<Index> lengths{1, 40, 2, 100, 7, 48, 49, 3};
    const bert::Batch batch = batch_of(lengths);
    const Matrix x = w.matrix(batch.tokens(), 60).cast<float>();

    Matrix alone = x;
    bert::Workspace single;
    for (std::size_t text = 0; text < lengths.size(); ++text) {
        layer.forward(alone.middleRows(batch.offsets[text], lengths[text]), batch_of({lengths[text]}), single);
    }
    for (const unsigned threads : {1u, 2u, 3u, 7u}) {
        bert::ThreadPool pool(threads);
        bert::Workspace workspace(&pool);
        for (int round = 0; round < 3; ++round) {
            Matrix together = x;
            layer.forward(together, batch, workspace);
            ASSERT_EQ(std::memcmp(together.data(), alone.data(), static_cast<std::size_t>(x.size()) * sizeof(float)), 0)
                << threads << " threads, round " << round;
        }
    }
}

TEST(Layers, RefuseShapesThatDoNotFit) {
    Weights w(7);
    bert::Workspace workspace;
    const auto linear = make_linear<float>(w.matrix(4, 3), w.vector(4));
    Matrix y(2, 4);
    bert_test::expect_error(bert::ErrorKind::shape, {"3 -> 4"}, [&] { linear.forward(Matrix(2, 5), y, workspace); });
    bert_test::expect_error(bert::ErrorKind::shape, {"3 x 3"}, [&] { linear.forward(Matrix(3, 3), y, workspace); });
    bert_test::expect_error(bert::ErrorKind::shape, {"bias"}, [&] { make_linear<float>(w.matrix(4, 3), w.vector(3)); });
    const std::pair<Index, Index> nothing[] = {{0, 3}, {4, 0}, {0, 0}};
    for (const auto& sizes : nothing) {
        bert_test::expect_error(bert::ErrorKind::shape, {"nothing"},
                                [&] { make_linear<float>(MatrixD(sizes.first, sizes.second), VectorD()); });
    }
    bert_test::expect_error(bert::ErrorKind::shape, {"3 heads"}, [&] {
        bert::MultiHeadAttention<float>(make_linear<float>(w.matrix(12, 4), w.vector(12)),
                                        make_linear<float>(w.matrix(4, 4), w.vector(4)), 3);
    });
    bert_test::expect_error(bert::ErrorKind::shape, {"FeedForward"}, [&] {
        bert::FeedForward<float>(make_linear<float>(w.matrix(8, 4), w.vector(8)),
                                 make_linear<float>(w.matrix(4, 7), w.vector(4)), bert::Activation::relu);
    });
    const bert::LayerNorm<float> norm(Eigen::VectorXf::Ones(4), Eigen::VectorXf::Zero(4), 1e-12);
    Matrix x(2, 5);
    bert_test::expect_error(bert::ErrorKind::shape, {"4"}, [&] { norm.forward(x, workspace); });
}

TEST(Embeddings, AddWordTypeAndPositionInEveryFormat) {
    const float word[] = {1, 2, 3, 4, 5, 6};                            // 3 words of 2
    const std::uint16_t position[] = {0x3F80, 0x4000, 0x4040, 0x4080};  // bf16: (1, 2), (3, 4)
    const std::uint16_t type[] = {0x3C00, 0x4400};                      // f16: (1, 4)
    using Table = bert::EmbeddingTable;
    const auto bytes = [](const void* p) { return static_cast<const std::byte*>(p); };
    const bert::Embeddings<float> embeddings(Table(bytes(word), Table::Format::f32, 3, 2, nullptr),
                                             Table(bytes(position), Table::Format::bf16, 2, 2, nullptr),
                                             Table(bytes(type), Table::Format::f16, 1, 2, nullptr),
                                             bert::LayerNorm<float>(Eigen::Vector2f(1, 1), Eigen::Vector2f(0, 0), 0.0));
    bert::Batch batch;
    const std::int32_t ids[] = {2, 0};
    batch.add(ids, nullptr, 2);
    embeddings.check(batch);
    Matrix x(2, 2);
    bert::Workspace workspace;
    embeddings.forward(batch, x, workspace);
    // (5+1+1, 6+2+4) and (1+3+1, 2+4+4): each row normalises to (-1, 1).
    EXPECT_NEAR(x(0, 0), -1.0f, 1e-6f);
    EXPECT_NEAR(x(1, 1), 1.0f, 1e-6f);

    const auto refused = [&](const std::vector<std::int32_t>& bad_ids, std::int32_t bad_type, const char* what) {
        bert::Batch bad;
        const std::vector<std::int32_t> types(bad_ids.size(), bad_type);
        bad.add(bad_ids.data(), types.data(), bad_ids.size());
        bert_test::expect_error(bert::ErrorKind::input, {what}, [&] { embeddings.check(bad); });
    };
    refused({3}, 0, "id 3");
    refused({-1}, 0, "id -1");
    refused({0}, 1, "token type 1");
    refused({0, 0, 0}, 0, "3 tokens");
    refused({}, 0, "0 tokens");
    batch.offsets = {0, 3, 2};
    bert_test::expect_error(bert::ErrorKind::shape, {"offsets"}, [&] { embeddings.check(batch); });
    batch.offsets = {0, 2};
    batch.attention_mask = {0, 0};
    bert_test::expect_error(bert::ErrorKind::input, {"attention_mask"}, [&] { embeddings.check(batch); });
}

TEST(Pooling, EveryModeByHand) {
    Matrix hidden(3, 2);
    hidden << 1, -2, 4, 6, 7, 2;
    double sums[2];
    const auto pooled = [&](bert::PoolingMode mode, Index skip) {
        Eigen::RowVector2f out;
        bert::pool(mode, hidden, skip, sums, out.data());
        return out;
    };
    using Mode = bert::PoolingMode;
    using Row = Eigen::RowVector2f;
    EXPECT_EQ(pooled(Mode::cls, 0), Row(1, -2));
    EXPECT_EQ(pooled(Mode::last_token, 0), Row(7, 2));
    EXPECT_EQ(pooled(Mode::max, 0), Row(7, 6));
    EXPECT_EQ(pooled(Mode::mean, 0), Row(4, 2));
    EXPECT_TRUE(pooled(Mode::mean_sqrt_len, 0).isApprox(Row(12, 6) / std::sqrt(3.0f)));
    EXPECT_TRUE(pooled(Mode::weighted_mean, 0).isApprox(Row(30.0f / 6, 16.0f / 6)));
    EXPECT_EQ(pooled(Mode::cls, 1), Row(4, 6));
    EXPECT_EQ(pooled(Mode::max, 1), Row(7, 6));
    EXPECT_EQ(pooled(Mode::mean, 1), Row(5.5f, 4));
    EXPECT_TRUE(pooled(Mode::weighted_mean, 1).isApprox(Row(29.0f / 5, 18.0f / 5)));
    for (const Mode mode : {Mode::mean, Mode::max, Mode::weighted_mean, Mode::mean_sqrt_len, Mode::last_token}) {
        EXPECT_EQ(pooled(mode, 3), Row(0, 0));
    }
    EXPECT_EQ(pooled(Mode::cls, 3), Row(1, -2));
}

TEST(Pooling, NormalisedRowsHaveUnitLengthAndZeroStaysZero) {
    Matrix rows(3, 4);
    rows << 3, 4, 0, 0, 0, 0, 0, 0, 1e20f, 1e20f, 1e20f, 1e20f;
    bert::normalize_rows(rows);
    EXPECT_TRUE(rows.row(0).isApprox(Eigen::RowVector4f(0.6f, 0.8f, 0, 0)));
    EXPECT_EQ(rows.row(1), Eigen::RowVector4f::Zero());
    EXPECT_NEAR(rows.row(2).norm(), 1.0f, 1e-6f);
}

}  // namespace
