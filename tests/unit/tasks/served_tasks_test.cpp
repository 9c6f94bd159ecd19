// What served_tasks() says of a folder, against what the classes of the tasks open.
#include "generation_cases.hpp"
#include "heads_support.hpp"

#include <bert/tasks/colbert.hpp>
#include <bert/tasks/fill_mask.hpp>
#include <bert/tasks/next_sentence.hpp>
#include <bert/tasks/question_answering.hpp>
#include <bert/tasks/reranker.hpp>
#include <bert/tasks/sentence_encoder.hpp>
#include <bert/tasks/splade.hpp>
#include <bert/tasks/text_classifier.hpp>
#include <bert/tasks/token_classifier.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::Task;

template <class TaskClass, class Options = bert::TaskOptions>
bool opens(const fs::path& folder) {
    Options options;
    options.threads = 1;
    try {
        TaskClass task(folder, options);
    } catch (const bert::Error& error) {
        EXPECT_EQ(error.kind(), bert::ErrorKind::unsupported) << error.what();
        return false;
    }
    return true;
}

/// The tasks whose classes open a folder, by their names.
std::string opened(const fs::path& folder) {
    std::string names;
    const auto add = [&](Task task, bool opens) {
        if (opens) names += (names.empty() ? "" : ", ") + to_string(task);
    };
    add(Task::fill_mask, opens<bert::FillMask>(folder));
    add(Task::next_sentence, opens<bert::NextSentence>(folder));
    add(Task::question_answering, opens<bert::QuestionAnswering>(folder));
    add(Task::text_classification, opens<bert::TextClassifier>(folder));
    add(Task::token_classification, opens<bert::TokenClassifier>(folder));
    add(Task::reranking, opens<bert::Reranker>(folder));
    add(Task::sparse_embedding, opens<bert::Splade>(folder));
    add(Task::late_interaction, opens<bert::Colbert>(folder));
    add(Task::sentence_embedding, opens<bert::SentenceEncoder, bert::SentenceEncoderOptions>(folder));
    add(Task::text_generation, opens<bert::CausalLM, bert::LanguageModelOptions>(folder));
    add(Task::text2text_generation, opens<bert::Seq2Seq, bert::Seq2SeqOptions>(folder));
    return names;
}

std::string served(const fs::path& folder) {
    std::string names;
    for (const Task task : bert::served_tasks(folder)) names += (names.empty() ? "" : ", ") + to_string(task);
    return names;
}

TEST(ServedTasks, AreThoseWhoseClassesOpenTheFolder) {
    const auto expect = [](const fs::path& folder, const std::string& tasks) {
        SCOPED_TRACE(folder);
        EXPECT_EQ(served(folder), tasks);
        EXPECT_EQ(opened(folder), tasks);
    };
    const auto expect_overlay = [&](const std::string& model, const std::string& overlay, const std::string& tasks) {
        const HeadModel folder(model, Json::object(), overlay);
        SCOPED_TRACE(overlay);
        expect(folder.path(), tasks);
    };
    expect(heads() / "masked_lm", "fill-mask, sparse-embedding, sentence-embedding");
    expect(heads() / "pretraining", "fill-mask, next-sentence, sparse-embedding, sentence-embedding");
    expect(heads() / "question_answering", "question-answering, sentence-embedding");
    expect(heads() / "classifier", "text-classification, reranking, sentence-embedding");
    expect(heads() / "token_classifier", "token-classification, sentence-embedding");
    expect(heads() / "colbert", "late-interaction, sentence-embedding");
    expect_overlay("single_label", "cross_encoder", "text-classification, reranking");
    expect_overlay("masked_lm", "sparse_sum", "fill-mask, sparse-embedding");
    expect_overlay("colbert", "colbert_saved", "late-interaction");
    expect_overlay("colbert", "colbert_pylate", "late-interaction");
    expect(decoder_models() / "causal_lm", "text-generation");
    expect(decoder_models() / "seq2seq", "text2text-generation");
    EXPECT_EQ(served(decoder_models() / "bert_generation"), "text-generation");
    for (const char* variant : {"mean_normalize_without_folder", "prompts"}) {
        const TempFolder folder;
        assemble_sentence_model(variant, folder.path());
        expect(folder.path(), "sentence-embedding");
    }
    // Modules that no class knows leave what the checkpoint holds.
    const HeadModel odd("single_label", Json::object(), "cross_encoder");
    write_bytes(odd.path() / "modules.json",
                R"([{"type": "sentence_transformers.models.Transformer", "path": ""},
                    {"type": "sentence_transformers.models.LayerNorm", "path": ""}])");
    expect(odd.path(), "text-classification");
}

TEST(ServedTasks, BadFoldersAreNamed) {
    expect_error(bert::ErrorKind::file, {"nowhere"}, [] { bert::served_tasks("nowhere"); });
    const HeadModel other("classifier", {{"model_type", "roberta"}});
    expect_error(bert::ErrorKind::unsupported, {"roberta"}, [&] { bert::served_tasks(other.path()); });
    const HeadModel half("classifier", {{"is_decoder", true}, {"add_cross_attention", true}});
    expect_error(bert::ErrorKind::unsupported, {"add_cross_attention"}, [&] { bert::served_tasks(half.path()); });
    // What a task cannot use says what it is for.
    const HeadModel sparse("masked_lm", Json::object(), "sparse_sum");
    expect_error(bert::ErrorKind::unsupported, {"SpladePooling", "it serves: sparse-embedding"},
                 [&] { bert::SentenceEncoder task(sparse.path()); });
    expect_error(bert::ErrorKind::unsupported, {"text-classification", "it serves: fill-mask, sparse-embedding"},
                 [&] { bert::TextClassifier task(sparse.path()); });
}

}  // namespace
