// What is allocated, and when: nothing in a steady stream of forward passes, no more than the token budget says for any
// number of texts, and nothing that grows from call to call.
#include "allocations.hpp"
#include "models.hpp"

#include <bert/core/buffer.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/tasks/sentence_encoder.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace {

using bert_test::Allocations;
using bert_test::Random;

bert::Batch random_batch(Random& random, std::size_t texts, std::size_t tokens, std::size_t vocab) {
    bert::Batch batch;
    for (std::size_t i = 0; i < texts; ++i) {
        const auto ids = bert_test::random_ids(random, tokens, vocab);
        batch.add(ids.data(), nullptr, ids.size());
    }
    return batch;
}

template <class W>
void expect_no_allocations(bert::Workspace& workspace, const bert::BertModel<W>& model) {
    Random random(3);
    std::vector<bert::Batch> batches;
    std::vector<bert::Matrix> outputs;
    for (int i = 0; i < 20; ++i) {
        batches.push_back(random_batch(random, 1 + random.below(6), 60, 50));
        outputs.emplace_back(batches.back().tokens(), model.config().hidden_size);
    }
    const auto pass = [&] {
        for (std::size_t i = 0; i < batches.size(); ++i) model.forward(batches[i], outputs[i], workspace);
    };
    pass();  // starts threads and gives the workspace its size
    pass();
    EXPECT_EQ(bert_test::allocations_of(pass), 0u);
}

template <class W>
void expect_no_allocations_on_any_threads() {
    const bert_test::TempFolder folder;
    bert_test::write_random_model(folder.path(), {}, 1);
    const auto model = bert::BertModel<W>::load(folder.path());
    bert::Workspace alone;
    expect_no_allocations(alone, model);
    bert::ThreadPool own(3);
    bert::Workspace on_own_threads(&own);
    expect_no_allocations(on_own_threads, model);
    bert::ThreadPool lent(bert::Executor{2, [](std::size_t copies, const std::function<void()>& job) {
                                             for (std::size_t i = 0; i < copies; ++i) job();
                                         }});
    bert::Workspace on_lent_threads(&lent);
    expect_no_allocations(on_lent_threads, model);
}

TEST(Memory, ASteadyStreamOfForwardPassesAllocatesNothing) {
    expect_no_allocations_on_any_threads<float>();
    expect_no_allocations_on_any_threads<bert::bfloat16>();
    expect_no_allocations_on_any_threads<std::int8_t>();
}

TEST(Memory, TheWorkspaceIsBoundedByTheLargestBatchAndShrinks) {
    const bert_test::TempFolder folder;
    bert_test::write_random_model(folder.path(), {}, 2);
    const auto model = bert::BertModel<float>::load(folder.path());
    bert::ThreadPool threads(2);
    // What the largest batch needs by itself.
    Random largest_random(1);
    bert::Batch largest;
    for (int i = 0; i < 4; ++i) {
        const std::vector<std::int32_t> ids(60, 7);
        largest.add(ids.data(), nullptr, ids.size());
    }
    bert::Workspace fresh(&threads);
    const bert::Matrix expected = model.forward(largest, fresh).last_hidden_state;
    const std::size_t needed = fresh.capacity();

    bert::Workspace used(&threads);
    Random random(4);
    for (int i = 0; i < 500; ++i) {
        model.forward(random_batch(random, 1 + random.below(4), 60, 50), used);
        // Blocks that were outgrown are merged, so some of the memory may be there twice.
        ASSERT_LE(used.capacity(), 2 * needed) << "after batch " << i;
    }
    used.shrink();
    EXPECT_EQ(used.capacity(), 0u);
    EXPECT_TRUE(bert_test::same_bits(model.forward(largest, used).last_hidden_state, expected));
}

/// Encodes `texts` in one call and returns the most memory that was live beside texts and results.
std::size_t peak_of(const bert::SentenceEncoder& encoder, const std::vector<std::string>& texts,
                    std::size_t token_budget) {
    bert::EmbedOptions options;
    options.token_budget = token_budget;
    encoder.shrink();
    const std::size_t before = Allocations::live_bytes;
    Allocations::peak_bytes = before;
    const auto result = encoder.embed(texts, options);
    const std::size_t results = 2 * static_cast<std::size_t>(result.embeddings.size()) * sizeof(float) +
                                result.texts.size() * sizeof(bert::TextInfo);
    return Allocations::peak_bytes - before - results;
}

TEST(Memory, ACallIsBoundedByTheTokenBudgetAndNotByTheNumberOfTexts) {
    const bert_test::GoldenFolder folder("models/sentence/transformer");
    bert::SentenceEncoderOptions options;
    options.threads = 2;
    const bert::SentenceEncoder encoder(folder.path(), options);
    Random random(5);
    std::vector<std::string> texts;
    for (int i = 0; i < 4000; ++i) texts.push_back(bert_test::random_text(random, 60));
    const std::vector<std::string> few(texts.begin(), texts.begin() + 400);
    peak_of(encoder, few, 256);  // what is made at the first call
    const std::size_t peak_of_few = peak_of(encoder, few, 256);
    EXPECT_LE(peak_of(encoder, texts, 256), peak_of_few + peak_of_few / 4);
    EXPECT_GT(peak_of(encoder, texts, 4096), 2 * peak_of_few);  // the budget is what counts
}

TEST(Memory, DoesNotGrowOverManyUnevenTexts) {
    const bert_test::GoldenFolder folder("models/sentence/transformer");
    bert::SentenceEncoderOptions options;
    options.threads = 2;
    const bert::SentenceEncoder encoder(folder.path(), options);
    Random random(6);
    const std::size_t total = bert_test::rounds(10'000, 100'000);
    std::size_t after_the_first_tenth = 0;
    for (std::size_t done = 0; done < total;) {
        {
            std::vector<std::string> texts;
            for (std::size_t count = 1 + random.below(200); count > 0; --count) {
                // Mostly short, some long, a few far longer than the model takes.
                const std::size_t words = random.below(10) != 0 ? 8 : random.below(5) != 0 ? 60 : 2000;
                texts.push_back(bert_test::random_text(random, words));
            }
            bert::EmbedOptions call;
            call.long_text = bert::LongText::average_windows;
            encoder.embed(texts, call);
            done += texts.size();
        }
        if (done < total / 10) continue;
        // Longer inputs than before may still come, for which the workspace grows; nothing else is kept.
        if (after_the_first_tenth == 0) after_the_first_tenth = Allocations::live_bytes;
        ASSERT_LE(Allocations::live_bytes, after_the_first_tenth + (std::size_t{1} << 20))
            << "after " << done << " texts";
    }
    encoder.shrink();
    EXPECT_LT(Allocations::live_bytes, after_the_first_tenth);
}

}  // namespace
