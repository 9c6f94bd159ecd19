// bert ask: answers to a question out of files, as JSON lines.
#include "commands.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <memory>
#include <string>
#include <vector>

namespace {

struct AskOptions {
    std::string folder;
    bert::TaskOptions task;
    bert::AnswerOptions answer;
    std::string question;
    std::vector<std::string> files;
};

void run_ask(AskOptions& options) {
    const bert::QuestionAnswering model(options.folder, options.task);
    if (options.files.empty()) options.files.emplace_back("-");
    Output output("");
    for (const std::string& file : options.files) {
        const bert::AnswerResult result = model.answer(options.question, read_whole(file), options.answer);
        Record record{{"file", file}, {"question", options.question}, {"answers", Record::array()}};
        for (const bert::Answer& answer : result.answers) {
            record["answers"].push_back({{"text", answer.text},
                                         {"score", score_of(static_cast<float>(answer.score))},
                                         {"start", answer.span.begin},
                                         {"end", answer.span.end}});
        }
        record["no_answer_score"] = score_of(static_cast<float>(result.no_answer_score));
        record["windows"] = result.windows;
        output.write_line(record);
    }
    output.commit();
}

}  // namespace

void add_ask(CLI::App& app) {
    const auto options = std::make_shared<AskOptions>();
    CLI::App& command = *app.add_subcommand("ask", "Answer a question with words of a text, however long it is");
    add_task_options(command, options->folder, options->task);
    command.add_option("question", options->question, "The question")->required();
    command.add_option("files", options->files, "Texts to look for the answer in; none, or -, for standard input");
    command.add_option("--top-k", options->answer.top_k, "Most answers")->capture_default_str();
    command.add_option("--max-answer-length", options->answer.max_answer_len, "Most tokens of an answer")
        ->capture_default_str();
    command.add_option("--window", options->answer.max_length,
                       "Tokens that the model reads at once (default: 384, or what it takes)");
    command.add_option("--stride", options->answer.doc_stride, "Tokens that neighbouring windows share");
    command.add_flag("--no-answer", options->answer.handle_impossible_answer,
                     "Let \"there is no answer\" compete, as an empty answer");
    command.footer(
        "Offsets count bytes of the file.\n\n"
        "  bert ask bert-large-uncased-whole-word-masking-finetuned-squad 'Who lives in Paris?' report.txt");
    command.callback([options] { run_ask(*options); });
}
