// From ids back to text.
#include <bert/text/decoder.hpp>

#include <gtest/gtest.h>

using bert::DecoderConfig;
using bert::detail::decode_tokens;

namespace {

TEST(Decoder, GluesPiecesAndCleansUp) {
    const DecoderConfig config;
    EXPECT_EQ(decode_tokens({"un", "##aff", "##able", ",", "is", "##n't", "it", "?"}, config), "unaffable, isn't it?");
    EXPECT_EQ(decode_tokens({"##s", "a"}, config), "##s a");  // the first token stays as it is
    EXPECT_EQ(decode_tokens({"it", "'s", "!", "do not"}, config), "it's! don't");
    EXPECT_EQ(decode_tokens({}, config), "");
}

TEST(Decoder, LeavesSpacesWithoutCleaning) {
    DecoderConfig config;
    config.cleanup = false;
    EXPECT_EQ(decode_tokens({"it", "##s", "!"}, config), "its !");
    config.prefix = "";
    EXPECT_EQ(decode_tokens({"it", "##s", "!"}, config), "it##s!");
}

TEST(Decoder, JoinsTokensWithoutADecoder) {
    DecoderConfig config;
    config.word_piece = false;
    EXPECT_EQ(decode_tokens({"it", "##s", "!"}, config), "it ##s !");
}

}  // namespace
