// Properties of characters from the generated tables.
#include <bert/text/lower_case.hpp>
#include <bert/text/unicode.hpp>

#include <gtest/gtest.h>

#include <string>

namespace unicode = bert::detail::unicode;

namespace {

std::u32string decomposed(char32_t code) {
    std::u32string result;
    unicode::decompose(code, unicode::character(code), [&](char32_t c) { result += c; });
    return result;
}

std::u32string lowered(char32_t code) {
    std::u32string result;
    unicode::lower(code, unicode::character(code), [&](char32_t c) { result += c; });
    return result;
}

bool has(char32_t code, std::uint8_t flag) {
    return (unicode::character(code).flags & flag) != 0;
}

TEST(Unicode, ClassifiesControlCharactersAsTheReferenceDoes) {
    for (const char32_t c : {U'\t', U'\n', U'\r', U' ', U'\u00A0', U'\u2028', U'\u2029', U'\u3000'}) {
        EXPECT_TRUE(has(c, unicode::space) && !has(c, unicode::removed)) << std::uint32_t{c};
    }
    for (const char32_t c : {U'\v', U'\f', U'\x1C', U'\x1F', U'\x7F', U'\u0085', U'\u200B', U'\uFEFF', U'\uFFFD'}) {
        EXPECT_TRUE(has(c, unicode::removed)) << std::uint32_t{c};
    }
    EXPECT_TRUE(has(0, unicode::removed));
    EXPECT_TRUE(has(0xE000, unicode::removed));   // private use
    EXPECT_FALSE(has(0x0378, unicode::removed));  // not assigned
}

TEST(Unicode, ChineseCharactersHaveTheHoleOfTheReference) {
    for (const char32_t c : {0x4E00u, 0x9FFFu, 0x3400u, 0xF900u, 0x2B740u, 0x2B81Fu, 0x2B920u, 0x2CEAFu, 0x2FA1Fu}) {
        EXPECT_TRUE(has(c, unicode::cjk)) << std::uint32_t{c};
    }
    for (const char32_t c : {0x3042u, 0xAC00u, 0x2B820u, 0x2B91Fu, 0x30000u}) EXPECT_FALSE(has(c, unicode::cjk));
}

TEST(Unicode, PunctuationIsThatOfAsciiAndOfUnicode) {
    for (const char32_t c : std::u32string(U"!$+<=>^`|~«—。")) {
        EXPECT_TRUE(has(c, unicode::punctuation)) << std::uint32_t{c};
    }
    for (const char32_t c : std::u32string(U"a0é€¢©")) EXPECT_FALSE(has(c, unicode::punctuation));
}

TEST(Unicode, Decomposes) {
    EXPECT_EQ(decomposed(U'a'), U"a");
    EXPECT_EQ(decomposed(U'é'), U"e\u0301");
    EXPECT_EQ(decomposed(U'\u1E69'), U"s\u0323\u0307");
    EXPECT_EQ(decomposed(U'\u0344'), U"\u0308\u0301");
    EXPECT_EQ(decomposed(U'\uAC00'), U"\u1100\u1161");
    EXPECT_EQ(decomposed(U'\uAC01'), U"\u1100\u1161\u11A8");
    EXPECT_EQ(decomposed(U'\uD7A3'), U"\u1112\u1175\u11C2");
    EXPECT_EQ(decomposed(U'\uF900'), U"\u8C48");
    EXPECT_EQ(decomposed(U'\uFB01'), U"\uFB01");  // compatibility decompositions stay
}

TEST(Unicode, LowersCharacterByCharacter) {
    EXPECT_EQ(lowered(U'A'), U"a");
    EXPECT_EQ(lowered(U'Σ'), U"σ");
    EXPECT_EQ(lowered(U'\u0130'), U"i\u0307");
    EXPECT_EQ(lowered(U'\u1E9E'), U"ß");
    EXPECT_EQ(lowered(U'\u01C5'), U"\u01C6");
    EXPECT_EQ(lowered(U'\U00010400'), U"\U00010428");
    EXPECT_EQ(lowered(U'漢'), U"漢");
}

TEST(LowerCase, IsThatOfPython) {
    using bert::detail::lower_case;
    EXPECT_EQ(lower_case("ΟΔΟΣ ΣΑΣ, Σ 1Σ σΣ!Σα"), "οδος σας, σ 1σ σς!σα");
    EXPECT_EQ(lower_case("\xFF"
                         "ÀB_Σ"),
              "\xFF"
              "àb_σ");
    EXPECT_EQ(lower_case(""), "");
}

TEST(Unicode, KnowsCombiningClasses) {
    EXPECT_EQ(unicode::character(U'a').combining_class, 0);
    EXPECT_EQ(unicode::character(U'\u0301').combining_class, 230);
    EXPECT_EQ(unicode::character(U'\u0323').combining_class, 220);
    EXPECT_EQ(unicode::character(U'\u0345').combining_class, 240);
    EXPECT_EQ(unicode::character(U'\u0334').combining_class, 1);
}

}  // namespace
