// Decoding of valid and of every kind of broken UTF-8.
#include <bert/text/utf8.hpp>

#include "../test_support.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

using namespace std::string_view_literals;
using bert::ErrorKind;
using bert::InvalidUtf8;
using bert::detail::ValidText;

namespace {

std::string repair(std::string_view text) {
    return std::string(ValidText(text, InvalidUtf8::replace).view());
}

TEST(Utf8, EncodesAndDecodesEveryCharacter) {
    for (char32_t code = 0; code < 0x110000; ++code) {
        if (code == 0xD800) code = 0xE000;
        char bytes[4];
        const std::size_t size = bert::detail::encode_utf8(code, bytes);
        const auto after = bert::detail::decode_utf8(bytes);
        const auto before = bert::detail::decode_utf8_before(bytes + size);
        ASSERT_EQ(bert::detail::valid_utf8_prefix({bytes, size}), size) << code;
        ASSERT_TRUE(after.code == code && after.size == size) << code;
        ASSERT_TRUE(before.code == code && before.size == size) << code;
        ASSERT_EQ(bert::detail::count_characters({bytes, size}), 1u);
    }
}

TEST(Utf8, LeavesValidTextWhereItIs) {
    const std::string text = "plain ASCII and é漢🙂\0 too";
    const ValidText valid(text, InvalidUtf8::error);
    EXPECT_EQ(valid.view().data(), text.data());
    EXPECT_FALSE(valid.repaired());
    EXPECT_EQ(valid.original_position(7), 7u);
}

// The examples of the Unicode standard, tables 3-8 to 3-11: one U+FFFD for each maximal subpart.
TEST(Utf8, ReplacesEachMaximalSubpartOnce) {
    const std::string r = "\uFFFD";
    EXPECT_EQ(repair("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"sv), r + r + r + r + r + r + r + r + "A");
    EXPECT_EQ(repair("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"sv), r + r + r + r + r + r + r + r + "A");
    EXPECT_EQ(repair("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"sv), r + r + r + r + r + "A" + r + r + "B");
    EXPECT_EQ(repair("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"sv), r + r + r + r + "A");
    EXPECT_EQ(repair("a\xF0\x9F\x99"sv), "a" + r);
    EXPECT_EQ(repair("\xF8\x88\x80\x80\x80"sv), r + r + r + r + r);
}

TEST(Utf8, FindsTheWayBackToTheCallersBytes) {
    // One byte, then two, stand behind a replacement character of three.
    const ValidText text(
        "a\xFF"
        "b\xE2\x82"
        "c"sv,
        InvalidUtf8::replace);
    ASSERT_EQ(text.view(), "a\uFFFDb\uFFFDc");
    const std::size_t positions[][2] = {{0, 0}, {1, 1}, {4, 2}, {5, 3}, {8, 5}, {9, 6}};
    for (const auto& [repaired, original] : positions) EXPECT_EQ(text.original_position(repaired), original);
}

TEST(Utf8, RefusesInvalidTextWhereAsked) {
    bert_test::expect_error(ErrorKind::format, {"UTF-8", "byte 9"},
                            [] { ValidText("123456789\xC3("sv, InvalidUtf8::error); });
}

}  // namespace
