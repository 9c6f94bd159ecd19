// Added tokens found in raw and in normalized text, with all their flags.
#include <bert/text/added_tokens.hpp>

#include "../test_support.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

using bert::AddedToken;
using bert::ErrorKind;
using bert::NormalizerConfig;
using bert::TokenizerConfig;
using bert::detail::AddedTokenMatcher;
using bert::detail::AddedVocabulary;
using bert::detail::Normalizer;
using bert::detail::Vocabulary;

namespace {

using Pattern = AddedTokenMatcher::Pattern;
using Parts = std::vector<std::string>;

/// The parts of a text; tokens in brackets.
Parts split(std::vector<Pattern> patterns, const std::string& text) {
    Parts parts;
    AddedTokenMatcher(std::move(patterns)).split(text, [&](std::size_t begin, std::size_t end, const Pattern* token) {
        const std::string part = text.substr(begin, end - begin);
        parts.push_back(token ? "[" + part + "]" : part);
    });
    return parts;
}

TEST(AddedTokenMatcher, FindsTheLeftmostLongest) {
    const std::vector<Pattern> patterns = {
        {"ab", 0, false, false, false}, {"abcd", 1, false, false, false}, {"bc", 2, false, false, false}};
    EXPECT_EQ(split(patterns, "xabcdabbc"), (Parts{"x", "[abcd]", "[ab]", "[bc]"}));
    EXPECT_EQ(split(patterns, "xabce"), (Parts{"x", "[ab]", "ce"}));
    EXPECT_EQ(split(patterns, ""), Parts{});
    EXPECT_EQ(split({}, "text"), Parts{"text"});
}

TEST(AddedTokenMatcher, SingleWordsStandAlone) {
    const std::vector<Pattern> patterns = {{"cat", 0, true, false, false}, {"c", 1, false, false, false}};
    EXPECT_EQ(split(patterns, "cat a-cat."), (Parts{"[cat]", " a-", "[cat]", "."}));
    // The longest match is dropped and not replaced by a shorter one.
    EXPECT_EQ(split(patterns, "cats écat cat_ cup"), (Parts{"cats écat cat_ ", "[c]", "up"}));
}

TEST(AddedTokenMatcher, TakesWhitespaceAlong) {
    EXPECT_EQ(split({{"T", 0, false, true, false}}, "a \u3000T b"), (Parts{"a", "[ \u3000T]", " b"}));
    EXPECT_EQ(split({{"T", 0, false, false, true}}, "a T \tb"), (Parts{"a ", "[T \t]", "b"}));
    EXPECT_EQ(split({{"T", 0, false, true, true}}, "T T"), (Parts{"[T ]", "[T]"}));  // whitespace goes to the first
}

TEST(AddedTokenMatcher, TokensInsideTakenWhitespaceOverlapAsInTheReference) {
    const Pattern word = {"T", 0, false, false, true};
    EXPECT_EQ(split({word, {" ", 1, false, false, false}}, "T  b"), (Parts{"[T  ]", "[ ]", "[ ]", "b"}));
    EXPECT_EQ(split({word, {" ", 1, false, true, false}}, "T  b"), (Parts{"[T  ]", "b"}));  // nothing is left of it
}

AddedVocabulary make(const std::vector<AddedToken>& tokens) {
    NormalizerConfig config;
    config.decompose = config.strip_nonspacing_marks = config.lowercase = true;
    TokenizerConfig tokenizer;
    tokenizer.added_tokens = tokens;
    return AddedVocabulary(tokenizer, Vocabulary({{"a", 0}, {"b", 1}, {"c", 7}}), Normalizer(config));
}

TEST(AddedVocabulary, NumbersTokensAsTheReferenceDoes) {
    const AddedVocabulary added = make({{"b"}, {"new"}, {""}, {"b"}, {"other"}});
    EXPECT_EQ(added.find("b"), 1);
    EXPECT_EQ(added.find("new"), 3);  // the number of vocabulary entries, not the highest id + 1
    EXPECT_EQ(added.find("other"), 4);
    EXPECT_FALSE(added.find("a").has_value());
    EXPECT_EQ(added.id_limit(), 5u);
}

TEST(AddedVocabulary, ShowsNormalizedTokensInTheirNormalForm) {
    const AddedVocabulary added =
        make({{"Café", false, false, false, true, false}, {"É", false, false, false, false, true}});
    EXPECT_EQ(*added.token(3), "cafe");
    EXPECT_EQ(*added.token(4), "É");
    EXPECT_TRUE(added.is_special("É"));
    EXPECT_FALSE(added.is_special("Café"));
}

TEST(AddedVocabulary, RefusesTokensThatCannotBeFound) {
    bert_test::expect_error(ErrorKind::vocabulary, {"\u0301", "normalized"}, [] {
        make({{"\u0301", false, false, false, true, false}});
    });
    bert_test::expect_error(ErrorKind::format, {"UTF-8"}, [] { make({{"\xFF"}}); });
    bert_test::expect_error(ErrorKind::unsupported, {"1025"}, [] { make({{std::string(1025, 'a')}}); });
}

}  // namespace
