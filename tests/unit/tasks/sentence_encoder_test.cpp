// SentenceEncoder against sentence-transformers: every kind of folder and call that is recorded in tests/golden.
#include "../test_support.hpp"

#include <bert/tasks/sentence_encoder.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::Index;

// The folders of tests/golden/models/sentence/variants that are supported.
const char* const variant_names[] = {
    "cls_normalize",
    "max",
    "mean_normalize_without_folder",
    "mean_sqrt_len_tokens",
    "weightedmean",
    "lasttoken",
    "mean_then_cls",
    "legacy_cls",
    "legacy_max_weighted_last",
    "legacy_all_six",
    "legacy_no_mode",
    "prompts",
    "prompts_default",
    "prompts_excluded_mean",
    "prompts_excluded_others",
    "prompts_passage",
    "dense_tanh",
    "dense_identity",
    "dense_two",
    "dense_gelu",
    "limit_12",
    "legacy_limit_16",
    "legacy_limit_null",
    "legacy_limit_100",
    "plain_transformer",
    "transformer_in_subfolder",
    "dot_similarity",
    "truncate_dim_in_config",
    "cased",
    "cased_do_lower_case",
    "dense_residual",
};

struct Call {
    bert::SentenceEncoderOptions encoder;
    bert::EmbedOptions embed;
    enum { plain, query, document } method = plain;
};

/// What a name of variants.json's "calls" means.
Call call_named(const std::string& name) {
    Call call;
    if (name == "normalize") {
        call.encoder.normalize = true;
    } else if (name == "truncate_7") {
        call.encoder.truncate_dim = 7;
    } else if (name == "truncate_7_normalize") {
        call.encoder.truncate_dim = 7;
        call.encoder.normalize = true;
    } else if (name == "encode_query") {
        call.method = Call::query;
    } else if (name == "encode_document") {
        call.method = Call::document;
    } else if (name == "prompt_name_other") {
        call.embed.prompt_name = "other";
    } else if (name == "prompt_custom") {
        call.embed.prompt = "the dog: ";
    } else if (name == "prompt_empty") {
        call.embed.prompt = "";
    } else {
        EXPECT_EQ(name, "encode");
    }
    return call;
}

class GoldenSentences : public testing::TestWithParam<const char*> {
protected:
    GoldenSentences() : variant_(read_json(sentence_models() / "variants.json").at(GetParam())) {
        assemble_sentence_model(GetParam(), folder_.path());
        const Json all = read_json(sentence_models() / "texts.json");
        for (const auto index : golden_.values<std::size_t>(key("texts"))) texts_.push_back(all[index]);
    }

    std::string key(const std::string& what) const { return std::string(GetParam()) + "." + what; }

    TempFolder folder_;
    Json variant_;
    Golden golden_{sentence_models() / "expected.safetensors"};
    std::vector<std::string> texts_;
};

TEST_P(GoldenSentences, EmbeddingsEqualSentenceTransformers) {
    for (const std::string name : variant_["calls"]) {
        const Call call = call_named(name);
        const bert::SentenceEncoder encoder(folder_.path(), call.encoder);
        const bert::Matrix embeddings = call.method == Call::query      ? encoder.encode_query(texts_, call.embed)
                                        : call.method == Call::document ? encoder.encode_document(texts_, call.embed)
                                                                        : encoder.encode(texts_, call.embed);
        const auto expected = golden_.matrix<float>(key(name));
        ASSERT_EQ(embeddings.cols(), expected.cols()) << name;
        ASSERT_EQ(embeddings.rows(), expected.rows()) << name;
        EXPECT_EQ(encoder.dimension(), embeddings.cols()) << name;
        double worst = 0;
        for (Index row = 0; row < embeddings.rows(); ++row) {
            // Embeddings that are not of unit length have rounding errors in proportion to their values.
            const double scale = std::max(1.0, static_cast<double>(expected.row(row).cwiseAbs().maxCoeff()));
            const double difference = max_difference(embeddings.row(row), expected.row(row)) / scale;
            EXPECT_LE(difference, 2e-6) << name << ", text " << row << ": " << texts_[static_cast<std::size_t>(row)];
            worst = std::max(worst, difference);
        }
        report_worst(key(name), worst);
    }
}

TEST_P(GoldenSentences, LimitsTokenCountsAndTruncationEqual) {
    const bert::SentenceEncoder encoder(folder_.path());
    EXPECT_EQ(encoder.max_seq_length(), variant_["max_seq_length"].get<std::size_t>());
    bert::EmbedOptions without_prompt;
    without_prompt.prompt = "";
    const auto result = encoder.embed(texts_, without_prompt);
    const auto tokens = golden_.values<std::size_t>(key("tokens"));
    const auto whole = golden_.values<std::size_t>(key("untruncated_tokens"));
    ASSERT_EQ(result.texts.size(), texts_.size());
    for (std::size_t i = 0; i < texts_.size(); ++i) {
        EXPECT_EQ(result.texts[i].tokens, tokens[i]) << texts_[i];
        EXPECT_EQ(result.texts[i].truncated, whole[i] > tokens[i]) << texts_[i];
        EXPECT_EQ(result.texts[i].windows, 1u) << texts_[i];
    }
}

TEST_P(GoldenSentences, SimilaritiesEqual) {
    const bert::SentenceEncoder encoder(folder_.path());
    const auto embeddings = golden_.matrix<float>(key(variant_["calls"][0]));
    const auto expected = golden_.matrix<float>(key("similarity"));
    const double scale = std::max(1.0, static_cast<double>(expected.cwiseAbs().maxCoeff()));
    EXPECT_LE(max_difference(encoder.similarity(embeddings, embeddings), expected), 1e-6 * scale);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenSentences, testing::ValuesIn(variant_names),
                         [](const testing::TestParamInfo<const char*>& info) { return std::string(info.param); });

TEST(GoldenSentences, CoverAllThatAreRecorded) {
    const Json variants = read_json(sentence_models() / "variants.json");
    for (const auto& [name, variant] : variants.items()) {
        const bool tested = std::any_of(std::begin(variant_names), std::end(variant_names),
                                        [&known = name](const char* tested_name) { return known == tested_name; });
        EXPECT_TRUE(tested) << name;
    }
}

// Folders that are broken in other ways are those of tests/hostile.
TEST(SentenceEncoderFolder, WithAVocabularyCutShortIsRefusedUnlessAllowed) {
    const TempFolder folder;
    ModelSizes sizes;
    sizes.vocab = 600;
    write_random_model(folder.path(), sizes, 1);
    std::string lines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    for (int i = 5; i < 300; ++i) lines += "w" + std::to_string(i) + "\n";
    write_bytes(folder.path() / "vocab.txt", lines);
    expect_error(bert::ErrorKind::vocabulary, {folder.path().string(), "300", "600"},
                 [&] { (void)bert::SentenceEncoder(folder.path()); });
    bert::SentenceEncoderOptions options;
    options.allow_unused_embeddings = true;
    EXPECT_NO_THROW((void)bert::SentenceEncoder(folder.path(), options));
}

TEST(SentenceEncoderFolder, WithoutANameIsAFileError) {
    expect_error(bert::ErrorKind::file, {}, [] { (void)bert::SentenceEncoder(""); });
}

}  // namespace
