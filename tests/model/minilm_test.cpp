// The real all-MiniLM-L6-v2 against embeddings and hidden states that PyTorch and sentence-transformers gave. Needs the
// model: set BERT_TEST_MODEL_DIR to its folder. Without it the tests are skipped, and say so.
#include "../unit/test_support.hpp"

#include <bert/model/bert_model.hpp>
#include <bert/tasks/sentence_encoder.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using namespace bert_test;
using bert::Index;

class MiniLM : public testing::Test {
protected:
    void SetUp() override {
        const char* const folder = std::getenv("BERT_TEST_MODEL_DIR");
        if (!folder || !*folder) GTEST_SKIP() << "BERT_TEST_MODEL_DIR is not set to a folder of all-MiniLM-L6-v2";
        folder_ = folder;
    }

    fs::path folder_;
    Golden golden_{data_dir() / "minilm" / "expected.safetensors"};
    std::vector<std::string> texts_ = read_json(data_dir() / "minilm" / "texts.json").get<std::vector<std::string>>();
};

TEST_F(MiniLM, EmbeddingsEqualSentenceTransformers) {
    const bert::SentenceEncoder encoder(folder_);
    EXPECT_EQ(encoder.dimension(), 384);
    EXPECT_EQ(encoder.max_seq_length(), 256u);
    const auto result = encoder.embed(texts_);
    const auto expected = golden_.matrix<float>("embeddings");
    const auto tokens = golden_.values<std::size_t>("tokens");
    const auto whole = golden_.values<std::size_t>("untruncated_tokens");
    ASSERT_GE(texts_.size(), 120u);
    ASSERT_EQ(result.embeddings.rows(), expected.rows());
    double worst = 0;
    for (Index row = 0; row < expected.rows(); ++row) {
        const auto i = static_cast<std::size_t>(row);
        const double difference = max_difference(result.embeddings.row(row), expected.row(row));
        EXPECT_LE(difference, 2e-6) << "text " << i << ": " << texts_[i].substr(0, 80);
        EXPECT_EQ(result.texts[i].tokens, tokens[i]) << texts_[i].substr(0, 80);
        EXPECT_EQ(result.texts[i].truncated, whole[i] > tokens[i]) << texts_[i].substr(0, 80);
        worst = std::max(worst, difference);
    }
    report_worst("embeddings", worst);
}

TEST_F(MiniLM, NarrowWeightsStayClose) {
    const auto expected = golden_.matrix<float>("embeddings");
    const auto check = [&](bert::WeightType weights, double least_mean, double least) {
        bert::SentenceEncoderOptions options;
        options.weights = weights;
        const auto embeddings = bert::SentenceEncoder(folder_, options).encode(texts_);
        double mean = 0;
        double worst = 1;
        for (Index row = 0; row < expected.rows(); ++row) {
            const double product = static_cast<double>(embeddings.row(row).dot(expected.row(row)));
            const double cosine = product / static_cast<double>(embeddings.row(row).norm() * expected.row(row).norm());
            mean += cosine / static_cast<double>(expected.rows());
            worst = std::min(worst, cosine);
        }
        EXPECT_GE(mean, least_mean);
        EXPECT_GE(worst, least);
    };
    check(bert::WeightType::bfloat16, 0.9999, 0.999);
    check(bert::WeightType::int8, 0.998, 0.99);
}

TEST_F(MiniLM, HiddenStatesOfEveryLayerEqualPyTorchWithEveryTable) {
    const auto tokenizer = bert::Tokenizer::load(folder_);
    for (const auto* table : bert::available_kernels<float>()) {
        bert::LoadOptions load;
        load.kernels = table->name;
        const auto model = bert::BertModel<float>::load(folder_, load);
        bert::ForwardOptions options;
        options.hidden_states = true;
        double worst = 0;
        for (const std::string text : {"0", "1", "2"}) {
            const bert::Encoding encoding = tokenizer.encode(texts_[std::stoul(text)]);
            EXPECT_EQ(encoding.ids, golden_.values<std::int32_t>(text + ".ids"));
            const auto output = model.forward(encoding, options);
            ASSERT_EQ(output.hidden_states.size(), 7u);
            for (std::size_t layer = 0; layer < 7; ++layer) {
                const auto expected = golden_.matrix<float>(text + ".hidden_states." + std::to_string(layer));
                const double difference = max_difference(output.hidden_states[layer], expected);
                EXPECT_LE(difference, 1e-5) << table->name << ", text " << text << ", layer " << layer;
                worst = std::max(worst, difference);
            }
        }
        report_worst("hidden states with " + std::string(table->name), worst);
    }
}

TEST_F(MiniLM, EmbeddingsDifferBetweenTablesByRounding) {
    std::vector<std::string> some;
    for (std::size_t i = 0; i < texts_.size(); i += 24) some.push_back(texts_[i]);
    const auto tables = bert::available_kernels<float>();
    // Narrow numbers move by a whole step now and then; bert::verify() lets a tenth of the length pass.
    for (const auto& [weights, name, limit] :
         {std::tuple(bert::WeightType::float32, "f32", 5e-6), std::tuple(bert::WeightType::bfloat16, "bf16", 0.1),
          std::tuple(bert::WeightType::int8, "int8", 0.1)}) {
        bert::Matrix first;
        for (const auto* table : tables) {
            bert::SentenceEncoderOptions options;
            options.weights = weights;
            options.load.kernels = table->name;
            const bert::Matrix embeddings = bert::SentenceEncoder(folder_, options).encode(some);
            if (first.size() == 0) first = embeddings;
            const double length = static_cast<double>((embeddings - first).rowwise().norm().maxCoeff());
            EXPECT_LE(length, limit) << table->name;
            const std::string what = std::string(name) + " with " + table->name + " and " + tables.front()->name;
            report_worst(what + ", length of the difference", length);
            report_worst(what + ", largest difference", max_difference(embeddings, first));
        }
    }
}

TEST_F(MiniLM, FloatStaysCloseToDouble) {
    const auto single = bert::BertModel<float>::load(folder_);
    const auto exact = bert::BertModel<double>::load(folder_);
    const auto tokenizer = bert::Tokenizer::load(folder_);
    double worst = 0;
    for (std::size_t i = 0; i < texts_.size(); i += 8) {
        const bert::Encoding encoding = tokenizer.encode(texts_[i]);
        if (encoding.size() > 128) continue;
        worst = std::max(worst, max_difference(single.forward(encoding).last_hidden_state,
                                               exact.forward(encoding).last_hidden_state));
    }
    EXPECT_LE(worst, 1e-5);
    report_worst("float against double", worst);
}

TEST_F(MiniLM, ARowHasTheSameBitsAloneAndInAnyCompany) {
    const bert::SentenceEncoder encoder(folder_);
    const bert::Matrix together = encoder.encode(texts_);
    for (std::size_t i = 0; i < texts_.size(); i += 7) {
        const bert::Matrix row = together.row(static_cast<Index>(i));
        EXPECT_TRUE(same_bits(encoder.encode({texts_[i]}), row)) << texts_[i].substr(0, 80);
    }
    bert::SentenceEncoderOptions one_thread;
    one_thread.threads = 1;
    EXPECT_TRUE(same_bits(bert::SentenceEncoder(folder_, one_thread).encode(texts_), together));
}

}  // namespace
