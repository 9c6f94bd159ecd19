// Converted models: whatever is computed with one has the bits of what is computed with its source, for every task.
#include "generation_cases.hpp"
#include "heads_support.hpp"

#include <bert/bert.hpp>
#include <bert/model/convert.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace bert_test;
using bert::ErrorKind;
using bert::Matrix;
using bert::StorageType;
using bert::WeightType;

/// A number format of files and the type of weights that reads it without loss.
using Format = std::pair<StorageType, WeightType>;

const std::vector<Format> formats = {{StorageType::float32, WeightType::float32},
                                     {StorageType::bfloat16, WeightType::bfloat16},
                                     {StorageType::int8, WeightType::int8}};

const std::vector<std::string> texts = {"the cat sat on the mat", "a dog", "Paris is in France, is it not?"};

/// The source converted to `file` in a folder of its own.
class Converted {
public:
    Converted(const fs::path& source, StorageType storage) { bert::convert_model(source, path(), storage); }
    fs::path path() const { return folder_.path() / "model.bert"; }

private:
    TempFolder folder_;
};

/// Expects function(task) to be equal for the source, opened with the same type of weights, and for the file, opened
/// without saying so.
template <class TaskClass, class Function>
void expect_same(const fs::path& source, const Function& function) {
    for (const auto& [storage, weights] : formats) {
        SCOPED_TRACE(source.string() + ", weights " + std::to_string(static_cast<int>(weights)));
        const Converted file(source, storage);
        bert::TaskOptions options;
        options.threads = 1;
        options.load.memory_map = false;
        const auto given = function(TaskClass(file.path(), options));
        options.load.memory_map = true;
        options.weights = weights;
        EXPECT_EQ(given, function(TaskClass(source, options)));
        EXPECT_EQ(given, function(TaskClass(file.path(), options)));
    }
}

TEST(ConvertedModel, EmbedsSentencesLikeItsSource) {
    const Json variants = read_json(sentence_models() / "variants.json");
    for (const auto& [name, variant] : variants.items()) {
        const TempFolder folder;
        assemble_sentence_model(name, folder.path());
        for (const auto& [storage, weights] : formats) {
            SCOPED_TRACE(name + ", weights " + std::to_string(static_cast<int>(weights)));
            const Converted file(folder.path(), storage);
            bert::SentenceEncoderOptions options;
            options.threads = 1;
            const bert::SentenceEncoder converted(file.path(), options);
            EXPECT_EQ(converted.model().weights(), weights);
            options.weights = weights;
            const bert::SentenceEncoder source(folder.path(), options);
            EXPECT_TRUE(same_bits(converted.encode(texts), source.encode(texts)));
            EXPECT_TRUE(same_bits(converted.encode_query(texts), source.encode_query(texts)));
            EXPECT_EQ(converted.config().prompts, source.config().prompts);
            EXPECT_EQ(converted.max_seq_length(), source.max_seq_length());
        }
    }
}

TEST(ConvertedModel, OfManyBlocksComputesLikeItsSource) {
    // Blocks of 8-bit weights begin anew with every row, and the last of a row is shorter.
    const TempFolder folder;
    ModelSizes sizes;
    sizes.hidden = 228;
    sizes.inner = 530;
    write_random_model(folder.path(), sizes, 7);
    bert::Batch batch;
    const std::int32_t ids[] = {2, 5, 7, 9, 11, 3};
    batch.add(ids, nullptr, 6);
    for (const auto& [storage, weights] : formats) {
        bert::write_converted_model(folder.path(), folder.path() / "model.bert", storage);
        for (const auto* table : bert::available_kernels<float>()) {
            bert::LoadOptions options;
            options.kernels = table->name;
            const auto converted = bert::AnyBertModel::load(folder.path() / "model.bert", std::nullopt, options);
            const auto source = bert::AnyBertModel::load(folder.path(), weights, options);
            EXPECT_EQ(converted.weights(), weights);
            EXPECT_TRUE(same_bits(converted.forward(batch).last_hidden_state, source.forward(batch).last_hidden_state))
                << table->name;
            EXPECT_TRUE(converted.has_pooler());
        }
    }
}

TEST(ConvertedModel, ServesEveryTaskLikeItsSource) {
    expect_same<bert::FillMask>(heads() / "masked_lm", [](const bert::FillMask& task) {
        std::vector<std::pair<std::string, float>> result;
        for (const auto& mask : task.fill("the [MASK] sat").masks) {
            for (const auto& candidate : mask.candidates) result.emplace_back(candidate.token, candidate.score);
        }
        return result;
    });
    expect_same<bert::FillMask>(heads() / "masked_lm_separate",
                                [](const bert::FillMask& task) { return task.perplexity("the cat sat").perplexity; });
    expect_same<bert::NextSentence>(heads() / "pretraining", [](const bert::NextSentence& task) {
        return task.score("the cat", "the dog").is_next_logit;
    });
    expect_same<bert::QuestionAnswering>(heads() / "question_answering", [](const bert::QuestionAnswering& task) {
        const auto answer = task.answer("who sat?", "the cat sat on the mat").answers.at(0);
        return std::pair(answer.text, answer.score);
    });
    expect_same<bert::TextClassifier>(heads() / "classifier", [](const bert::TextClassifier& task) {
        const auto result = task.classify("the cat sat");
        return std::pair(result.labels.at(0).label, result.logits);
    });
    expect_same<bert::TokenClassifier>(heads() / "token_classifier", [](const bert::TokenClassifier& task) {
        std::vector<std::pair<std::string, float>> result;
        for (const auto& entity : task.classify("the cat sat").entities)
            result.emplace_back(entity.label, entity.score);
        return result;
    });
    expect_same<bert::Splade>(heads() / "masked_lm", [](const bert::Splade& task) {
        const auto vector = task.encode({"the cat"}).at(0);
        return std::pair(vector.ids, vector.values);
    });
}

TEST(ConvertedModel, KeepsSettingsOfTasksInModules) {
    const HeadModel pylate("colbert", {{"architectures", {"BertModel"}}}, "colbert_pylate");
    expect_same<bert::Colbert>(pylate.path(), [](const bert::Colbert& task) {
        const Matrix scores = task.scores(task.encode_query({"cat"}), task.encode_document({"the cat", "a dog."}));
        return std::vector<float>(scores.data(), scores.data() + scores.size());
    });
    const HeadModel markers("colbert", Json::object(), "colbert_markers");
    expect_same<bert::Colbert>(markers.path(), [](const bert::Colbert& task) {
        return task.encode_document({"the cat"}).at(0).vectors.sum();
    });
    const HeadModel sparse("masked_lm", Json::object(), "sparse_log1p");
    expect_same<bert::Splade>(sparse.path(),
                              [](const bert::Splade& task) { return task.encode({"the cat"}).at(0).values; });
    const HeadModel pairs("single_label", Json::object(), "cross_encoder");
    expect_same<bert::Reranker>(pairs.path(), [](const bert::Reranker& task) {
        const Matrix scores = task.score({{"the cat", "a dog"}, {"a dog", "the cat"}}).scores;
        return std::vector<float>(scores.data(), scores.data() + scores.size());
    });
}

/// The same tokens and scores from the file as from the folder it was made of, in every format.
template <class Generator, class Options>
void expect_same_generation(const std::string& name) {
    bert::GenerationOptions generation;
    generation.max_new_tokens = 6;
    const auto prompts = generation_cases(name).front().prompts;
    for (const auto& [storage, weights] : formats) {
        SCOPED_TRACE(name + ", weights " + std::to_string(static_cast<int>(weights)));
        const Converted file(decoder_models() / name, storage);
        Options options;
        const auto given = Generator(file.path(), options).generate_ids(prompts, generation);
        options.weights = weights;
        const auto expected = Generator(decoder_models() / name, options).generate_ids(prompts, generation);
        for (std::size_t i = 0; i < prompts.size(); ++i) EXPECT_TRUE(same_sequences(given[i], expected[i]));
    }
}

TEST(ConvertedModel, GeneratesLikeItsSource) {
    for (const char* name : {"causal_lm", "causal_lm_untied", "bert_generation"}) {
        expect_same_generation<bert::CausalLM, bert::LanguageModelOptions>(name);
    }
    for (const char* name : {"seq2seq", "seq2seq_projection"}) {
        expect_same_generation<bert::Seq2Seq, bert::Seq2SeqOptions>(name);
    }
}

TEST(ConvertedModel, OpensWithOtherTypesOfWeights) {
    const Converted file(bert_models() / "base", StorageType::int8);
    const auto load = [&](WeightType weights) { return bert::AnyBertModel::load(file.path(), weights); };
    bert::Batch batch;
    const std::int32_t ids[] = {2, 5, 7, 9, 11, 3};
    batch.add(ids, nullptr, 6);
    const Matrix stored = load(WeightType::int8).forward(batch).last_hidden_state;
    const Matrix widened = load(WeightType::float32).forward(batch).last_hidden_state;
    EXPECT_LT(max_difference(stored, widened), 0.1);  // activations are quantised in the one and not in the other
    EXPECT_FALSE(same_bits(stored, widened));
    EXPECT_LT(max_difference(load(WeightType::bfloat16).forward(batch).last_hidden_state, widened), 0.1);
}

TEST(ConvertedModel, OfHalfPrecisionComesClose) {
    const TempFolder folder;
    assemble_sentence_model("dense_two", folder.path());
    const Converted file(folder.path(), StorageType::float16);
    const bert::SentenceEncoder converted(file.path());
    EXPECT_EQ(converted.model().weights(), WeightType::float32);
    const double difference =
        max_difference(converted.encode(texts), bert::SentenceEncoder(folder.path()).encode(texts));
    EXPECT_GT(difference, 0);
    EXPECT_LT(difference, 2e-3);
}

TEST(ConvertedModel, KeepsModulesInFoldersOfAnyName) {
    // Keys of metadata that begin like this are the format's own, but for those of files in a folder.
    const TempFolder folder;
    assemble_sentence_model("dense_tanh", folder.path());
    fs::rename(folder.path() / "2_Dense", folder.path() / "bert.dense");
    Json modules = read_json(folder.path() / "modules.json");
    modules.at(2)["path"] = "bert.dense";
    write_json(folder.path() / "modules.json", modules);
    const Converted file(folder.path(), StorageType::float32);
    EXPECT_TRUE(same_bits(bert::SentenceEncoder(file.path()).encode(texts),
                          bert::SentenceEncoder(folder.path()).encode(texts)));
}

TEST(ConvertedModel, IsConvertedAgain) {
    const TempFolder folder;
    assemble_sentence_model("prompts", folder.path());
    const Converted first(folder.path(), StorageType::int8);
    const Converted second(first.path(), StorageType::int8);
    EXPECT_TRUE(read_bytes(first.path()) == read_bytes(second.path()));
    const Converted wide(first.path(), StorageType::float32);
    bert::SentenceEncoderOptions options;
    options.weights = WeightType::float32;
    EXPECT_TRUE(same_bits(bert::SentenceEncoder(wide.path()).encode(texts),
                          bert::SentenceEncoder(first.path(), options).encode(texts)));
}

TEST(ConvertedModel, TrainsAHeadLikeItsSource) {
    const Converted file(heads() / "masked_lm", StorageType::float32);
    std::vector<bert::TrainingExample> examples(4);
    for (std::size_t i = 0; i < examples.size(); ++i) {
        examples[i].text = i % 2 == 0 ? "the cat sat" : "a dog";
        examples[i].labels = {i % 2 == 0 ? "cat" : "dog"};
    }
    const TempFolder from_file, from_folder;
    const auto train = [&](const fs::path& encoder, const fs::path& target) {
        const bert::HeadTrainer trainer(encoder);
        bert::HeadTrainerOptions options;
        options.held_out = 0;
        trainer.save(trainer.train(examples, options), target);
    };
    train(file.path(), from_file.path());
    train(heads() / "masked_lm", from_folder.path());
    EXPECT_EQ(read_bytes(from_file.path() / "model.safetensors"), read_bytes(from_folder.path() / "model.safetensors"));
    EXPECT_EQ(read_json(from_file.path() / "config.json"), read_json(from_folder.path() / "config.json"));
    const auto a = bert::Tokenizer::load(from_file.path());
    const auto b = bert::Tokenizer::load(from_folder.path());
    for (const auto& text : texts) EXPECT_EQ(a.encode(text).ids, b.encode(text).ids);
}

}  // namespace
