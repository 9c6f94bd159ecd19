// Answers a question with words of a text.
//
//     question_answering MODEL_FOLDER [QUESTION TEXT]
#include <bert/bert.hpp>

#include <cstdio>
#include <exception>
#include <string>

int main(int argc, char** argv) try {
    if (argc != 2 && argc != 4) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER [QUESTION TEXT]\n", argv[0]);
        return 2;
    }
    const std::string question = argc == 4 ? argv[2] : "who lives in paris?";
    const std::string text = argc == 4 ? argv[3] : "Anna lives in Paris. John lives in Berlin, the capital of Germany.";

    const bert::QuestionAnswering model(argv[1]);
    bert::AnswerOptions options;
    options.top_k = 3;
    const bert::AnswerResult result = model.answer(question, text, options);
    for (const bert::Answer& answer : result.answers) {
        std::printf("%.3f  bytes %zu to %zu: %s\n", answer.score, answer.span.begin, answer.span.end,
                    answer.text.c_str());
    }
    std::printf("%.3f  no answer\n", result.no_answer_score);
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
