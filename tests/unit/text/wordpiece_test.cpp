// Vocabularies, and words cut into pieces.
#include <bert/text/wordpiece.hpp>

#include "../test_support.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using bert::ErrorKind;
using bert::TokenizerConfig;
using bert::detail::Piece;
using bert::detail::Range;
using bert::detail::Vocabulary;
using bert::detail::WordPiece;
using bert_test::expect_error;

namespace {

Vocabulary make_vocabulary(const std::vector<std::string>& tokens) {
    std::vector<TokenizerConfig::VocabularyEntry> entries;
    for (const std::string& token : tokens) entries.push_back({token, static_cast<std::int32_t>(entries.size())});
    return Vocabulary(std::move(entries));
}

std::vector<std::string> segment(const Vocabulary& vocabulary, const TokenizerConfig& config, std::string_view word) {
    const WordPiece model(vocabulary, config);
    std::vector<Piece> pieces;
    model.tokenize(
        word,
        [](std::size_t begin, std::size_t end) {
            return Range{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
        },
        7, pieces);
    std::vector<std::string> result;
    std::uint32_t at = 0;
    for (const Piece& piece : pieces) {
        EXPECT_EQ(piece.begin, at);
        EXPECT_EQ(piece.word, 7u);
        at = piece.end;
        result.push_back(*vocabulary.token(piece.id));
    }
    EXPECT_EQ(at, word.size());
    return result;
}

using Tokens = std::vector<std::string>;

TEST(WordPiece, TakesTheLongestPieceFirst) {
    const TokenizerConfig config;
    const Vocabulary vocabulary = make_vocabulary({"[UNK]", "un", "unaff", "##aff", "##able", "##a", "##é", "é", "u"});
    EXPECT_EQ(segment(vocabulary, config, "unaffable"), (Tokens{"unaff", "##able"}));
    EXPECT_EQ(segment(vocabulary, config, "uaéa"), (Tokens{"u", "##a", "##é", "##a"}));
    EXPECT_EQ(segment(vocabulary, config, "unaffables"), Tokens{"[UNK]"});  // one unknown token for the whole word
    EXPECT_EQ(segment(vocabulary, config, "xun"), Tokens{"[UNK]"});
}

TEST(WordPiece, TakesAnyPrefix) {
    TokenizerConfig config;
    config.continuing_subword_prefix = "";
    EXPECT_EQ(segment(make_vocabulary({"[UNK]", "a", "b"}), config, "abba"), (Tokens{"a", "b", "b", "a"}));
    config.continuing_subword_prefix = "@@";
    EXPECT_EQ(segment(make_vocabulary({"[UNK]", "a", "@@b", "b"}), config, "abb"), (Tokens{"a", "@@b", "@@b"}));
    EXPECT_EQ(segment(make_vocabulary({"[UNK]", "a", "b"}), config, "ab"), Tokens{"[UNK]"});
}

TEST(WordPiece, APrefixAloneIsNoPiece) {
    const TokenizerConfig config;
    const Vocabulary vocabulary = make_vocabulary({"[UNK]", "##", "##a", "##ab", "x"});
    EXPECT_EQ(segment(vocabulary, config, "xab"), (Tokens{"x", "##ab"}));
    EXPECT_EQ(segment(vocabulary, config, "xaab"), (Tokens{"x", "##a", "##ab"}));
    EXPECT_EQ(segment(vocabulary, config, "xabc"), Tokens{"[UNK]"});
    EXPECT_EQ(segment(vocabulary, config, "xx"), Tokens{"[UNK]"});
    EXPECT_EQ(segment(make_vocabulary({"[UNK]", "x"}), config, "xx"), Tokens{"[UNK]"});
}

TEST(WordPiece, NeedsTheUnknownToken) {
    const TokenizerConfig config;
    expect_error(ErrorKind::vocabulary, {"[UNK]"}, [&] { WordPiece(make_vocabulary({"a"}), config); });
}

TEST(WordPiece, RefusesTokensLongEnoughToMakeItSlow) {
    const std::string token(1025, 'a');
    TokenizerConfig config;
    config.source = "folder/vocab.txt";
    EXPECT_NO_THROW(WordPiece(make_vocabulary({"[UNK]", token}), config));  // longer than any word: never met
    config.max_input_chars_per_word = 5000;
    expect_error(ErrorKind::unsupported, {"folder/vocab.txt", "1025", "aaaa"}, [&] {
        WordPiece(make_vocabulary({"[UNK]", token}), config);
    });
}

TEST(Vocabulary, MapsBothWays) {
    const Vocabulary vocabulary({{"b", 0}, {"a", 5}, {"", 2}});
    EXPECT_EQ(vocabulary.size(), 3u);
    EXPECT_EQ(vocabulary.id_limit(), 6u);
    EXPECT_EQ(vocabulary.find("a"), 5);
    EXPECT_EQ(vocabulary.find(""), 2);
    EXPECT_FALSE(vocabulary.find("c").has_value());
    EXPECT_EQ(*vocabulary.token(0), "b");
    for (const std::int32_t id : {1, 3, 6, -1}) EXPECT_EQ(vocabulary.token(id), nullptr);
}

TEST(Vocabulary, RefusesWhatCannotBeMeant) {
    expect_error(ErrorKind::vocabulary, {"\"a\"", "twice"}, [] { Vocabulary({{"a", 0}, {"a", 1}}); });
    expect_error(ErrorKind::vocabulary, {"\"a\"", "-1"}, [] { Vocabulary({{"a", -1}}); });
    expect_error(ErrorKind::vocabulary, {"\"b\"", "2000000000"}, [] { Vocabulary({{"a", 0}, {"b", 2000000000}}); });
    expect_error(ErrorKind::format, {"UTF-8", "id 3"}, [] { Vocabulary({{"\xC3", 3}}); });
}

}  // namespace
