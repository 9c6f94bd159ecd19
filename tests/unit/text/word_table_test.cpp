// The table of short words against a map, and the scan of ASCII words against a plain loop.
#include <bert/text/word_table.hpp>

#include "../test_support.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

using bert::detail::AsciiWord;
using bert::detail::ShortWord;
using bert::detail::WordTable;

namespace {

ShortWord short_word(const std::string& word) {
    std::string padded = word;
    padded.resize(16, 'x');  // what lies behind the word must not count
    return ShortWord::load(padded.data(), word.size());
}

TEST(WordTable, FindsWhatItHoldsAndNothingElse) {
    bert_test::Random random(3);
    const auto random_word = [&] {
        std::string word;
        // Few letters, so that words share beginnings; NUL, because it is also what words are padded with.
        for (std::size_t n = 1 + random.below(11); n > 0; --n) word += "ab\0z"[random.below(4)];
        return word;
    };
    std::map<std::string, std::int32_t> words;
    while (words.size() < 20'000) words.emplace(random_word(), static_cast<std::int32_t>(words.size()));
    WordTable table(words.size());
    for (const auto& [word, value] : words) table.insert(word, value);
    std::size_t found = 0;
    for (const auto& [word, value] : words) {
        const std::int32_t answer = table.find(short_word(word));
        if (answer < 0) continue;
        ASSERT_EQ(answer, value);
        ++found;
    }
    EXPECT_GT(found, words.size() * 9 / 10);
    for (int i = 0; i < 100'000; ++i) {
        const std::string word = random_word();
        if (words.find(word) != words.end()) continue;
        ASSERT_EQ(table.find(short_word(word)), -1);
    }
}

TEST(WordTable, PassesOverWordsThatAreNotShort) {
    const std::string eleven = "abcdefghijk", twelve = "abcdefghijkl";
    WordTable table(3);
    table.insert("", 0);
    table.insert(eleven, 1);
    table.insert(twelve, 2);
    EXPECT_EQ(table.find(short_word(eleven)), 1);
    EXPECT_EQ(table.find(short_word("")), -1);
    EXPECT_EQ(WordTable().find(short_word("a")), -1);
}

TEST(WordTable, KeepsTheFirstWordsWhereThereIsNoRoom) {
    std::vector<std::string> words;
    for (int i = 0; i < 50'000; ++i) words.push_back("w" + std::to_string(i));
    WordTable table(words.size());
    for (std::size_t i = 0; i < words.size(); ++i) table.insert(words[i], static_cast<std::int32_t>(i));
    std::size_t missing_of_first = 0, missing_of_last = 0;
    for (std::size_t i = 0; i < 10'000; ++i) {
        missing_of_first += table.find(short_word(words[i])) < 0;
        missing_of_last += table.find(short_word(words[40'000 + i])) < 0;
    }
    EXPECT_LT(missing_of_first, 20u);
    EXPECT_LT(missing_of_last, 2'000u);
}

TEST(AsciiWord, FindsTheEndOfAWordAndLowersIt) {
    bert_test::Random random(4);
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    for (int i = 0; i < 200'000; ++i) {
        char text[16];
        const std::size_t change = random.below(17);
        for (std::size_t k = 0; k < 16; ++k) {
            text[k] = k == change ? static_cast<char>(random.below(256)) : "azAZ09mQ"[random.below(8)];
        }
        std::uint64_t halves[2];
        std::memcpy(halves, text, sizeof halves);
        for (const bool lowercase : {false, true}) {
            const AsciiWord word = AsciiWord::scan(halves[0], halves[1], lowercase);
            std::size_t size = 0;
            while (size < 16 && (is_letter(text[size]) || (text[size] >= '0' && text[size] <= '9'))) ++size;
            ASSERT_EQ(word.size, size);
            std::string expected(text, size);
            for (char& c : expected) {
                if (lowercase && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
            }
            char bytes[16];
            std::memcpy(bytes, &word.first, 8);
            std::memcpy(bytes + 8, &word.second, 8);
            ASSERT_EQ(std::string(bytes, size), expected);
        }
    }
}

}  // namespace
