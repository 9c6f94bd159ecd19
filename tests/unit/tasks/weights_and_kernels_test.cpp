// Every task with every type of weights and every kernel table that runs here: close to float weights on the best
// table.
#include "generation_cases.hpp"
#include "heads_support.hpp"

#include <bert/kernels/dispatch.hpp>
#include <bert/tasks/colbert.hpp>
#include <bert/tasks/fill_mask.hpp>
#include <bert/tasks/head_trainer.hpp>
#include <bert/tasks/keywords.hpp>
#include <bert/tasks/next_sentence.hpp>
#include <bert/tasks/question_answering.hpp>
#include <bert/tasks/reranker.hpp>
#include <bert/tasks/semantic_search.hpp>
#include <bert/tasks/splade.hpp>
#include <bert/tasks/summarizer.hpp>
#include <bert/tasks/text_classifier.hpp>
#include <bert/tasks/token_classifier.hpp>
#include <bert/tasks/zero_shot_classifier.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::TaskOptions;
using Numbers = std::vector<double>;

/// A task, and numbers that it gives: the same ones in the same order, whatever computes them.
struct TaskNumbers {
    const char* name;
    Numbers (*numbers)(const TaskOptions&);
};

void PrintTo(const TaskNumbers& task, std::ostream* out) {
    *out << task.name;
}

const std::string prose = "Anna lives in Paris. The cat sat on the mat! John played music in London, not in Berlin.";

// The tasks.
namespace numbers_of {

template <class Options>
Options opened_alike(const TaskOptions& task) {
    Options options;
    options.weights = task.weights;
    options.load = task.load;
    return options;
}

std::shared_ptr<const bert::SentenceEncoder> sentence_encoder(const TaskOptions& options) {
    static const TempFolder folder;
    assemble_sentence_model("mean_normalize_without_folder", folder.path());
    return std::make_shared<const bert::SentenceEncoder>(folder.path(),
                                                         opened_alike<bert::SentenceEncoderOptions>(options));
}

void append(const bert::Matrix& values, Numbers& numbers) {
    numbers.insert(numbers.end(), values.data(), values.data() + values.size());
}

Numbers fill_mask(const TaskOptions& options) {
    const bert::FillMask model(heads() / "masked_lm_separate", options);
    bert::FillMaskOptions all;
    all.top_k = model.task().tokenizer().vocab_size();
    Numbers numbers(all.top_k);
    const auto result = model.fill("the cat [MASK] on the mat", all);
    for (const auto& word : result.masks.at(0).candidates) numbers[static_cast<std::size_t>(word.id)] = word.score;
    numbers.push_back(model.perplexity("the cat sat on the mat").log_likelihood);
    return numbers;
}

Numbers next_sentence(const TaskOptions& options) {
    const auto score = bert::NextSentence(heads() / "pretraining", options).score("the cat", "a dog");
    return {score.is_next_logit, score.is_random_logit};
}

Numbers question_answering(const TaskOptions& options) {
    const bert::QuestionAnswering model(heads() / "question_answering", options);
    bert::AnswerOptions all;
    all.top_k = 1000;
    auto result = model.answer("who lives in paris?", prose, all);
    std::sort(result.answers.begin(), result.answers.end(), [](const bert::Answer& a, const bert::Answer& b) {
        return std::pair(a.span.begin, a.span.end) < std::pair(b.span.begin, b.span.end);
    });
    Numbers numbers{result.no_answer_score};
    for (const auto& answer : result.answers) numbers.push_back(answer.score);
    return numbers;
}

Numbers text_classification(const TaskOptions& options) {
    const auto result = bert::TextClassifier(heads() / "classifier", options).classify("the film was great");
    return {result.logits.begin(), result.logits.end()};
}

Numbers zero_shot(const TaskOptions& options) {
    bert::ZeroShotOptions each;
    each.multi_label = true;
    const bert::ZeroShotClassifier model(heads() / "classifier", options, "positive");
    Numbers numbers;
    for (const char* label : {"sports", "music"}) {
        numbers.push_back(model.classify("the film was great", {label}, each).labels.at(0).score);
    }
    return numbers;
}

Numbers token_classification(const TaskOptions& options) {
    bert::EntityOptions all;
    all.ignore_labels.clear();
    Numbers numbers;
    const auto result = bert::TokenClassifier(heads() / "token_classifier", options).classify(prose, all);
    for (const auto& entity : result.entities) numbers.push_back(entity.score);
    return numbers;
}

Numbers reranking(const TaskOptions& options) {
    const bert::Reranker model(heads() / "single_label", options);
    Numbers numbers;
    append(model.score({{"the cat", "a dog"}, {"who lives in paris?", prose}}).scores, numbers);
    return numbers;
}

Numbers sparse_embedding(const TaskOptions& options) {
    const bert::Splade model(heads() / "masked_lm", options);
    Numbers numbers(model.task().tokenizer().vocab_size());
    const auto vector = model.encode({prose}).at(0);
    for (std::size_t i = 0; i < vector.ids.size(); ++i) {
        numbers[static_cast<std::size_t>(vector.ids[i])] = vector.values[i];
    }
    return numbers;
}

Numbers late_interaction(const TaskOptions& options) {
    const bert::Colbert model(heads() / "colbert", options);
    const auto queries = model.encode_query({"who lives in paris?", "the news"});
    const auto documents = model.encode_document({prose, "the cat"});
    Numbers numbers;
    for (const auto& query : queries) append(query.vectors, numbers);
    for (const auto& document : documents) append(document.vectors, numbers);
    append(model.scores(queries, documents), numbers);
    return numbers;
}

Numbers sentence_embedding(const TaskOptions& options) {
    Numbers numbers;
    append(sentence_encoder(options)->encode({prose, "the dog"}), numbers);
    return numbers;
}

/// Search is given no model: what it computes with is the table of the environment.
Numbers search(const TaskOptions& options) {
    const auto encoder = sentence_encoder(options);
    const bert::Matrix queries = encoder->encode({"the dog sat", "a bird"});
    const bert::Matrix corpus = encoder->encode({"the cat ran", prose, "the sun set", "the dog sang"});
    setenv("BERT_KERNELS", options.load.kernels.c_str(), 1);
    const auto found = bert::semantic_search(queries, corpus);
    unsetenv("BERT_KERNELS");
    Numbers numbers(static_cast<std::size_t>(queries.rows() * corpus.rows()));
    for (std::size_t query = 0; query < found.size(); ++query) {
        for (const auto& hit : found[query]) {
            numbers[query * static_cast<std::size_t>(corpus.rows()) + static_cast<std::size_t>(hit.corpus_id)] =
                hit.score;
        }
    }
    return numbers;
}

Numbers summary(const TaskOptions& options) {
    bert::SummaryOptions all;
    all.sentences = 100;
    Numbers numbers;
    const auto result = bert::Summarizer(sentence_encoder(options)).summarize(prose, all);
    for (const auto& sentence : result.sentences) numbers.push_back(sentence.centrality);
    return numbers;
}

Numbers keywords(const TaskOptions& options) {
    bert::KeywordOptions all;
    all.top_n = 1000;
    auto result = bert::KeywordExtractor(sentence_encoder(options)).extract(prose, all);
    std::sort(result.keywords.begin(), result.keywords.end(),
              [](const bert::Keyword& a, const bert::Keyword& b) { return a.text < b.text; });
    Numbers numbers;
    for (const auto& keyword : result.keywords) numbers.push_back(keyword.score);
    return numbers;
}

Numbers trained_head(const TaskOptions& options) {
    std::vector<bert::TrainingExample> examples;
    for (const char* animal : {"cat", "dog"}) {
        for (const char* verb : {"sat", "ran", "plays", "works", "lives"}) {
            examples.emplace_back();
            examples.back().text = std::string("the ") + animal + " " + verb;
            examples.back().labels = {animal};
        }
    }
    bert::HeadTrainerOptions training;
    training.held_out = 0;
    training.l2 = 1;  // far from where the search for the optimum ends by a hair
    const bert::HeadTrainer trainer(heads() / "masked_lm", options);
    Numbers numbers;
    append(trainer.logits(trainer.train(examples, training), examples), numbers);
    return numbers;
}

/// How likely each word is to come next: as many beams as there are words end after one step.
Numbers next_words(const std::string& model, const TaskOptions& options) {
    const auto prompt = generation_cases(model).front().prompts.front();
    const Generator generator(model, opened_alike<bert::LanguageModelOptions>(options));
    bert::GenerationOptions all;
    all.max_new_tokens = 1;
    all.num_beams = generator.vocab_size();
    all.num_return_sequences = all.num_beams;
    Numbers numbers(static_cast<std::size_t>(generator.vocab_size()));
    const auto results = generator.generate_ids({prompt}, all);
    for (const auto& sequence : results.at(0)) {
        numbers.at(static_cast<std::size_t>(sequence.tokens.at(0))) = sequence.token_scores.at(0);
    }
    return numbers;
}

Numbers causal_lm(const TaskOptions& options) {
    return next_words("causal_lm", options);
}

Numbers seq2seq(const TaskOptions& options) {
    return next_words("seq2seq_projection", options);
}

}  // namespace numbers_of

class EveryTask : public testing::TestWithParam<TaskNumbers> {};

TEST_P(EveryTask, WithEveryWeightTypeAndKernelTable) {
    const Numbers expected = GetParam().numbers({});
    const auto length = [](const Numbers& numbers) {
        double sum = 0;
        for (const double number : numbers) sum += number * number;
        return std::sqrt(sum);
    };
    ASSERT_TRUE(std::isfinite(length(expected)));
    ASSERT_GT(length(expected), 0);
    for (const auto* table : bert::available_kernels<float>()) {
        for (const auto& [weights, name, tolerance] :
             {std::tuple(bert::WeightType::float32, "f32", 1e-5), std::tuple(bert::WeightType::bfloat16, "bf16", 0.05),
              std::tuple(bert::WeightType::int8, "int8", 0.3)}) {
            SCOPED_TRACE(std::string(table->name) + " " + name);
            TaskOptions options;
            options.load.kernels = table->name;
            options.weights = weights;
            Numbers numbers = GetParam().numbers(options);
            ASSERT_EQ(numbers.size(), expected.size());
            for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] -= expected[i];
            const double deviation = length(numbers) / length(expected);
            EXPECT_LE(deviation, tolerance);
            if (weights != bert::WeightType::float32) {
                EXPECT_GT(deviation, 1e-6);  // they are not the float weights
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, EveryTask,
                         testing::Values(TaskNumbers{"fill_mask", numbers_of::fill_mask},
                                         TaskNumbers{"next_sentence", numbers_of::next_sentence},
                                         TaskNumbers{"question_answering", numbers_of::question_answering},
                                         TaskNumbers{"text_classification", numbers_of::text_classification},
                                         TaskNumbers{"zero_shot", numbers_of::zero_shot},
                                         TaskNumbers{"token_classification", numbers_of::token_classification},
                                         TaskNumbers{"reranking", numbers_of::reranking},
                                         TaskNumbers{"sparse_embedding", numbers_of::sparse_embedding},
                                         TaskNumbers{"late_interaction", numbers_of::late_interaction},
                                         TaskNumbers{"sentence_embedding", numbers_of::sentence_embedding},
                                         TaskNumbers{"search", numbers_of::search},
                                         TaskNumbers{"summary", numbers_of::summary},
                                         TaskNumbers{"keywords", numbers_of::keywords},
                                         TaskNumbers{"trained_head", numbers_of::trained_head},
                                         TaskNumbers{"causal_lm", numbers_of::causal_lm},
                                         TaskNumbers{"seq2seq", numbers_of::seq2seq}),
                         [](const testing::TestParamInfo<TaskNumbers>& info) { return std::string(info.param.name); });

}  // namespace
