// Sentence segmentation: each documented rule, several scripts, offsets and odd input.
#include "../test_support.hpp"

#include <bert/text/sentences.hpp>

#include <gtest/gtest.h>

namespace {

using namespace bert_test;

std::vector<std::string> split(const std::string& text, const bert::SentenceOptions& options = {}) {
    std::vector<std::string> sentences;
    std::size_t end = 0;
    for (const bert::Span& span : bert::split_sentences(text, options)) {
        EXPECT_LE(end, span.begin);
        EXPECT_LT(span.begin, span.end);
        EXPECT_LE(span.end, text.size());
        end = span.end;
        sentences.push_back(text.substr(span.begin, span.end - span.begin));
    }
    return sentences;
}

/// Expects the sentences to be what stands between the bars.
void expect_sentences(const std::string& marked) {
    std::vector<std::string> expected(1);
    std::string text;
    for (const char c : marked) {
        if (c == '|') {
            expected.emplace_back();
        } else {
            text += c;
            expected.back() += c;
        }
    }
    for (std::string& sentence : expected) {
        sentence.erase(0, sentence.find_first_not_of(" \n\r\t"));
        sentence.erase(sentence.find_last_not_of(" \n\r\t") + 1);
    }
    EXPECT_EQ(split(text), expected) << text;
}

TEST(Sentences, EndAtMarksBeforeSpace) {
    expect_sentences("It rained. | We stayed home! | Why not?");
    expect_sentences("  It rained.  |  We stayed\nhome. |\tGood");
    expect_sentences("Really?! | Yes... | No.");
    expect_sentences("what now? | no idea! | ok");
    expect_sentences("no mark at all");
}

TEST(Sentences, EndBehindAllMarksThatStandTogether) {
    expect_sentences("\u597d\uff01\uff01 | \u771f\u7684\uff1f\uff01 | \u662f\u3002\u3002");
    expect_sentences("\u0939\u093e\u0901\u0964\u0964 | Yes\uff01! | No!\uff01");
}

TEST(Sentences, OfNothing) {
    EXPECT_TRUE(split("").empty());
    EXPECT_TRUE(split(" \n\t\xC2\xA0 \n\n").empty());
    expect_sentences("...");
    expect_sentences("?");
}

TEST(Sentences, KeepClosingQuotes) {
    expect_sentences("He said \"Stop.\" | Then he left.");
    expect_sentences("(It was late.) | We left.");
    expect_sentences("\"Why?\" he asked. | \"Because,\" she said.");
    expect_sentences("\u201cGo!\u201d | \u00abNon.\u00bb | \u2018Yes.\u2019 | End");
    expect_sentences("He left (really!). | Then came back.");
}

TEST(Sentences, DoNotEndInsideNumbersAndNames) {
    expect_sentences("Pi is 3.14 or so. | See example.com for v1.2.3 now.");
    expect_sentences("Dr. Smith met Mrs. J. R. Jones. | They spoke, e.g. about St. Louis.");
    expect_sentences("See Fig. 3 and No. 5 in vol. 2. | No. | I ate a fig. | Done.");
    expect_sentences("1. First we go. | 2. Then we stop.");
    expect_sentences("Smith et al. wrote it. | It was approx. five pages.");
    expect_sentences("A. The answer | \n\n B. Another");
}

TEST(Sentences, EndAfterAbbreviationsThatMayStandLast) {
    expect_sentences("He came at 5 p.m. | The shop was shut.");
    expect_sentences("He came at 5 p.m. Tuesday from the U.S. Army base. | Good.");
    expect_sentences("We sell pens, ink, etc. | They cost little.");
    expect_sentences("She runs Smith Inc. in Ohio. | It grew.");
    expect_sentences("It was I. | He knew.");
}

TEST(Sentences, TakeAbbreviationsOfTheCaller) {
    EXPECT_EQ(split("Das gilt bzw. Nichts gilt.").size(), 2u);
    bert::SentenceOptions options;
    options.abbreviations = {"bzw"};
    EXPECT_EQ(split("Das gilt bzw. Nichts gilt.", options).size(), 1u);
}

TEST(Sentences, GoOnInSmallLetters) {
    expect_sentences("He paused... and went on. | Fine\u2026 | Good.");
    expect_sentences("a.b. c is \u00e9. \u00e9tude. | \u041e\u043d. | \u041e\u043d. \u043e\u043d.");
}

TEST(Sentences, EndAtEmptyLines) {
    expect_sentences("A title |\n\n Some text here |\n \t\n more");
    expect_sentences("one line\nand the next");
    expect_sentences("one\r\n|\r\ntwo");
    EXPECT_EQ(split("one\xE2\x80\xA9two").size(), 2u);
}

TEST(Sentences, OfOtherScripts) {
    expect_sentences("\u4eca\u65e5\u306f\u6674\u308c\u3002|\u660e\u65e5\u306f\u96e8\uff01|\u672c\u5f53\uff1f");
    expect_sentences("\u300c\u884c\u3053\u3046\u3002\u300d|\u5f7c\u306f\u8a00\u3063\u305f\u3002");
    expect_sentences("\u4ed6\u6765\u4e86!|\u6211\u8d70\u4e86.|\u5929");
    expect_sentences("\u7d04\uff13\uff0e\uff11\uff14\u3067\u3042\u308b\uff0e|\u6b21");
    expect_sentences("\u092f\u0939 \u090f\u0915 \u0939\u0948\u0964 | \u0935\u0939 \u0926\u094b \u0939\u0948\u0964");
    expect_sentences(
        "\u0645\u0627 \u0647\u0630\u0627\u061f | \u0647\u0630\u0627 \u0628\u064a\u062a. | \u06cc\u06c1\u06d4 | "
        "\u0648\u06c1");
    expect_sentences("\u1230\u120b\u121d\u1362 | \u12f0\u1205\u1293");
    expect_sentences(
        "\u041f\u0440\u0438\u0432\u0435\u0442. | \u041a\u0430\u043a \u0434\u0435\u043b\u0430? | "
        "\u0425\u043e\u0440\u043e\u0448\u043e!");
    expect_sentences("\u0412 \u0410. \u0421. \u041f\u0443\u0448\u043a\u0438\u043d\u0435. | \u0414\u0430.");
    expect_sentences("\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0e04\u0e23\u0e31\u0e1a");
}

TEST(Sentences, HaveOffsetsInInvalidText) {
    const std::string text = "a\xFF. B\xE2\x82. C";
    EXPECT_EQ(split(text), (std::vector<std::string>{"a\xFF.", "B\xE2\x82.", "C"}));
    bert::SentenceOptions options;
    options.invalid_utf8 = bert::InvalidUtf8::error;
    expect_error(bert::ErrorKind::format, {"byte 1"}, [&] { (void)bert::split_sentences(text, options); });
}

TEST(Sentences, OfLongTextsTakeLinearTime) {
    std::string text;
    for (int i = 0; i < 20000; ++i) text += "Dr. J. said this. ";
    EXPECT_EQ(split(text).size(), 20000u);
    EXPECT_EQ(split(std::string(200000, '.') + std::string(200000, '\n')).size(), 1u);
    EXPECT_EQ(split("a" + std::string(300000, ' ') + "b.").size(), 1u);
    EXPECT_EQ(split(std::string(300000, 'a') + ". B").size(), 2u);
}

}  // namespace
