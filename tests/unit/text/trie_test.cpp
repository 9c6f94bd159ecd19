// Longest prefixes in a set of strings.
#include <bert/text/trie.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>

using bert::detail::Trie;

namespace {

Trie make_trie(const std::map<std::string, std::int32_t>& keys) {
    Trie::Builder builder(keys.size());
    for (const auto& [key, value] : keys) builder.add(key, value);
    return builder.finish();
}

TEST(Trie, FindsTheLongestKeyThatBeginsAText) {
    const Trie trie = make_trie({{"a", 1}, {"abc", 2}, {"b", 3}, {"\xFF\x00z", 4}});
    EXPECT_EQ(trie.longest_match("abcd").value, 2);
    EXPECT_EQ(trie.longest_match("abcd").size, 3u);
    EXPECT_EQ(trie.longest_match("abd").value, 1);
    EXPECT_EQ(trie.longest_match("abd").size, 1u);
    EXPECT_EQ(trie.longest_match("b").value, 3);
    EXPECT_EQ(trie.longest_match("c").value, -1);
    EXPECT_EQ(trie.longest_match("").value, -1);
}

TEST(Trie, ComparesWhatIsLeftOfAKey) {
    std::string longest = "b";
    for (int i = 0; i < 1000; ++i) longest += static_cast<char>('a' + i % 26);
    const Trie trie = make_trie({{"ab", 0}, {"abcdef", 1}, {"abxyz", 2}, {longest, 3}, {"c", 4}});
    EXPECT_EQ(trie.longest_match("abcdefg").value, 1);
    EXPECT_EQ(trie.longest_match("abcdefg").size, 6u);
    for (const char* text : {"ab", "abc", "abcde", "abcdeg", "abx", "abxyy"}) {
        EXPECT_EQ(trie.longest_match(text).value, 0) << text;
        EXPECT_EQ(trie.longest_match(text).size, 2u) << text;
    }
    EXPECT_EQ(trie.longest_match("cd").value, 4);
    EXPECT_EQ(trie.longest_match(longest + "z").size, longest.size());
    for (std::size_t i = 0; i < longest.size(); ++i) {
        EXPECT_EQ(trie.longest_match(longest.substr(0, i)).value, -1);
        std::string other = longest;
        other[i] = '.';
        EXPECT_EQ(trie.longest_match(other).value, -1);
    }
}

TEST(Trie, HoldsNothingWhenEmpty) {
    const Trie trie;
    for (int byte = 0; byte < 256; ++byte) EXPECT_EQ(trie.longest_match(std::string(1, char(byte))).value, -1);
    EXPECT_EQ(make_trie({{"", 5}}).longest_match("a").value, -1);
}

TEST(Trie, AgreesWithASortedMapOnRandomKeys) {
    std::mt19937 random(3);
    for (const unsigned alphabet : {2u, 7u, 8u, 9u, 256u}) {
        const auto word = [&](std::size_t longest) {
            std::string text(1 + random() % longest, '\0');
            for (char& c : text) c = static_cast<char>(random() % alphabet);
            return text;
        };
        std::map<std::string, std::int32_t> keys;
        while (keys.size() < (alphabet == 2 ? 400u : 5000u)) {
            keys.emplace(word(10), static_cast<std::int32_t>(keys.size()));
        }
        const Trie trie = make_trie(keys);
        for (const auto& [key, value] : keys) ASSERT_EQ(trie.longest_match(key).value, value);
        for (int i = 0; i < 5000; ++i) {
            const std::string text = word(14);
            std::int32_t value = -1;
            std::size_t size = 0;
            for (std::size_t n = 1; n <= text.size(); ++n) {
                const auto found = keys.find(text.substr(0, n));
                if (found != keys.end()) value = found->second, size = n;
            }
            ASSERT_EQ(trie.longest_match(text).value, value);
            ASSERT_EQ(trie.longest_match(text).size, size);
        }
    }
}

}  // namespace
