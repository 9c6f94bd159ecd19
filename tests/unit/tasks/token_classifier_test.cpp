// TokenClassifier against transformers' token-classification pipeline, as recorded in tests/golden/heads.
#include "heads_support.hpp"

#include <bert/tasks/token_classifier.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::Aggregation;
using bert::EntityOptions;
using bert::ErrorKind;
using bert::TokenClassifier;

fs::path folder() {
    return heads() / "token_classifier";
}

const std::map<std::string, Aggregation> aggregations{{"none", Aggregation::none},
                                                      {"simple", Aggregation::simple},
                                                      {"first", Aggregation::first},
                                                      {"average", Aggregation::average},
                                                      {"max", Aggregation::max}};

TEST(TokenClassifier, EqualsThePipeline) {
    Worst worst("token-classification scores", 1e-5);
    bert::TaskOptions task;
    task.threads = 2;
    task.token_budget = 60;
    const TokenClassifier model(folder(), task);
    const Json cases = recorded("token_classifier");
    for (const Json& given : cases) {
        SCOPED_TRACE(given.dump().substr(0, 300));
        EntityOptions options;
        options.aggregation = aggregations.at(given["aggregation"]);
        options.ignore_labels = strings(given["ignore_labels"]);
        if (!given["stride"].is_null()) options.stride = given["stride"].get<std::size_t>();
        const auto result = model.classify(given["text"], options);
        EXPECT_EQ(result.truncated, given["truncated"].get<bool>());
        ASSERT_EQ(result.entities.size(), given["entities"].size());
        for (std::size_t i = 0; i < result.entities.size(); ++i) {
            const Json& expected = given["entities"][i];
            const bert::Entity& entity = result.entities[i];
            EXPECT_EQ(entity.label, expected[0].get<std::string>()) << i;
            worst.compare(entity.score, expected[1]);
            EXPECT_EQ(entity.span, (bert::Span{expected[2], expected[3]})) << i;
            EXPECT_EQ(entity.word, expected[4].get<std::string>()) << i;
            if (!expected[5].is_null()) {
                EXPECT_EQ(entity.index, expected[5].get<std::size_t>()) << i;
            }
        }
    }
}

TEST(TokenClassifier, BatchesThreadsAndBudgetsGiveTheSame) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < 30; ++i) {
        texts.push_back("Anna lives in New York, " + std::string(i, 'x') + (i % 3 ? " not in Berlin" : ""));
    }
    EntityOptions options;
    options.aggregation = Aggregation::first;
    bert::TaskOptions task;
    task.threads = 1;
    task.token_budget = 1;
    const auto expected = TokenClassifier(folder(), task).classify_batch(texts, options);
    task.threads = 2;
    task.token_budget = 128;
    const TokenClassifier model(folder(), task);
    on_four_threads([&] {
        const auto results = model.classify_batch(texts, options);
        for (std::size_t i = 0; i < texts.size(); ++i) {
            ASSERT_EQ(results[i].entities.size(), expected[i].entities.size());
            for (std::size_t k = 0; k < expected[i].entities.size(); ++k) {
                EXPECT_EQ(results[i].entities[k].score, expected[i].entities[k].score);
                EXPECT_EQ(results[i].entities[k].span, expected[i].entities[k].span);
            }
        }
    });
}

TEST(TokenClassifier, BadInputIsNamed) {
    const TokenClassifier model(folder());
    EntityOptions options;
    options.stride = 46;
    std::string words;
    for (int i = 0; i < 60; ++i) words += "the ";
    expect_error(ErrorKind::input, {"stride 46"}, [&] { model.classify(words, options); });
    const HeadModel fewer("token_classifier", {{"id2label", {{"0", "O"}, {"1", "B-PER"}}}});
    expect_error(ErrorKind::shape, {"classifier.weight", "[2, 24]", "[6, 24]"},
                 [&] { TokenClassifier task(fewer.path()); });
    const HeadModel broken("token_classifier", {{"id2label", {{"zero", "O"}}}});
    expect_error(ErrorKind::format, {"id2label", "zero"}, [&] { TokenClassifier task(broken.path()); });
}

}  // namespace
