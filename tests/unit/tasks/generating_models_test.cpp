// CausalLM and Seq2Seq against transformers, as recorded in tests/golden/decoders, and what both promise: the same
// results alone and together, cached and not, on any number of threads, and with every type of weights and kernel
// table.
#include "generation_cases.hpp"

#include <bert/kernels/dispatch.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace bert_test;
using bert::GenerationOptions;
using bert::LanguageModelOptions;

class GeneratingModels : public testing::TestWithParam<const char*> {};

TEST_P(GeneratingModels, TokensAndScoresEqualTransformers) {
    const Generator model(GetParam());
    double worst = 0;
    for (const GenerationCase& one : generation_cases(GetParam())) {
        const auto results = model.generate_ids(one.prompts, generation_options(one.options));
        ASSERT_EQ(results.size(), one.prompts.size());
        for (std::size_t i = 0; i < results.size(); ++i) {
            worst = std::max(worst, compare_sequences(results[i], one.expected[i], one.name + "/" + std::to_string(i)));
        }
    }
    EXPECT_LE(worst, 1e-5);
    report_worst(std::string(GetParam()) + " scores", worst);
}

TEST_P(GeneratingModels, GiveTheSameAloneUncachedAndOnAnyThreads) {
    LanguageModelOptions three;
    three.threads = 3;
    LanguageModelOptions own;
    std::atomic<int> runs{0};
    own.executor = bert::Executor{2, [&runs](std::size_t, const std::function<void()>& job) {
                                      ++runs;
                                      job();
                                  }};
    const Generator model(GetParam());
    const Generator threaded(GetParam(), three);
    const Generator executed(GetParam(), own);
    for (const GenerationCase& one : generation_cases(GetParam())) {
        GenerationOptions options = generation_options(one.options);
        const auto together = model.generate_ids(one.prompts, options);
        options.token_budget = 1;
        const auto one_by_one = threaded.generate_ids(one.prompts, options);
        options.token_budget = 60;
        options.use_cache = !options.use_cache.value_or(true);
        const auto otherwise_cached = executed.generate_ids(one.prompts, options);
        for (std::size_t i = 0; i < one.prompts.size(); ++i) {
            EXPECT_TRUE(same_sequences(together[i], one_by_one[i])) << one.name;
            EXPECT_TRUE(same_sequences(together[i], otherwise_cached[i])) << one.name;
            EXPECT_TRUE(same_sequences(together[i], model.generate_ids({one.prompts[i]}, options).at(0))) << one.name;
        }
    }
    EXPECT_GT(runs, 0);
}

TEST_P(GeneratingModels, CallsFromSeveralThreadsDoNotDisturbEachOther) {
    LanguageModelOptions two;
    two.threads = 2;
    const Generator model(GetParam(), two);
    const auto cases = generation_cases(GetParam());
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (std::size_t t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (std::size_t i = t; i < cases.size(); i += 4) {
                const auto results = model.generate_ids(cases[i].prompts, generation_options(cases[i].options));
                for (std::size_t p = 0; p < results.size(); ++p) {
                    wrong += results[p].at(0).tokens != cases[i].expected[p][0].at("tokens").get<Ids>();
                }
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

// How close the numbers are is measured with those of the other tasks.
TEST_P(GeneratingModels, EveryWeightTypeAndKernelTableGenerates) {
    const auto prompts = generation_cases(GetParam()).front().prompts;
    GenerationOptions greedy;
    greedy.max_new_tokens = 8;
    const auto exact = Generator(GetParam()).generate_ids(prompts, greedy);
    GenerationOptions beams = greedy;
    beams.num_beams = 3;
    beams.num_return_sequences = 3;
    GenerationOptions uncached = beams;
    uncached.use_cache = false;
    for (const auto* table : bert::available_kernels<float>()) {
        SCOPED_TRACE(table->name);
        LanguageModelOptions options;
        options.load.kernels = table->name;
        const auto same = Generator(GetParam(), options).generate_ids(prompts, greedy);
        for (std::size_t i = 0; i < prompts.size(); ++i) EXPECT_EQ(same[i][0].tokens, exact[i][0].tokens);
        for (const auto weights : {bert::WeightType::bfloat16, bert::WeightType::int8}) {
            options.weights = weights;
            const Generator narrow(GetParam(), options);
            const auto together = narrow.generate_ids(prompts, beams);
            for (std::size_t i = 0; i < prompts.size(); ++i) {
                EXPECT_TRUE(same_sequences(together[i], narrow.generate_ids({prompts[i]}, uncached)[0]));
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, GeneratingModels,
                         testing::Values("causal_lm", "causal_lm_untied", "bert_generation", "seq2seq",
                                         "seq2seq_projection"),
                         [](const testing::TestParamInfo<const char*>& info) { return std::string(info.param); });

TEST(GeneratingModel, TextsEqualTransformers) {
    for (const char* name : {"causal_lm", "seq2seq"}) {
        const Generator model(name);
        const Json expectations = decoder_expectations(name);
        for (const Json& one : expectations.at("texts")) {
            const auto text = one.at("text").get<std::string>();
            const auto result = model.generate({text}, generation_options(one.at("options")));
            EXPECT_EQ(result.at(0).at(0).tokens, one.at("tokens").get<Ids>()) << one.dump();
            EXPECT_EQ(result.at(0).at(0).text, one.at("generated").get<std::string>()) << one.dump();
            EXPECT_EQ(model.tokenizer().encode(text).ids, one.at("ids").get<Ids>());
        }
    }
}

}  // namespace
