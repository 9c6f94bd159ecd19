// One object of every task and one call of it, whose result is bytes to compare: what threads share and what has to
// survive memory that runs out. Depends on models.hpp and the whole library.
#pragma once

#include "models.hpp"

#include <bert/bert.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <type_traits>
#include <vector>

namespace bert_test {

/// Everything that a call gave, as bytes to compare.
class Bytes {
public:
    Bytes& operator<<(const bert::Matrix& matrix) {
        return append(matrix.data(), static_cast<std::size_t>(matrix.size()) * sizeof(float));
    }
    Bytes& operator<<(const std::string& text) { return append(text.data(), text.size()); }
    template <class T>
    std::enable_if_t<std::is_arithmetic_v<T>, Bytes&> operator<<(T value) {
        return append(&value, sizeof value);
    }
    template <class T>
    Bytes& operator<<(const std::vector<T>& values) {
        for (const T& value : values) *this << value;
        return *this;
    }

    const std::string& text() const { return text_; }

private:
    Bytes& append(const void* data, std::size_t size) {
        text_.append(static_cast<const char*>(data), size).append("|");
        return *this;
    }
    std::string text_;
};

inline const std::string masked_text = "The cat [MASK] on the mat.";
inline const std::vector<std::string> short_texts = {"The cat sat on the mat.", "A dog runs fast.", "",
                                                     "unaffable \u4E2D\u6587"};
inline const std::string long_text = "The cat sat on the mat. A dog runs fast in Paris! Who sat on it? The dog sat.";

/// A task opened: calling it computes something.
using OpenedTask = std::function<void(Bytes&)>;

struct TaskCase {
    const char* name;
    const char* folder;   ///< of tests/golden
    const char* overlay;  ///< laid over it; nullptr for none
    OpenedTask (*open)(const fs::path& folder, unsigned threads);
};

inline void PrintTo(const TaskCase& task, std::ostream* out) {
    *out << task.name;
}

/// A task of class `Task`, opened with `Options`, of which use(task, bytes) is a call.
template <class Task, class Options, class Use>
OpenedTask opened_task(const fs::path& folder, unsigned threads, const Use& use) {
    Options options;
    options.threads = threads;
    if constexpr (std::is_same_v<Options, bert::TaskOptions>) options.token_budget = 24;  // several steps a call
    const auto task = std::make_shared<const Task>(folder, options);
    return [task, use](Bytes& bytes) { use(*task, bytes); };
}

inline bert::GenerationOptions few_tokens(bert::Index beams) {
    bert::GenerationOptions options;
    options.num_beams = beams;
    options.max_new_tokens = 4;
    return options;
}

/// The classes of include/bert/tasks that open a model.
inline std::vector<TaskCase> every_task() {
    using bert::SentenceEncoderOptions;
    using bert::TaskOptions;
    const char* const sentence = "models/sentence/transformer";
    return {
        {"SentenceEncoder", sentence, "models/sentence/variants/dense_tanh",
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::SentenceEncoder, SentenceEncoderOptions>(
                 folder, threads, [](const auto& encoder, Bytes& bytes) {
                     encoder.shrink();
                     bert::EmbedOptions options;
                     options.token_budget = 16;
                     options.long_text = bert::LongText::average_windows;
                     const bert::Matrix rows = encoder.encode(short_texts, options);
                     bytes << rows << encoder.similarity(rows, rows);
                     for (const auto& hits : bert::semantic_search(rows, rows)) {
                         for (const auto& hit : hits) bytes << hit.score;
                     }
                     for (const auto& pair : bert::paraphrase_mining(rows)) bytes << pair.score;
                     for (const auto& community : bert::community_detection(rows)) bytes << community;
                     bytes << bert::quantize_ubinary(rows.leftCols(8)).size();
                 });
         }},
        {"Explanations", sentence, nullptr,
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::SentenceEncoder, SentenceEncoderOptions>(
                 folder, threads, [](const auto& encoder, Bytes& bytes) {
                     for (const auto& word : bert::word_contributions(encoder, short_texts[0])) bytes << word.change;
                     bytes << bert::similarity_contributions(encoder, short_texts[0], short_texts[1]).contributions;
                 });
         }},
        {"Summarizer", sentence, nullptr,
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::Summarizer, SentenceEncoderOptions>(
                 folder, threads, [](const auto& task, Bytes& bytes) { bytes << task.summarize(long_text).text(); });
         }},
        {"KeywordExtractor", sentence, nullptr,
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::KeywordExtractor, SentenceEncoderOptions>(
                 folder, threads, [](const auto& task, Bytes& bytes) {
                     for (const auto& keyword : task.extract(long_text).keywords)
                         bytes << keyword.text << keyword.score;
                 });
         }},
        {"FillMask", "heads/masked_lm", nullptr,
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::FillMask, TaskOptions>(folder, threads, [](const auto& task, Bytes& bytes) {
                 const auto filled = task.fill(masked_text);
                 for (const auto& word : filled.masks.at(0).candidates) bytes << word.score << word.sequence;
                 bytes << task.perplexity(short_texts[0]).perplexity;
             });
         }},
        {"NextSentence", "heads/pretraining", nullptr,
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::NextSentence, TaskOptions>(folder, threads, [](const auto& task, Bytes& bytes) {
                 bytes << task.score(short_texts[0], short_texts[1]).probability;
             });
         }},
        {"QuestionAnswering", "heads/question_answering", nullptr,
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::QuestionAnswering, TaskOptions>(
                 folder, threads, [](const auto& task, Bytes& bytes) {
                     for (const auto& answer : task.answer("Who sat?", long_text).answers) {
                         bytes << answer.score << answer.text;
                     }
                 });
         }},
        {"TextClassifier", "heads/classifier", nullptr,
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::TextClassifier, TaskOptions>(folder, threads, [](const auto& task, Bytes& bytes) {
                 for (const auto& result : task.classify_batch(short_texts)) bytes << result.logits;
             });
         }},
        {"ZeroShotClassifier", "heads/classifier", nullptr,
         [](const fs::path& folder, unsigned threads) {
             TaskOptions options;
             options.threads = threads;
             const auto task = std::make_shared<const bert::ZeroShotClassifier>(folder, options, "positive");
             return OpenedTask([task](Bytes& bytes) {
                 for (const auto& label : task->classify(short_texts[0], {"sports", "music"}).labels) {
                     bytes << label.score;
                 }
             });
         }},
        {"TokenClassifier", "heads/token_classifier", nullptr,
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::TokenClassifier, TaskOptions>(
                 folder, threads, [](const auto& task, Bytes& bytes) {
                     for (const auto& entity : task.classify(long_text).entities) bytes << entity.score << entity.label;
                 });
         }},
        {"Reranker", "heads/single_label", "heads/cross_encoder",
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::Reranker, TaskOptions>(folder, threads, [](const auto& task, Bytes& bytes) {
                 for (const auto& document : task.rank(masked_text, short_texts)) bytes << document.score;
             });
         }},
        {"Splade", "heads/masked_lm", "heads/sparse_sum",
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::Splade, TaskOptions>(folder, threads, [](const auto& task, Bytes& bytes) {
                 for (const auto& vector : task.encode_document(short_texts)) bytes << vector.values << vector.ids;
             });
         }},
        {"Colbert", "heads/colbert", nullptr,
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::Colbert, TaskOptions>(folder, threads, [](const auto& task, Bytes& bytes) {
                 bytes << task.scores(task.encode_query({short_texts[0]}), task.encode_document(short_texts));
             });
         }},
        {"CausalLM", "decoders/causal_lm", nullptr,
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::CausalLM,
                                bert::LanguageModelOptions>(folder, threads, [](const auto& task, Bytes& bytes) {
                 for (const bert::Index beams : {1, 2}) {
                     for (const auto& sequences : task.generate({short_texts[0], short_texts[1]}, few_tokens(beams))) {
                         for (const auto& sequence : sequences) bytes << sequence.text << sequence.score;
                     }
                 }
             });
         }},
        {"Seq2Seq", "decoders/seq2seq", nullptr,
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::Seq2Seq, bert::Seq2SeqOptions>(
                 folder, threads, [](const auto& task, Bytes& bytes) {
                     const auto result = task.generate({short_texts[0]}, few_tokens(2));
                     for (const auto& sequence : result.sequences.at(0)) {
                         bytes << sequence.tokens << sequence.score;
                     }
                 });
         }},
        {"HeadTrainer", "heads/classifier", nullptr,
         [](const fs::path& folder, unsigned threads) {
             return opened_task<bert::HeadTrainer, TaskOptions>(folder, threads, [](const auto& task, Bytes& bytes) {
                 std::vector<bert::TrainingExample> examples(2);
                 for (std::size_t i = 0; i < examples.size(); ++i) {
                     examples[i].text = short_texts[i];
                     examples[i].labels = {i == 0 ? "cat" : "dog"};
                 }
                 bert::HeadTrainerOptions options;
                 options.held_out = 0;
                 options.max_iterations = 3;
                 bytes << task.logits(task.train(examples, options), examples);
             });
         }},
    };
}

}  // namespace bert_test
