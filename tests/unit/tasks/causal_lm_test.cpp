// CausalLM against transformers, with every type of weights and kernel table, and on bad input.
#include <bert/kernels/dispatch.hpp>
#include <bert/tasks/causal_lm.hpp>

#include "../test_support.hpp"
#include "generation_cases.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using bert::CausalLM;
using bert::ErrorKind;
using bert::GenerationOptions;
using namespace bert_test;

namespace {

class GoldenCausalLM : public testing::TestWithParam<const char*> {};

TEST_P(GoldenCausalLM, TokensAndScoresEqualTransformers) {
    const CausalLM model(decoder_models() / GetParam());
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

TEST_P(GoldenCausalLM, APromptHasTheSameResultAloneUncachedAndOnAnyNumberOfThreads) {
    bert::LanguageModelOptions three;
    three.threads = 3;
    const CausalLM model(decoder_models() / GetParam());
    const CausalLM threaded(decoder_models() / GetParam(), three);
    for (const GenerationCase& one : generation_cases(GetParam())) {
        GenerationOptions options = generation_options(one.options);
        const auto together = model.generate_ids(one.prompts, options);
        options.token_budget = 1;
        const auto one_by_one = threaded.generate_ids(one.prompts, options);
        options.use_cache = !options.use_cache.value_or(true);
        const auto otherwise_cached = model.generate_ids(one.prompts, options);
        for (std::size_t i = 0; i < one.prompts.size(); ++i) {
            EXPECT_TRUE(same_sequences(together[i], one_by_one[i])) << one.name;
            EXPECT_TRUE(same_sequences(together[i], otherwise_cached[i])) << one.name;
            EXPECT_TRUE(same_sequences(together[i], model.generate_ids({one.prompts[i]}, options).at(0))) << one.name;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenCausalLM, testing::Values("causal_lm", "causal_lm_untied", "bert_generation"),
                         [](const testing::TestParamInfo<const char*>& info) { return std::string(info.param); });

TEST(CausalLM, TextsEqualTransformers) {
    const CausalLM model(decoder_models() / "causal_lm");
    const Json expectations = decoder_expectations("causal_lm");
    for (const Json& one : expectations.at("texts")) {
        const auto result = model.generate({one.at("text").get<std::string>()}, generation_options(one.at("options")));
        EXPECT_EQ(result.at(0).at(0).tokens, one.at("tokens").get<Ids>()) << one.dump();
        EXPECT_EQ(result.at(0).at(0).text, one.at("generated").get<std::string>()) << one.dump();
        EXPECT_EQ(model.tokenizer()->encode(one.at("text").get<std::string>()).ids, one.at("ids").get<Ids>());
    }
}

TEST(CausalLM, EveryTypeOfWeightsAndKernelTableGenerates) {
    const auto cases = generation_cases("causal_lm");
    GenerationOptions greedy;
    greedy.max_new_tokens = 8;
    const auto& prompts = cases.front().prompts;
    const auto exact = CausalLM(decoder_models() / "causal_lm").generate_ids(prompts, greedy);
    for (const auto* table : bert::available_kernels<float>()) {
        bert::LanguageModelOptions options;
        options.load.kernels = table->name;
        const CausalLM same(decoder_models() / "causal_lm", options);
        const auto results = same.generate_ids(prompts, greedy);
        for (std::size_t i = 0; i < prompts.size(); ++i) EXPECT_EQ(results[i][0].tokens, exact[i][0].tokens);
        for (const auto weights : {bert::WeightType::bfloat16, bert::WeightType::int8}) {
            options.weights = weights;
            const CausalLM narrow(decoder_models() / "causal_lm", options);
            for (const Ids& prompt : prompts) {
                GenerationOptions beams = greedy;
                beams.num_beams = 3;
                beams.num_return_sequences = 3;
                const auto cached = narrow.generate_ids({prompt}, beams);
                beams.use_cache = false;
                EXPECT_TRUE(same_sequences(cached[0], narrow.generate_ids({prompt}, beams)[0])) << table->name;
                // The first step has no history in which small differences could have grown.
                const auto first = narrow.generate_ids({prompt}, greedy)[0][0];
                const auto& expected = exact[static_cast<std::size_t>(&prompt - prompts.data())][0];
                if (first.tokens[0] == expected.tokens[0]) {
                    EXPECT_NEAR(first.token_scores[0], expected.token_scores[0], 0.3) << table->name;
                }
            }
        }
    }
}

TEST(CausalLM, CallsFromSeveralThreadsDoNotDisturbEachOther) {
    bert::LanguageModelOptions two;
    two.threads = 2;
    const CausalLM model(decoder_models() / "causal_lm", two);
    const auto cases = generation_cases("causal_lm");
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

TEST(CausalLM, TokensAreStreamedAsTheyAreChosen) {
    const CausalLM model(decoder_models() / "causal_lm");
    const auto cases = generation_cases("causal_lm");
    GenerationOptions options;
    options.max_new_tokens = 9;
    std::vector<bert::GeneratedSequence> streamed(cases[0].prompts.size());
    options.on_token = [&](const bert::GeneratedToken& token) {
        EXPECT_EQ(token.sequence, 0u);
        streamed[token.prompt].tokens.push_back(token.id);
        streamed[token.prompt].token_scores.push_back(token.score);
        if (token.last) streamed[token.prompt].finish = bert::FinishReason::end_token;
    };
    const auto results = model.generate_ids(cases[0].prompts, options);
    for (std::size_t i = 0; i < results.size(); ++i) {
        EXPECT_EQ(results[i][0].tokens, streamed[i].tokens);
        EXPECT_EQ(results[i][0].token_scores, streamed[i].token_scores);
    }
    std::size_t seen = 0;
    options.on_token = [&](const bert::GeneratedToken&) {
        if (++seen == 3) throw std::runtime_error("enough");
    };
    EXPECT_THROW(model.generate_ids({cases[0].prompts[1]}, options), std::runtime_error);
    EXPECT_EQ(seen, 3u);
    options.on_token = nullptr;
    EXPECT_FALSE(model.generate_ids({cases[0].prompts[1]}, options).at(0).empty());
    options.num_beams = 2;
    options.progress = [](std::size_t, std::size_t) { throw std::runtime_error("enough"); };
    EXPECT_THROW(model.generate_ids({cases[0].prompts[1]}, options), std::runtime_error);
}

TEST(CausalLM, BadInputIsNamed) {
    const auto folder = decoder_models() / "causal_lm";
    const CausalLM model(folder);
    const auto refuses = [&](const std::vector<Ids>& prompts, const GenerationOptions& options,
                             const std::vector<std::string>& parts) {
        expect_error(ErrorKind::input, parts, [&] { model.generate_ids(prompts, options); });
    };
    refuses({{5}, {}}, {}, {"prompt 1", "no tokens"});
    refuses({{5}, {5, 1000}}, {}, {"prompt 1", "1000", "122"});
    refuses({{5, -1}}, {}, {"-1"});
    refuses({Ids(41, 7)}, {}, {"prompt 0", "41 tokens"});
    refuses({Ids(40, 7)}, {}, {"40 tokens", "40"});  // the default length ends with the positions
    GenerationOptions one;
    one.max_new_tokens = 1;
    EXPECT_EQ(model.generate_ids({Ids(40, 7)}, one)[0][0].tokens.size(), 1u);
    one.max_new_tokens = 2;
    refuses({Ids(40, 7)}, one, {"max_new_tokens", "42", "41"});
    GenerationOptions streamed;
    streamed.num_beams = 2;
    streamed.on_token = [](const bert::GeneratedToken&) {};
    refuses({{5}}, streamed, {"on_token", "num_beams"});
    EXPECT_TRUE(model.generate_ids({}).empty());
    EXPECT_TRUE(model.generate(std::vector<std::string>{}).empty());
    expect_error(ErrorKind::input, {"no tokens"}, [&] {
        GenerationOptions without_bos;
        const TempFolder copy;
        copy_into(folder, copy.path());
        remove_key(copy.path() / "generation_config.json", "bos_token_id");
        CausalLM(copy.path()).generate({""}, without_bos, false);
    });
    EXPECT_EQ(model.generate({""}, one, false)[0][0].tokens, model.generate_ids({{2}}, one)[0][0].tokens);
    const CausalLM wordless(decoder_models() / "bert_generation");
    expect_error(ErrorKind::input, {"tokenizer", "generate_ids"}, [&] { wordless.generate({"a"}); });
}

TEST(CausalLM, FoldersOfOtherKindsAreNamed) {
    expect_error(ErrorKind::unsupported, {"encoder-decoder", "Seq2Seq"},
                 [] { CausalLM model(decoder_models() / "seq2seq"); });
    expect_error(ErrorKind::unsupported, {"is_decoder"}, [] { CausalLM model(bert_models() / "base"); });
    expect_error(ErrorKind::file, {"no such folder"}, [] { CausalLM model("no such folder"); });
    const auto changed = [](const char* key, const Json& value) {
        const TempFolder copy;
        copy_into(decoder_models() / "causal_lm", copy.path());
        set_key(copy.path() / "config.json", key, value);
        CausalLM model(copy.path());
    };
    expect_error(ErrorKind::unsupported, {"add_cross_attention"}, [&] { changed("add_cross_attention", true); });
    expect_error(ErrorKind::unsupported, {"roberta"}, [&] { changed("model_type", "roberta"); });
    expect_error(ErrorKind::format, {"encoder.layer.2"}, [&] { changed("num_hidden_layers", 3); });
    expect_error(ErrorKind::format, {"unexpected", "encoder.layer.1"}, [&] { changed("num_hidden_layers", 1); });
    expect_error(ErrorKind::format, {"cls.predictions.decoder.weight"}, [&] { changed("tie_word_embeddings", false); });
    expect_error(ErrorKind::format, {"lm_head"}, [&] {
        const TempFolder copy;
        copy_into(decoder_models() / "bert_generation", copy.path());
        edit_tensors(copy.path() / "model.safetensors",
                     [](auto& tensors) { tensor_named(tensors, "lm_head.bias").name = "lm_tail.bias"; });
        CausalLM model(copy.path());
    });
}

}  // namespace
