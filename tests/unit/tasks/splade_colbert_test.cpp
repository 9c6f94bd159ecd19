// Splade and Colbert against sentence-transformers' SparseEncoder and MultiVectorEncoder, as recorded in
// tests/golden/heads.
#include "heads_support.hpp"

#include <bert/tasks/colbert.hpp>
#include <bert/tasks/splade.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::Colbert;
using bert::ErrorKind;
using bert::Index;
using bert::Splade;

std::string overlay_of(const Json& given) {
    return given["overlay"].is_null() ? "" : given["overlay"].get<std::string>();
}

TEST(Splade, EqualsSparseEncoder) {
    Worst worst("sparse values", 1e-5);
    const Json golden = read_json(heads() / "sparse.json");
    const auto texts = strings(golden["texts"]);
    Opened<Splade> models;
    for (const Json& given : golden["cases"]) {
        SCOPED_TRACE(overlay_of(given) + " " + given["method"].get<std::string>());
        const Splade& model = models.of("masked_lm", Json::object(), overlay_of(given));
        const auto vectors = given["method"] == "encode"         ? model.encode(texts)
                             : given["method"] == "encode_query" ? model.encode_query(texts)
                                                                 : model.encode_document(texts);
        ASSERT_EQ(vectors.size(), texts.size());
        for (std::size_t i = 0; i < vectors.size(); ++i) {
            const Json& expected = given["vectors"][i];
            ASSERT_EQ(vectors[i].ids.size(), expected.size()) << texts[i];
            for (std::size_t k = 0; k < expected.size(); ++k) {
                EXPECT_EQ(vectors[i].ids[k], expected[k][0].get<std::int32_t>());
                worst.compare(vectors[i].values[k], expected[k][1]);
            }
        }
    }
}

TEST(Splade, ComparesByDotProductsAndNamesWords) {
    const Splade model(heads() / "masked_lm");
    const auto vectors = model.encode({"the cat", "the dog"});
    double expected = 0;
    for (std::size_t i = 0; i < vectors[0].ids.size(); ++i) {
        for (std::size_t k = 0; k < vectors[1].ids.size(); ++k) {
            if (vectors[0].ids[i] != vectors[1].ids[k]) continue;
            expected += static_cast<double>(vectors[0].values[i]) * static_cast<double>(vectors[1].values[k]);
        }
    }
    EXPECT_GT(expected, 0);
    EXPECT_NEAR(bert::dot(vectors[0], vectors[1]), expected, 1e-9);
    const auto words = model.words(vectors[0]);
    ASSERT_EQ(words.size(), vectors[0].ids.size());
    for (std::size_t i = 1; i < words.size(); ++i) EXPECT_GE(words[i - 1].second, words[i].second);
}

TEST(Splade, BadFoldersAreNamed) {
    expect_error(ErrorKind::unsupported, {"sparse-embedding"}, [&] { Splade task(heads() / "classifier"); });
    const HeadModel other("masked_lm", Json::object(), "sparse_sum");
    set_key(other.path() / "1_SpladePooling" / "config.json", "pooling_strategy", "mean");
    expect_error(ErrorKind::unsupported, {"pooling_strategy", "mean"}, [&] { Splade task(other.path()); });
    write_bytes(other.path() / "modules.json", R"([{"type": "sentence_transformers.models.Router"}])");
    expect_error(ErrorKind::unsupported, {"SpladePooling", "Router"}, [&] { Splade task(other.path()); });
}

TEST(Colbert, EqualsMultiVectorEncoder) {
    Worst vectors("late-interaction vectors", 1e-5);
    Worst scores("late-interaction scores", 1e-5);
    const Json golden = read_json(heads() / "late_interaction.json");
    Opened<Colbert> models;
    for (const Json& given : golden["cases"]) {
        SCOPED_TRACE(overlay_of(given));
        Json config = Json::object();
        const std::string overlay = overlay_of(given);
        if (fs::exists(heads() / overlay / "modules.json")) config["architectures"] = {"BertModel"};
        const Colbert& model = models.of("colbert", config, overlay);
        const auto queries = model.encode_query(strings(golden["query_texts"]));
        const auto documents = model.encode_document(strings(golden["document_texts"]));
        const auto compare = [&](const std::vector<bert::TokenVectors>& texts, const Json& expected) {
            ASSERT_EQ(texts.size(), expected.size());
            for (std::size_t i = 0; i < texts.size(); ++i) {
                ASSERT_EQ(static_cast<std::size_t>(texts[i].vectors.rows()), expected[i].size()) << i;
                for (Index row = 0; row < texts[i].vectors.rows(); ++row) {
                    const Json& values = expected[i][static_cast<std::size_t>(row)];
                    ASSERT_EQ(static_cast<std::size_t>(texts[i].vectors.cols()), values.size());
                    for (std::size_t k = 0; k < values.size(); ++k) {
                        vectors.compare(texts[i].vectors(row, static_cast<Index>(k)), values[k]);
                    }
                }
            }
        };
        compare(queries, given["queries"]);
        compare(documents, given["documents"]);
        const bert::Matrix result = model.scores(queries, documents);
        for (Index q = 0; q < result.rows(); ++q) {
            for (Index d = 0; d < result.cols(); ++d) {
                scores.compare(result(q, d), given["scores"][static_cast<std::size_t>(q)][static_cast<std::size_t>(d)]);
            }
        }
    }
}

TEST(Colbert, BatchesThreadsAndBudgetsGiveTheSameBits) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < 20; ++i)
        texts.push_back("the " + std::string(i, 'q') + " news, and " + std::to_string(i));
    bert::TaskOptions options;
    options.threads = 1;
    options.token_budget = 1;
    const Colbert alone(heads() / "colbert", options);
    const auto queries = alone.encode_query(texts);
    const auto documents = alone.encode_document(texts);
    options.threads = 2;
    options.token_budget = 100;
    const Colbert model(heads() / "colbert", options);
    on_four_threads([&] {
        const auto other_queries = model.encode_query(texts);
        const auto other_documents = model.encode_document(texts);
        for (std::size_t i = 0; i < texts.size(); ++i) {
            EXPECT_TRUE(same_bits(other_queries[i].vectors, queries[i].vectors));
            EXPECT_TRUE(same_bits(other_documents[i].vectors, documents[i].vectors));
        }
    });
}

TEST(Colbert, ReadsWhatAFolderSaysOfScoring) {
    const std::vector<std::string> texts{"Anna lives in Paris", "the news"};
    const HeadModel mean("colbert", Json::object(), "colbert_saved");
    const Colbert plain(mean.path());
    const auto queries = plain.encode_query(texts);
    const auto expected = plain.scores(queries, queries);
    set_key(mean.path() / "config_sentence_transformers.json", "similarity_fn_name", "meanmaxsim");
    const auto scores = Colbert(mean.path()).scores(queries, queries);
    EXPECT_LE(max_difference(scores * 32.0f, expected), 1e-5);
}

TEST(Colbert, BadFoldersAreNamed) {
    expect_error(ErrorKind::unsupported, {"late-interaction"}, [&] { Colbert task(heads() / "classifier"); });
    const HeadModel without("colbert");
    edit_tensors(without.path() / "model.safetensors", [](std::vector<RawTensor>& tensors) {
        tensor_named(tensors, "linear.weight").name = "another.weight";
    });
    expect_error(ErrorKind::format, {"linear.weight"}, [&] { Colbert task(without.path()); });
    const HeadModel pooled("colbert", Json::object(), "colbert_saved");
    write_bytes(pooled.path() / "modules.json",
                R"([{"type": "sentence_transformers.models.Transformer", "path": ""},
                    {"type": "sentence_transformers.models.Pooling", "path": "1_Dense"}])");
    expect_error(ErrorKind::unsupported, {"Pooling"}, [&] { Colbert task(pooled.path()); });
    const HeadModel kept("colbert", Json::object(), "colbert_min");
    set_key(kept.path() / "2_MultiVectorMask" / "config.json", "keep_only_token_ids", {5});
    expect_error(ErrorKind::unsupported, {"keep_only_token_ids"}, [&] { Colbert task(kept.path()); });
    const HeadModel word("colbert", Json::object(), "colbert_min");
    set_key(word.path() / "sentence_bert_config.json", "query_expansion", {{"length", 16}, {"token", "absent"}});
    expect_error(ErrorKind::vocabulary, {"absent"}, [&] { Colbert task(word.path()); });
    const HeadModel bare("colbert", Json::object(), "cross_encoder");
    expect_error(ErrorKind::unsupported, {"late interaction", "it serves: reranking"},
                 [&] { Colbert task(bare.path()); });
}

}  // namespace
