// Longest prefixes in a set of strings.
#include <bert/text/trie.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

using bert::detail::Trie;

namespace {

Trie make_trie(const std::map<std::string, std::int32_t>& keys) {
    std::vector<Trie::Entry> entries;
    for (const auto& [key, value] : keys) entries.push_back({key, value});
    return Trie(entries);
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

TEST(Trie, WalksFromAnyState) {
    const Trie trie = make_trie({{"##", 0}, {"##a", 1}, {"##ab", 2}});
    const Trie::State behind_prefix = trie.walk("##");
    EXPECT_EQ(trie.longest_match("abc", behind_prefix).value, 2);
    EXPECT_EQ(trie.longest_match("x", behind_prefix).value, -1);  // the state itself is no match
    EXPECT_EQ(trie.walk("#x"), Trie::none);
}

TEST(Trie, HoldsNothingWhenEmpty) {
    const Trie trie;
    for (int byte = 0; byte < 256; ++byte) EXPECT_EQ(trie.longest_match(std::string(1, char(byte))).value, -1);
    EXPECT_EQ(make_trie({{"", 5}}).longest_match("a").value, -1);
}

TEST(Trie, AgreesWithASortedMapOnRandomKeys) {
    std::mt19937 random(3);
    for (const unsigned alphabet : {2u, 7u, 256u}) {
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
