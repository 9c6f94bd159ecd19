// NextSentence, TextClassifier, ZeroShotClassifier and Reranker against transformers and sentence-transformers, as
// recorded in tests/golden/heads.
#include "heads_support.hpp"

#include <bert/tasks/next_sentence.hpp>
#include <bert/tasks/reranker.hpp>
#include <bert/tasks/text_classifier.hpp>
#include <bert/tasks/zero_shot_classifier.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::Classification;
using bert::ErrorKind;
using bert::NextSentence;
using bert::Reranker;
using bert::ScoreFunction;
using bert::TextClassifier;
using bert::TextPair;
using bert::ZeroShotClassifier;

/// The pairs that all tasks of pairs were recorded with.
std::vector<TextPair> golden_pairs() {
    std::vector<TextPair> pairs;
    const Json cases = recorded("next_sentence");
    for (const Json& given : cases) pairs.push_back({given["pair"][0], given["pair"][1]});
    pairs.resize(pairs.size() / 2);  // recorded for two classes
    return pairs;
}

TEST(NextSentence, EqualsTheModelClasses) {
    Worst worst("next-sentence logits", 1e-5);
    Opened<NextSentence> models;
    const Json cases = recorded("next_sentence");
    for (const Json& given : cases) {
        SCOPED_TRACE(given.dump().substr(0, 200));
        const auto& model = models.of("pretraining", {{"architectures", {given["architecture"]}}});
        const auto result = model.score(given["pair"][0], given["pair"][1]);
        worst.compare(result.is_next_logit, given["logits"][0]);
        worst.compare(result.is_random_logit, given["logits"][1]);
        worst.compare(result.probability, given["probability"]);
        EXPECT_EQ(result.truncated, given["truncated"].get<bool>());
    }
}

TEST(NextSentence, TheTokenTypesOfPairsMatter) {
    const NextSentence model(heads() / "pretraining");
    const TextPair pair = golden_pairs().front();
    const float expected = model.score(pair.first, pair.second).is_next_logit;
    const HeadModel same_types("pretraining");
    edit_tensors(same_types.path() / "model.safetensors", [](std::vector<RawTensor>& tensors) {
        std::string& table = tensor_named(tensors, "bert.embeddings.token_type_embeddings.weight").data;
        std::copy_n(table.begin(), table.size() / 2, table.begin() + static_cast<std::ptrdiff_t>(table.size() / 2));
    });
    const float other = NextSentence(same_types.path()).score(pair.first, pair.second).is_next_logit;
    EXPECT_GT(std::abs(expected - other), 1e-3f);
}

void expect_scores(const Json& expected, const Classification& given, Worst& worst) {
    ASSERT_EQ(given.labels.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(given.labels[i].label, expected[i][0].get<std::string>()) << i;
        worst.compare(given.labels[i].score, expected[i][1]);
    }
}

TEST(TextClassifier, EqualsThePipeline) {
    Worst logits("text-classification logits", 1e-5);
    Worst scores("text-classification scores", 1e-5);
    Opened<TextClassifier> models;
    const Json cases = recorded("text_classifier");
    for (const Json& given : cases) {
        SCOPED_TRACE(given.dump().substr(0, 200));
        const TextClassifier& model = models.of(given["model"], given["config"]);
        const auto texts = strings(given["texts"]);
        const auto classify = [&](const bert::ClassifyOptions& options) {
            return texts.size() == 1 ? model.classify(texts[0], options)
                                     : model.classify_pair(texts[0], texts[1], options);
        };
        const Classification result = classify({});
        expect_scores(given["scores"], result, scores);
        EXPECT_EQ(result.truncated, given["truncated"].get<bool>());
        ASSERT_EQ(result.logits.size(), given["logits"].size());
        for (std::size_t i = 0; i < result.logits.size(); ++i) logits.compare(result.logits[i], given["logits"][i]);
        bert::ClassifyOptions options;
        options.function = ScoreFunction::softmax;
        expect_scores(given["softmax"], classify(options), scores);
        options.function = ScoreFunction::sigmoid;
        expect_scores(given["sigmoid"], classify(options), scores);
        options.function = ScoreFunction::none;
        expect_scores(given["none"], classify(options), scores);
        options.top_k = 1;
        EXPECT_EQ(classify(options).labels.size(), 1u);
        EXPECT_EQ(classify(options).labels[0].label, given["none"][0][0].get<std::string>());
    }
}

TEST(TextClassifier, BatchesThreadsAndBudgetsGiveTheSameBits) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < 40; ++i) texts.push_back("the film was " + std::string(i, 'z') + " great");
    bert::TaskOptions options;
    options.threads = 1;
    options.token_budget = 1;
    const auto expected = TextClassifier(heads() / "classifier", options).classify_batch(texts);
    options.threads = 2;
    options.token_budget = 200;
    const TextClassifier model(heads() / "classifier", options);
    on_four_threads([&] {
        const auto results = model.classify_batch(texts);
        for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(results[i].logits, expected[i].logits);
    });
}

TEST(ZeroShotClassifier, EqualsThePipeline) {
    Worst worst("zero-shot scores", 1e-5);
    Opened<ZeroShotClassifier> models;
    const Json cases = recorded("zero_shot");
    for (const Json& given : cases) {
        SCOPED_TRACE(given.dump().substr(0, 200));
        bert::ZeroShotOptions options;
        options.multi_label = given["multi_label"];
        options.hypothesis = given["hypothesis"];
        const auto result =
            models.of("classifier", given["config"]).classify(given["text"], strings(given["candidates"]), options);
        ASSERT_EQ(result.labels.size(), given["labels"].size());
        for (std::size_t i = 0; i < result.labels.size(); ++i) {
            EXPECT_EQ(result.labels[i].label, given["labels"][i].get<std::string>()) << i;
            worst.compare(result.labels[i].score, given["scores"][i]);
        }
    }
}

TEST(ZeroShotClassifier, BadInputIsNamed) {
    expect_error(ErrorKind::unsupported, {"entailment", "negative, neutral, positive"},
                 [&] { ZeroShotClassifier task(heads() / "classifier"); });
    expect_error(ErrorKind::input, {"\"yes\"", "negative, neutral, positive"},
                 [&] { ZeroShotClassifier task(heads() / "classifier", {}, "yes"); });
    expect_error(ErrorKind::unsupported, {"LABEL_0"}, [&] { ZeroShotClassifier task(heads() / "single_label"); });
    const ZeroShotClassifier model(heads() / "classifier", {}, "positive");
    expect_error(ErrorKind::input, {"label"}, [&] { model.classify("a", {}); });
    bert::ZeroShotOptions options;
    options.hypothesis = "no place for it";
    expect_error(ErrorKind::input, {"no place for it"}, [&] { model.classify("a", {"b"}, options); });
    EXPECT_TRUE(model.classify_batch({}, {"b"}).empty());
}

TEST(Reranker, EqualsCrossEncoder) {
    Worst worst("reranking scores", 1e-5);
    Opened<Reranker> models;
    const auto pairs = golden_pairs();
    const Json cases = recorded("reranker");
    for (const Json& given : cases) {
        SCOPED_TRACE(given.dump().substr(0, 200));
        const Reranker& model = models.of(given["model"], given["config"], given.value("overlay", ""));
        const auto expect = [&](const Json& expected, const bert::RerankOptions& options) {
            const auto result = model.score(pairs, options);
            ASSERT_EQ(expected.size(), pairs.size());
            for (std::size_t i = 0; i < pairs.size(); ++i) {
                const Json row = expected[i].is_array() ? expected[i] : Json::array({expected[i]});
                ASSERT_EQ(row.size(), static_cast<std::size_t>(result.scores.cols()));
                for (std::size_t k = 0; k < row.size(); ++k) {
                    worst.compare(result.scores(static_cast<bert::Index>(i), static_cast<bert::Index>(k)), row[k]);
                }
            }
        };
        expect(given["scores"], {});
        bert::RerankOptions softmax;
        softmax.softmax = true;
        if (given.contains("softmax")) expect(given["softmax"], softmax);
        if (!given.contains("ranked")) continue;
        const auto ranked = model.rank(given["query"], strings(given["documents"]));
        ASSERT_EQ(ranked.size(), given["ranked"].size());
        for (std::size_t i = 0; i < ranked.size(); ++i) {
            EXPECT_EQ(ranked[i].index, given["ranked"][i][0].get<std::size_t>());
            worst.compare(ranked[i].score, given["ranked"][i][1]);
        }
        bert::RerankOptions two;
        two.top_k = 2;
        EXPECT_EQ(model.rank(given["query"], strings(given["documents"]), two).size(), 2u);
    }
}

TEST(Reranker, BadInputIsNamed) {
    const Reranker model(heads() / "single_label");
    expect_error(ErrorKind::input, {"no documents"}, [&] { model.rank("a", {}); });
    expect_error(ErrorKind::unsupported, {"3 labels"}, [&] { Reranker(heads() / "classifier").rank("a", {"b"}); });
    EXPECT_EQ(model.score({}).scores.rows(), 0);
    const HeadModel odd("single_label", {{"sbert_ce_default_activation_function", "torch.nn.PReLU"}});
    expect_error(ErrorKind::unsupported, {"PReLU"}, [&] { Reranker task(odd.path()); });
    const HeadModel more("single_label", {}, "cross_encoder");
    write_bytes(more.path() / "modules.json",
                R"([{"type": "sentence_transformers.models.Transformer", "path": ""},
                    {"type": "sentence_transformers.cross_encoder.modules.logit_score.LogitScore", "path": ""}])");
    expect_error(ErrorKind::unsupported, {"LogitScore"}, [&] { Reranker task(more.path()); });
}

TEST(Heads, AFolderWithoutTheHeadSaysWhatItServes) {
    using bert::TaskOptions;
    expect_error(ErrorKind::unsupported,
                 {"BertForSequenceClassification", "next-sentence", "text-classification, reranking"},
                 [&] { NextSentence task(heads() / "classifier"); });
    expect_error(ErrorKind::unsupported, {"BertForPreTraining", "fill-mask, next-sentence, sparse-embedding"},
                 [&] { TextClassifier task(heads() / "pretraining"); });
    expect_error(ErrorKind::unsupported, {"BertModel", "it serves: sentence-embedding"},
                 [&] { Reranker task(bert_models() / "base"); });
    // A head in the weights counts, whatever class wrote the folder: bert-base-uncased is published so.
    const HeadModel renamed("pretraining", {{"architectures", {"BertForMaskedLM"}}});
    EXPECT_GT(NextSentence(renamed.path()).score("a", "b").probability, 0.0f);
    // Where no class is named, the caller's word counts for the classifier.
    const HeadModel unnamed("classifier", {{"architectures", nullptr}});
    EXPECT_EQ(TextClassifier(unnamed.path()).labels(), (std::vector<std::string>{"negative", "neutral", "positive"}));
    expect_error(ErrorKind::shape, {"classifier.weight", "[2, 24]", "[3, 24]"}, [&] {
        const HeadModel two("classifier", {{"id2label", {{"0", "a"}, {"1", "b"}}}});
        TextClassifier task(two.path());
    });
    expect_error(ErrorKind::format, {"pooler.dense.weight"}, [&] {
        const HeadModel none("classifier");
        edit_tensors(none.path() / "model.safetensors", [](std::vector<RawTensor>& tensors) {
            tensors.erase(std::remove_if(tensors.begin(), tensors.end(),
                                         [](const RawTensor& t) { return t.name.find("pooler") != std::string::npos; }),
                          tensors.end());
        });
        TextClassifier task(none.path());
    });
    expect_error(ErrorKind::unsupported, {"problem_type", "ranking"}, [&] {
        const HeadModel odd("classifier", {{"problem_type", "ranking"}});
        TextClassifier task(odd.path());
    });
}

}  // namespace
