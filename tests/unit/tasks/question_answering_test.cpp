// QuestionAnswering against the pipeline of transformers 4, as recorded in tests/golden/heads, and very long contexts.
#include "heads_support.hpp"

#include <bert/tasks/question_answering.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::AnswerOptions;
using bert::AnswerResult;
using bert::ErrorKind;
using bert::QuestionAnswering;

fs::path question_answering_folder() {
    return heads() / "question_answering";
}

AnswerOptions options_of(const Json& given) {
    AnswerOptions options;
    options.top_k = given["top_k"];
    options.max_answer_len = given["max_answer_len"];
    options.handle_impossible_answer = given["handle_impossible_answer"];
    options.align_to_words = given["align_to_words"];
    if (!given["max_length"].is_null()) options.max_length = given["max_length"].get<std::size_t>();
    if (!given["doc_stride"].is_null()) options.doc_stride = given["doc_stride"].get<std::size_t>();
    return options;
}

TEST(QuestionAnswering, EqualsThePipeline) {
    Worst worst("question-answering scores", 1e-5);
    const Json golden = read_json(heads() / "question_answering.json");
    bert::TaskOptions task;
    task.threads = 2;
    task.token_budget = 100;
    const QuestionAnswering model(question_answering_folder(), task);
    for (const Json& given : golden["cases"]) {
        SCOPED_TRACE(given.dump().substr(0, 300));
        const Json& context = given["context"].is_null() ? golden["long_context"] : given["context"];
        const AnswerResult result = model.answer(given["question"], context, options_of(given));
        EXPECT_EQ(result.windows, given["windows"].get<std::size_t>());
        worst.compare(result.no_answer_score, given["no_answer_score"]);
        ASSERT_EQ(result.answers.size(), given["answers"].size());
        for (std::size_t i = 0; i < result.answers.size(); ++i) {
            const Json& expected = given["answers"][i];
            EXPECT_EQ(result.answers[i].span, (bert::Span{expected["span"][0], expected["span"][1]})) << i;
            EXPECT_EQ(result.answers[i].text, expected["text"].get<std::string>()) << i;
            worst.compare(result.answers[i].score, expected["score"]);
        }
    }
}

TEST(QuestionAnswering, ALongContextHasTheSameAnswersInAnyBatchAndOnThreads) {
    std::string context;
    for (int i = 0; i < 3000; ++i)
        context += i % 7 == 0 ? "Anna lives in Paris. " : "the river bank, " + std::to_string(i);
    bert::TaskOptions options;
    options.threads = 1;
    options.token_budget = 1;
    const auto expected =
        QuestionAnswering(question_answering_folder(), options).answer("who lives in paris?", context);
    EXPECT_GT(expected.windows, 500u);
    const auto& answer = expected.answers.at(0);
    EXPECT_EQ(context.substr(answer.span.begin, answer.span.end - answer.span.begin), answer.text);
    options.threads = 2;
    options.token_budget = 500;
    const QuestionAnswering model(question_answering_folder(), options);
    on_four_threads([&] {
        const auto results = model.answer_batch({{"who", "x"}, {"who lives in paris?", context}, {"who", "y"}});
        EXPECT_EQ(results[1].answers.at(0).score, answer.score);
        EXPECT_EQ(results[1].answers.at(0).span, answer.span);
        EXPECT_EQ(results[0].answers.at(0).text, "x");
        EXPECT_EQ(results[2].answers.at(0).text, "y");
    });
}

TEST(QuestionAnswering, GivesEveryAnswerWhereAllAreAskedFor) {
    const QuestionAnswering model(question_answering_folder());
    bert::AnswerOptions options;
    options.top_k = 100000;
    const std::size_t all = model.answer("who?", "one two three four five six", options).answers.size();
    EXPECT_GT(all, 10u);
    options.top_k = std::numeric_limits<std::size_t>::max();
    EXPECT_EQ(model.answer("who?", "one two three four five six", options).answers.size(), all);
}

TEST(QuestionAnswering, BytesThatAreNotUtf8KeepTheirPlaces) {
    const QuestionAnswering model(question_answering_folder());
    const std::string context = "\xff\xfe Anna \xc3 lives in \x80 Paris";
    AnswerOptions options;
    options.top_k = 20;
    for (const auto& answer : model.answer("who?", context, options).answers) {
        EXPECT_EQ(context.substr(answer.span.begin, answer.span.end - answer.span.begin), answer.text);
    }
}

TEST(QuestionAnswering, BadInputIsNamed) {
    const QuestionAnswering model(question_answering_folder());
    expect_error(ErrorKind::input, {"pair 0", "question", "empty"}, [&] { model.answer("", "x"); });
    expect_error(ErrorKind::input, {"pair 1", "context", "empty"}, [&] {
        model.answer_batch({{"a", "b"}, {"a", ""}});
    });
    expect_error(ErrorKind::input, {"context", "no tokens"}, [&] { model.answer("a", " \t\n"); });
    std::string words;
    for (int i = 0; i < 50; ++i) words += "the ";
    expect_error(ErrorKind::input, {"question has 50 tokens", "48"}, [&] { model.answer(words, "a b"); });
    expect_error(ErrorKind::input, {"question has 24 tokens", "share 24"},
                 [&] { model.answer(words.substr(0, 96), words); });
    AnswerOptions options;
    options.top_k = 0;
    expect_error(ErrorKind::input, {"top_k"}, [&] { model.answer("a", "b", options); });
    options.top_k = 1;
    options.max_answer_len = 0;
    expect_error(ErrorKind::input, {"max_answer_len"}, [&] { model.answer("a", "b", options); });
    options.max_answer_len = 1;
    options.max_length = 49;
    expect_error(ErrorKind::input, {"max_length", "48", "49"}, [&] { model.answer("a", "b", options); });
    options.max_length = 20;
    options.doc_stride = 20;
    expect_error(ErrorKind::input, {"share 20"}, [&] { model.answer("a", words, options); });
}

TEST(QuestionAnswering, AHeadOfOtherSizeIsRefused) {
    const HeadModel wrong("question_answering");
    edit_tensors(wrong.path() / "model.safetensors", [](std::vector<RawTensor>& tensors) {
        tensor_named(tensors, "qa_outputs.weight").shape = {1, 48};
    });
    expect_error(ErrorKind::shape, {"qa_outputs.weight", "48"}, [&] { QuestionAnswering task(wrong.path()); });
}

}  // namespace
