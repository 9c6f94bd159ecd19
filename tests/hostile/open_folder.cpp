// Opens a model folder for a task, computes something small with it, and says what came of it: "ok", or the kind of the
// bert::Error, a tab and its message. Anything else is for the one who runs it to see. A second line tells the most
// memory that was resident, in KiB.
//
// Usage: open_folder OPENER FOLDER [copy]    (copy: with the weights copied instead of mapped)
#include <bert/bert.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sys/resource.h>

namespace {

using Path = std::filesystem::path;
using Opener = std::function<void(const Path&, const bert::LoadOptions&)>;

/// Numbers that a task gives must not be silent garbage.
template <class Values>
void require_finite(const Values& values) {
    for (const auto value : values) {
        if (!std::isfinite(value)) throw std::runtime_error("a result is not finite");
    }
}

const std::string text = "The cat [MASK] on the mat.";

template <class Task, class Options, class Use>
Opener opener(const Use& use) {
    return [use](const Path& folder, const bert::LoadOptions& load) {
        Options options;
        options.threads = 1;
        options.load = load;
        use(Task(folder, options));
    };
}
template <class Task, class Use>
Opener task_opener(const Use& use) {
    return opener<Task, bert::TaskOptions>(use);
}

const std::map<std::string_view, Opener>& openers() {
    static const std::map<std::string_view, Opener> all = {
        {"sentence_encoder", opener<bert::SentenceEncoder, bert::SentenceEncoderOptions>([](const auto& task) {
             require_finite(task.encode({text, "", std::string(2000, 'x') + text}).reshaped());
         })},
        {"verified_encoder",
         [](const Path& folder, const bert::LoadOptions& load) {
             bert::SentenceEncoderOptions options;
             options.load = load;
             options.verify = true;
             require_finite(bert::SentenceEncoder(folder, options).encode({text}).reshaped());
         }},
        {"bert_model",
         [](const Path& folder, const bert::LoadOptions& load) {
             const auto model = bert::BertModel<float>::load(folder, load);
             bert::Batch batch;
             for (std::int32_t id = 0; id < 5; ++id) batch.add(&id, nullptr, 1);
             require_finite(model.forward(batch).last_hidden_state.reshaped());
         }},
        {"fill_mask", task_opener<bert::FillMask>([](const auto& task) {
             for (const auto& mask : task.fill(text).masks) {
                 for (const auto& word : mask.candidates) require_finite(std::vector{word.score});
             }
         })},
        {"next_sentence", task_opener<bert::NextSentence>([](const auto& task) {
             require_finite(std::vector{task.score(text, text).probability});
         })},
        {"question_answering", task_opener<bert::QuestionAnswering>([](const auto& task) {
             for (const auto& answer : task.answer("Who sat?", text).answers) require_finite(std::vector{answer.score});
         })},
        {"text_classifier",
         task_opener<bert::TextClassifier>([](const auto& task) { require_finite(task.classify(text).logits); })},
        {"token_classifier", task_opener<bert::TokenClassifier>([](const auto& task) {
             for (const auto& entity : task.classify(text).entities) require_finite(std::vector{entity.score});
         })},
        {"reranker", task_opener<bert::Reranker>([](const auto& task) {
             require_finite(task.score({{text, "A dog."}}).scores.reshaped());
         })},
        {"splade", task_opener<bert::Splade>([](const auto& task) {
             for (const auto& vector : task.encode_document({text})) require_finite(vector.values);
         })},
        {"colbert", task_opener<bert::Colbert>([](const auto& task) {
             for (const auto& query : task.encode_query({text})) require_finite(query.vectors.reshaped());
         })},
        {"causal_lm",
         opener<bert::CausalLM, bert::LanguageModelOptions>([](const auto& task) { (void)task.generate({text}); })},
        {"seq2seq", opener<bert::Seq2Seq, bert::Seq2SeqOptions>([](const auto& task) { (void)task.generate({text}); })},
    };
    return all;
}

}  // namespace

int main(int argc, char** argv) {
    const auto found = argc > 2 ? openers().find(argv[1]) : openers().end();
    if (found == openers().end()) {
        std::fprintf(stderr, "usage: open_folder OPENER FOLDER [copy]\n");
        return 1;
    }
    bert::LoadOptions load;
    load.memory_map = argc < 4;
    try {
        found->second(argv[2], load);
        std::puts("ok");
    } catch (const bert::Error& error) {
        std::printf("%s\t%s\n", bert::to_string(error.kind()), error.what());
    }
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf("%ld\n", usage.ru_maxrss);
}
