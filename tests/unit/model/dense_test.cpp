// The Dense module by itself.
#include <bert/bert.hpp>

#include "../test_support.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

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

TEST(Dense, HasTheDefaultActivationForAClassOfOthers) {
    // sentence-transformers imports classes of torch alone, unless it is told to trust the folder.
    const bert_test::TempFolder folder;
    const std::vector<std::string> texts = {"the cat sat", "a dog"};
    const auto embeddings = [&](const char* variant, const char* activation) {
        bert_test::assemble_sentence_model(variant, folder.path());
        const auto config = folder.path() / "3_Dense" / "config.json";
        if (activation) bert_test::set_key(config, "activation_function", activation);
        else bert_test::remove_key(config, "activation_function");
        return bert::SentenceEncoder(folder.path()).encode(texts);
    };
    const Matrix by_default = embeddings("dense_gelu", nullptr);
    EXPECT_TRUE(bert_test::same_bits(embeddings("dense_gelu", "torch.nn.modules.activation.Tanh"), by_default));
    EXPECT_TRUE(bert_test::same_bits(embeddings("dense_gelu", "somebody.activations.GELU"), by_default));
    EXPECT_FALSE(bert_test::same_bits(embeddings("dense_gelu", "torch.nn.modules.activation.GELU"), by_default));
}

}  // namespace
