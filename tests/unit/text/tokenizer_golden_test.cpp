// Encodings that the reference implementation gave for many texts, folders and options, from tests/golden/tokenizer.
#include <bert/text/tokenizer.hpp>

#include "../test_support.hpp"
#include "tokenizer_json.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

using bert::Tokenizer;
using GoldenJson = bert::detail::Json;

namespace {

std::vector<GoldenJson> read_lines(const bert_test::fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::vector<GoldenJson> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(GoldenJson::parse(line));
    return lines;
}

bert_test::fs::path tokenizer_dir() {
    return bert_test::data_dir() / "tokenizer";
}

// Every case of make_tokenizer_cases.py: what it asks for, and what the reference answered (null where it refused, and
// where it would have had to).
TEST(TokenizerGolden, AnswersAsTheReferenceDoes) {
    std::map<std::string, Tokenizer> tokenizers;
    std::size_t compared = 0;
    for (const GoldenJson& line : read_lines(tokenizer_dir() / "cases.jsonl")) {
        const std::string name = line["tokenizer"].get<std::string>();
        auto found = tokenizers.find(name);
        if (found == tokenizers.end()) {
            found = tokenizers.emplace(name, Tokenizer::load(tokenizer_dir() / "folders" / name)).first;
        }
        const Tokenizer& tokenizer = found->second;
        const GoldenJson& expected = line["expected"];
        GoldenJson request = line;
        request.erase("expected");
        ++compared;
        if (line.contains("decode")) {
            const auto ids = line["decode"].get<std::vector<std::int32_t>>();
            EXPECT_EQ(tokenizer.decode(ids, line["skip"].get<bool>()), expected.get<std::string>()) << request.dump();
        } else if (expected.is_null()) {
            bert_test::expect_error(bert::ErrorKind::input, {}, [&] { bert_test::encode(tokenizer, request); });
        } else {
            EXPECT_EQ(bert_test::to_json(bert_test::encode(tokenizer, request)), expected) << request.dump();
        }
    }
    EXPECT_GT(compared, 1000u);
    EXPECT_GT(tokenizers.size(), 25u);
}

TEST(TokenizerGolden, FoldersSayTheirLimits) {
    const auto load = [](const char* name) { return Tokenizer::load(tokenizer_dir() / "folders" / name); };
    EXPECT_EQ(load("uncased").model_max_length(), 512u);
    EXPECT_EQ(load("vocab_cased").model_max_length(), 77u);
    EXPECT_FALSE(load("vocab_flags").model_max_length().has_value());
    EXPECT_EQ(load("vocab_names").cls_id(), load("vocab_names").token_to_id("cat"));
    EXPECT_EQ(load("vocab_names").id_to_token(*load("vocab_names").mask_id()), "<mask>");
}

// The vocabulary of all-MiniLM-L6-v2, which is not part of the repository.
TEST(TokenizerGolden, RealVocabularyGivesTheRecordedIds) {
    const char* folder = std::getenv("BERT_TEST_MODEL_DIR");
    if (!folder) GTEST_SKIP() << "BERT_TEST_MODEL_DIR is not set";
    const Tokenizer tokenizer = Tokenizer::load(folder);
    EXPECT_EQ(tokenizer.vocab_size(), 30522u);
    EXPECT_EQ(tokenizer.cls_id(), 101);
    bert::EncodeOptions options;
    options.add_special_tokens = false;
    options.offset_unit = bert::OffsetUnit::code_point;
    const auto lines = read_lines(tokenizer_dir() / "minilm.jsonl");
    EXPECT_GE(lines.size(), 200u);
    for (const GoldenJson& line : lines) {
        const bert::Encoding encoding = tokenizer.encode(line["text"].get<std::string>(), options);
        std::vector<std::size_t> offsets;
        for (const bert::Span& span : encoding.offsets) offsets.insert(offsets.end(), {span.begin, span.end});
        EXPECT_EQ(encoding.ids, line["ids"].get<std::vector<std::int32_t>>()) << line["text"];
        EXPECT_EQ(offsets, line["offsets"].get<std::vector<std::size_t>>()) << line["text"];
    }
}

}  // namespace
