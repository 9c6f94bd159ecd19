// FillMask against transformers' fill-mask pipeline, and pseudo-log-likelihoods, as recorded in tests/golden/heads.
#include "heads_support.hpp"

#include <bert/tasks/fill_mask.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::FillMask;
using bert::FillMaskOptions;

TEST(FillMask, EqualsThePipeline) {
    Worst worst("fill-mask scores", 1e-5);
    Opened<FillMask> models;
    const Json cases = recorded("fill_mask");
    for (const Json& given : cases) {
        if (!given.contains("masks")) continue;
        SCOPED_TRACE(given.dump().substr(0, 200));
        FillMaskOptions options;
        options.top_k = given["top_k"];
        options.targets = strings(given["targets"]);
        const auto result = models.of(given["model"]).fill(given["text"], options);
        ASSERT_EQ(result.masks.size(), given["masks"].size());
        EXPECT_FALSE(result.truncated);
        for (std::size_t i = 0; i < result.masks.size(); ++i) {
            const Json& mask = given["masks"][i];
            EXPECT_EQ(result.masks[i].span, (bert::Span{mask["span"][0], mask["span"][1]}));
            ASSERT_EQ(result.masks[i].candidates.size(), mask["candidates"].size());
            for (std::size_t k = 0; k < mask["candidates"].size(); ++k) {
                const Json& expected = mask["candidates"][k];
                const bert::MaskCandidate& candidate = result.masks[i].candidates[k];
                EXPECT_EQ(candidate.id, expected["token"].get<std::int32_t>());
                EXPECT_EQ(candidate.token, expected["token_str"].get<std::string>());
                EXPECT_EQ(candidate.sequence, expected["sequence"].get<std::string>());
                worst.compare(candidate.score, expected["score"]);
            }
        }
    }
}

TEST(FillMask, PseudoLikelihoodEqualsMaskingTokenByToken) {
    Worst worst("pseudo-log-likelihood per token", 1e-5);
    Opened<FillMask> models;
    const Json cases = recorded("fill_mask");
    for (const Json& given : cases) {
        if (!given.contains("perplexity")) continue;
        const auto result = models.of(given["model"]).perplexity(given["text"]);
        EXPECT_EQ(result.tokens, given["tokens"].get<std::size_t>());
        EXPECT_EQ(result.windows, given["windows"].get<std::size_t>());
        const double tokens = std::max(1.0, static_cast<double>(result.tokens));
        worst.compare(result.log_likelihood / tokens, given["log_likelihood"].get<double>() / tokens);
        EXPECT_NEAR(result.perplexity / given["perplexity"].get<double>(), 1.0, 1e-4);
    }
}

TEST(FillMask, BatchesThreadsAndBudgetsGiveTheSameBits) {
    std::vector<std::string> texts;
    for (int i = 0; i < 20; ++i) texts.push_back("the [MASK] sat on " + std::string(static_cast<std::size_t>(i), 'a'));
    bert::TaskOptions options;
    options.threads = 1;
    options.token_budget = 1;
    const FillMask alone(heads() / "masked_lm", options);
    options.threads = 3;
    options.token_budget = 100;
    const FillMask together(heads() / "masked_lm", options);
    const auto expected = alone.fill_batch(texts);
    on_four_threads([&] {
        const auto results = together.fill_batch(texts);
        for (std::size_t i = 0; i < texts.size(); ++i) {
            for (std::size_t k = 0; k < 5; ++k) {
                const float score = results[i].masks[0].candidates[k].score;
                EXPECT_EQ(score, expected[i].masks[0].candidates[k].score);
            }
        }
    });
    EXPECT_TRUE(alone.fill_batch({}).empty());
}

TEST(FillMask, TargetsThatAreNoTokensAreNamed) {
    const FillMask model(heads() / "masked_lm");
    FillMaskOptions options;
    options.targets = {"cat", "londoner", "  "};
    const auto result = model.fill("the [MASK]", options);
    EXPECT_EQ(result.substituted, std::vector<std::string>{"londoner"});
    EXPECT_EQ(result.masks[0].candidates.size(), 2u);
    options.targets = {" ", ""};
    expect_error(bert::ErrorKind::input, {"none of the 2 targets"}, [&] { model.fill("the [MASK]", options); });
}

TEST(FillMask, BadInputIsNamed) {
    const FillMask model(heads() / "masked_lm");
    using bert::ErrorKind;
    expect_error(ErrorKind::input, {"text 1", "[MASK]"}, [&] { model.fill_batch({"a [MASK]", "a mask"}); });
    expect_error(ErrorKind::input, {"text 0", "[MASK]"}, [&] { model.fill(""); });
    std::string far;
    for (int i = 0; i < 60; ++i) far += "the ";
    expect_error(ErrorKind::input, {"[MASK]", "48"}, [&] { model.fill(far + "[MASK]"); });
    EXPECT_TRUE(model.fill("[MASK] " + far).truncated);
    FillMaskOptions options;
    options.top_k = 100000;
    expect_error(ErrorKind::input, {"top_k", "100000"}, [&] { model.fill("[MASK]", options); });
    options.top_k = 0;
    expect_error(ErrorKind::input, {"top_k"}, [&] { model.fill("[MASK]", options); });
    bert::TaskOptions long_options;
    long_options.max_length = 49;
    expect_error(ErrorKind::input, {"max_length", "48", "49"}, [&] { FillMask(heads() / "masked_lm", long_options); });
}

TEST(FillMask, WeightsOfTheHeadAreFoundUnderTheirNames) {
    // An untied decoder that is not there cannot be replaced by the word embeddings.
    const HeadModel untied("masked_lm", {{"tie_word_embeddings", false}});
    expect_error(bert::ErrorKind::format, {"cls.predictions.decoder.weight", "missing"},
                 [&] { FillMask task(untied.path()); });

    // Without a bias of the decoder, that of the head is taken.
    const HeadModel shared("masked_lm_separate");
    float bias = 0;
    edit_tensors(shared.path() / "model.safetensors", [&](std::vector<RawTensor>& tensors) {
        tensor_named(tensors, "cls.predictions.bias").data = tensor_named(tensors, "cls.predictions.decoder.bias").data;
        std::memcpy(&bias, tensor_named(tensors, "cls.predictions.decoder.bias").data.data(), sizeof bias);
        tensor_named(tensors, "cls.predictions.decoder.bias").name = "something.else";
    });
    const auto expected = FillMask(heads() / "masked_lm_separate").fill("the [MASK]");
    const auto result = FillMask(shared.path()).fill("the [MASK]");
    EXPECT_NE(bias, 0.0f);
    EXPECT_EQ(result.masks[0].candidates[0].score, expected.masks[0].candidates[0].score);
}

}  // namespace
