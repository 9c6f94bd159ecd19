// A text's result has the same bits alone, in any batch, at any place in it, on any number of threads, and whatever the
// workspace was used for before.
#include "models.hpp"

#include <bert/core/thread_pool.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/tasks/sentence_encoder.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace {

using bert::Index;
using bert_test::Random;

struct KnownText {
    std::vector<std::int32_t> ids;
    bert::Matrix alone;
};

/// Draws batches of texts of up to `most_tokens` tokens and compares each text's rows with those it gets alone.
void expect_the_same_in_any_batch(bert::WeightType type, const bert_test::ModelSizes& sizes, std::size_t most_tokens,
                                  std::size_t batches, std::uint32_t seed) {
    const bert_test::TempFolder folder;
    bert_test::write_random_model(folder.path(), sizes, seed);
    const auto model = bert::AnyBertModel::load(folder.path(), type);
    Random random(seed);
    std::vector<KnownText> known(150);
    for (KnownText& text : known) {
        text.ids = bert_test::random_ids(random, 1 + random.below(most_tokens), static_cast<std::size_t>(sizes.vocab));
        bert::Batch batch;
        batch.add(text.ids.data(), nullptr, text.ids.size());
        text.alone = model.forward(batch).last_hidden_state;
    }
    // Pools and workspaces live on, each with a history of batches of all sizes.
    std::deque<bert::ThreadPool> pools;
    std::deque<bert::Workspace> workspaces;
    for (const unsigned threads : {1u, 2u, 3u, 5u}) workspaces.emplace_back(&pools.emplace_back(threads));
    for (std::size_t round = 0; round < batches; ++round) {
        bert::Batch batch;
        std::vector<std::size_t> chosen;
        for (std::size_t count = 1 + random.below(random.below(8) == 0 ? 30 : 6); count > 0; --count) {
            chosen.push_back(random.below(known.size()));
            batch.add(known[chosen.back()].ids.data(), nullptr, known[chosen.back()].ids.size());
        }
        bert::Workspace& workspace = workspaces[random.below(workspaces.size())];
        if (random.below(50) == 0) workspace.shrink();
        const bert::Matrix together = model.forward(batch, workspace).last_hidden_state;
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            const bert::Matrix rows = together.middleRows(batch.offsets[i], batch.length(static_cast<Index>(i)));
            ASSERT_TRUE(bert_test::same_bits(rows, known[chosen[i]].alone))
                << "batch " << round << ", text " << i << " of " << chosen.size() << ", " << workspace.workers()
                << " threads, weights " << static_cast<int>(type);
        }
    }
}

class Determinism : public testing::TestWithParam<bert::WeightType> {};

TEST_P(Determinism, OfForwardPasses) {
    expect_the_same_in_any_batch(GetParam(), {}, 90, bert_test::rounds(300, 10'000), 11);
}

TEST_P(Determinism, OfForwardPassesOfAModelOfOddSizes) {
    bert_test::ModelSizes odd;
    odd.hidden = 33;
    odd.heads = 3;
    odd.inner = 71;
    odd.layers = 1;
    expect_the_same_in_any_batch(GetParam(), odd, 90, bert_test::rounds(300, 10'000), 12);
}

TEST_P(Determinism, OfTenThousandBatches) {
    bert_test::ModelSizes small;
    small.hidden = 16;
    small.heads = 2;
    small.inner = 20;
    small.layers = 1;
    small.positions = 20;
    expect_the_same_in_any_batch(GetParam(), small, 20, 10'000, 14);
}

TEST_P(Determinism, OfSentenceEmbeddings) {
    const bert_test::TempFolder folder;
    bert_test::assemble_sentence_model("dense_tanh", folder.path());
    Random random(13);
    std::deque<bert::SentenceEncoder> encoders;
    for (const unsigned threads : {1u, 3u}) {
        bert::SentenceEncoderOptions options;
        options.threads = threads;
        options.weights = GetParam();
        encoders.emplace_back(folder.path(), options);
    }
    std::vector<std::string> known;
    for (int i = 0; i < 100; ++i) known.push_back(bert_test::random_text(random, 1 + random.below(80)));
    bert::EmbedOptions options;
    options.long_text = bert::LongText::average_windows;
    std::vector<bert::Matrix> alone;
    for (const auto& text : known) alone.push_back(encoders[0].encode({text}, options));
    const std::size_t calls = bert_test::rounds(100, 3000);
    for (std::size_t round = 0; round < calls; ++round) {
        std::vector<std::size_t> chosen;
        std::vector<std::string> texts;
        for (std::size_t count = 1 + random.below(20); count > 0; --count) {
            chosen.push_back(random.below(known.size()));
            texts.push_back(known[chosen.back()]);
        }
        options.token_budget = 1 + random.below(400);
        const bert::Matrix together = encoders[random.below(encoders.size())].encode(texts, options);
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            const bert::Matrix row = together.row(static_cast<Index>(i));
            ASSERT_TRUE(bert_test::same_bits(row, alone[chosen[i]])) << "call " << round << ", text " << i;
        }
    }
}

std::string name_of_weights(const testing::TestParamInfo<bert::WeightType>& info) {
    const char* const names[] = {"float32", "bfloat16", "int8"};
    return names[static_cast<int>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Weights, Determinism,
                         testing::Values(bert::WeightType::float32, bert::WeightType::bfloat16, bert::WeightType::int8),
                         name_of_weights);

}  // namespace
