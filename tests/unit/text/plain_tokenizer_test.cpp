// The library's tokenizer against one without short cuts, on texts put together at random; and that one against the
// reference's recorded answers.
#include "plain_tokenizer.hpp"

#include <bert/io/tokenizer_folder.hpp>
#include <bert/text/tokenizer.hpp>

#include "../test_support.hpp"
#include "tokenizer_json.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using bert_test::PlainTokenizer;

using PlainRow = std::tuple<std::int32_t, std::size_t, std::size_t, std::size_t>;

std::vector<PlainRow> plain_rows(const std::vector<bert_test::PlainToken>& tokens) {
    std::vector<PlainRow> rows;
    for (const auto& token : tokens) rows.emplace_back(token.id, token.begin, token.end, token.word);
    return rows;
}

std::vector<PlainRow> plain_rows(const bert::Encoding& encoding) {
    std::vector<PlainRow> rows;
    for (std::size_t i = 0; i < encoding.size(); ++i) {
        rows.emplace_back(encoding.ids[i], encoding.offsets[i].begin, encoding.offsets[i].end,
                          static_cast<std::size_t>(encoding.word_ids[i]));
    }
    return rows;
}

/// The tokenizers of tests/golden/tokenizer whose ids have no holes, by the names of their folders.
std::map<std::string, bert::TokenizerConfig> plain_configs() {
    std::map<std::string, bert::TokenizerConfig> configs;
    for (const auto& entry : bert_test::fs::directory_iterator(bert_test::data_dir() / "tokenizer" / "folders")) {
        const std::string name = entry.path().filename().string();
        if (name != "ids_with_holes") configs[name] = bert::load_tokenizer_config(entry.path());
    }
    return configs;
}

TEST(PlainTokenizer, GivesTheRecordedTokens) {
    std::map<std::string, PlainTokenizer> plain;
    for (const auto& [name, config] : plain_configs()) plain.emplace(name, PlainTokenizer(config));
    std::ifstream in(bert_test::data_dir() / "tokenizer" / "cases.jsonl", std::ios::binary);
    std::size_t compared = 0;
    for (std::string text; std::getline(in, text);) {
        const auto line = bert::detail::Json::parse(text);
        const auto tokenizer = plain.find(line["tokenizer"].get<std::string>());
        if (tokenizer == plain.end() || line.contains("decode") || line.contains("pair")) continue;
        const auto options = line["options"];
        if (options.size() != 1 || options.value("offset_unit", "") != "byte") continue;
        std::vector<PlainRow> expected;
        for (const auto& row : line["expected"][0]) {
            if (row[4] == -1) continue;  // special tokens of the template
            expected.emplace_back(row[0].get<std::int32_t>(), row[1].get<std::size_t>(), row[2].get<std::size_t>(),
                                  row[4].get<std::size_t>());
        }
        EXPECT_EQ(plain_rows(tokenizer->second.tokenize(line["text"].get<std::string>())), expected) << text;
        ++compared;
    }
    EXPECT_GT(compared, 300u);
}

TEST(PlainTokenizer, AgreesWithTheLibraryOnTextsOfAnyBytes) {
    // What short cuts and limits turn on: ASCII words of all lengths beside other characters, marks in and out of
    // order, spaces of all kinds, broken UTF-8, and the added tokens of the folders.
    const std::vector<std::string> parts = {
        "a",
        "B",
        "the",
        "unaffable",
        "Abcdefghijk",
        "abcdefghijkl",
        "ABCDEFGHIJKLMNOPQ",
        "7",
        "0123",
        " ",
        "  ",
        "\t",
        "\n",
        "\xC2\xA0",
        "\u3000",
        "\u200B",
        "\u0301",
        "\u0323",
        "\u0344",
        "\u0F71\u0F80",
        "\u00E9",
        "\u1E69",
        "\uAC01",
        "\u0130",
        "\u1E9E",
        "\u4E2D",
        "\U0001F600",
        "\U00020000",
        ".",
        "!",
        "-",
        "'s",
        "\u2014",
        "##",
        "##ing",
        "[CLS]",
        "[MASK]",
        "[mask]",
        "[UNK]",
        "[",
        "]",
        "[CLS",
        "\x80",
        "\xC3",
        "\xE2\x82",
        "\xF0\x9F\x98",
        "\xED\xA0\x80",
        "\xFF",
        std::string(1, '\0'),
        "\x7F",
        "\uFFFD",
        "\u0300\u0300",
        "cat",
        "dog",
        "xxxxxxxxxxxx",
        "\u0958",
    };
    bert_test::Random random(20);
    std::size_t compared = 0;
    for (const auto& [name, config] : plain_configs()) {
        const PlainTokenizer plain(config);
        const bert::Tokenizer tokenizer(config);
        std::vector<std::string> pieces = parts;
        for (const auto& token : config.added_tokens) {
            pieces.push_back(token.content);
            pieces.push_back(" " + token.content + " ");
            pieces.push_back(token.content + "x");
        }
        bert::EncodeOptions options;
        options.add_special_tokens = false;
        for (int round = 0; round < 1000; ++round) {
            std::string text;
            for (std::size_t count = random.below(20); count > 0; --count) text += pieces[random.below(pieces.size())];
            ASSERT_EQ(plain_rows(tokenizer.encode(text, options)), plain_rows(plain.tokenize(text)))
                << name << ": " << ::testing::PrintToString(text);
            ++compared;
        }
    }
    EXPECT_GT(compared, 20'000u);
}

}  // namespace
