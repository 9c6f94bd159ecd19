// Attention rollout, contributions of words and tokens, and principal components.
#include "../test_support.hpp"

#include <bert/tasks/explain/attention_rollout.hpp>
#include <bert/tasks/explain/contributions.hpp>
#include <bert/tasks/explain/pca.hpp>

#include <gtest/gtest.h>

#include <limits>

namespace {

using namespace bert_test;
using bert::ErrorKind;
using bert::Index;
using bert::Matrix;

class Explain : public ::testing::Test {
protected:
    bert::SentenceEncoder open(const std::string& variant, const bert::SentenceEncoderOptions& options = {}) {
        folder_ = std::make_unique<TempFolder>();
        assemble_sentence_model(variant, folder_->path());
        return bert::SentenceEncoder(folder_->path(), options);
    }

    std::unique_ptr<TempFolder> folder_;
};

const std::string text = "The dog sat on the m\u00e4t.";

TEST_F(Explain, RollsAttentionOutByHand) {
    bert::ModelOutput<float> output;
    Matrix a(2, 2);
    Matrix b(2, 2);
    a << 1, 0, 0.5f, 0.5f;
    b << 0, 1, 0.5f, 0.5f;
    output.attentions = {{a, b}, {b, b}};
    // Layer 1: half of the mean of a and b, and half of the identity; layer 2 in front of it.
    Matrix first(2, 2);
    Matrix second(2, 2);
    first << 0.75f, 0.25f, 0.25f, 0.75f;
    second << 0.5f, 0.5f, 0.25f, 0.75f;
    EXPECT_LE(max_difference(bert::attention_rollout(output, 2, 0, 1), first), 1e-7);
    EXPECT_LE(max_difference(bert::attention_rollout(output, 2), second * first), 1e-7);
    EXPECT_LE(max_difference(bert::attention_rollout(output, 1, 1),
                             ((b + Matrix::Identity(2, 2)) * (b + Matrix::Identity(2, 2)) / 4)),
              1e-7);
    expect_error(ErrorKind::input, {"text 1"}, [&] { (void)bert::attention_rollout(output, 2, 1); });
    expect_error(ErrorKind::input, {"3 layers"}, [&] { (void)bert::attention_rollout(output, 2, 0, 3); });
    expect_error(ErrorKind::input, {"attentions"}, [&] { (void)bert::attention_rollout({}, 2); });
}

TEST_F(Explain, RolloutOfAModelSumsToOne) {
    const auto encoder = open("mean_normalize_without_folder");
    bert::ForwardOptions options;
    options.attentions = true;
    const auto output = encoder.model().forward(encoder.tokenizer().encode(text), options);
    const Matrix rollout = bert::attention_rollout(output, encoder.model().config().num_attention_heads);
    EXPECT_EQ(rollout.rows(), output.last_hidden_state.rows());
    EXPECT_LE(max_difference(rollout.rowwise().sum(), Matrix::Ones(rollout.rows(), 1)), 1e-6);
}

TEST_F(Explain, ContributionsOfTokensSumToTheCosine) {
    for (const auto pooling : {bert::PoolingMode::mean, bert::PoolingMode::cls, bert::PoolingMode::mean_sqrt_len,
                               bert::PoolingMode::weighted_mean, bert::PoolingMode::last_token}) {
        for (const auto weights : {bert::WeightType::float32, bert::WeightType::int8}) {
            bert::SentenceEncoderOptions options;
            options.pooling = pooling;
            options.weights = weights;
            options.truncate_dim = 20;
            const auto encoder = open("mean_normalize_without_folder", options);
            for (const std::string& other : {std::string("a cat ran"), std::string()}) {
                const auto result = bert::similarity_contributions(encoder, text, other);
                const Matrix embeddings = encoder.encode({text, other});
                const float cosine = bert::similarity(embeddings, embeddings)(0, 1);
                EXPECT_NEAR(result.cosine, cosine, 1e-5);
                EXPECT_NEAR(result.contributions.cast<double>().sum(), cosine, 1e-5);
                EXPECT_EQ(result.contributions.rows(), static_cast<Index>(result.first.size()));
                EXPECT_EQ(result.contributions.cols(), static_cast<Index>(result.second.size()));
            }
        }
    }
}

TEST_F(Explain, RefusesWhatIsNoSumOverTokens) {
    for (const auto& [variant, reason] :
         {std::pair{"max", "max"}, {"dense_tanh", "Dense"}, {"mean_then_cls", "several"}}) {
        const auto encoder = open(variant);
        expect_error(ErrorKind::unsupported, {reason},
                     [&] { (void)bert::similarity_contributions(encoder, text, text); });
    }
}

TEST_F(Explain, ContributionsOfWordsAreWhatLeavingThemOutDoes) {
    const auto encoder = open("dense_tanh");
    const auto words = bert::word_contributions(encoder, text);
    ASSERT_EQ(words.size(), 7u);
    EXPECT_EQ(words[1].span, (bert::Span{4, 7}));
    EXPECT_EQ(words[5].span, (bert::Span{19, 23}));
    const Matrix embeddings = encoder.encode({text, "The  sat on the m\u00e4t."});
    EXPECT_EQ(words[1].change, 1 - bert::similarity(embeddings.topRows(1), embeddings)(0, 1));
    EXPECT_TRUE(bert::word_contributions(encoder, " ").empty());
}

TEST_F(Explain, ComponentsEqualScikitLearn) {
    const Golden golden(data_dir() / "retrieval" / "expected.safetensors");
    for (const std::string name : {"tall", "wide"}) {
        const auto projection = bert::principal_components(golden.matrix<float>("pca." + name + ".rows"));
        const double worst = max_difference(projection.points, golden.matrix<double>("pca." + name + ".points"));
        report_worst(name, worst);
        EXPECT_LE(worst, 1e-10);
        const auto ratios = golden.values<double>("pca." + name + ".ratios");
        for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(projection.variance_ratios[i], ratios[i], 1e-12);
    }
}

TEST_F(Explain, ComponentsOfFewRows) {
    EXPECT_EQ(bert::principal_components(Matrix(0, 3)).points.cols(), 2);
    EXPECT_EQ(bert::principal_components(Matrix::Ones(4, 3)).points.norm(), 0);
    Matrix line(3, 2);
    line << 0, 0, 1, 1, 2, 2;
    const auto projection = bert::principal_components(line);
    EXPECT_NEAR(projection.points(2, 0), std::sqrt(2.0), 1e-12);
    EXPECT_EQ(projection.points(2, 1), 0);
    EXPECT_NEAR(projection.variance_ratios[0], 1, 1e-12);
    line(1, 1) = std::numeric_limits<float>::infinity();
    expect_error(ErrorKind::input, {"row 1"}, [&] { (void)bert::principal_components(line); });
    expect_error(ErrorKind::input, {"components", "given 0"}, [&] { (void)bert::principal_components(line, 0); });
}

}  // namespace
