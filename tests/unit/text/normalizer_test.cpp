// The steps of BertNormalizer, and which source bytes each character comes from.
#include <bert/text/normalizer.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

using bert::NormalizerConfig;
using bert::detail::Normalizer;
using bert::detail::Range;

namespace {

struct Normalized {
    std::string text;
    std::vector<std::string> origins;  // "begin-end" of each character
};

Normalized normalize(const NormalizerConfig& config, const std::string& text) {
    Normalized result;
    Normalizer::State state;
    Normalizer(config).run(text, 0, text.size(), state, [&](char32_t code, std::uint8_t, Range origin) {
        char bytes[4];
        result.text.append(bytes, bert::detail::encode_utf8(code, bytes));
        result.origins.push_back(std::to_string(origin.begin) + "-" + std::to_string(origin.end));
    });
    return result;
}

using Origins = std::vector<std::string>;

TEST(Normalizer, DoesNothingByDefault) {
    EXPECT_EQ(normalize({}, "A\té\u0301漢\x01 İ").text, "A\té\u0301漢\x01 İ");
}

TEST(Normalizer, CleansText) {
    NormalizerConfig config;
    config.clean_text = true;
    const Normalized result = normalize(config, std::string("a\0b\t\u200Bc\u3000\uFFFD", 14));
    EXPECT_EQ(result.text, "ab c ");
    EXPECT_EQ(result.origins, (Origins{"0-1", "2-3", "3-4", "7-8", "8-11"}));
}

TEST(Normalizer, PutsSpacesAroundChineseCharacters) {
    NormalizerConfig config;
    config.handle_chinese_chars = true;
    const Normalized result = normalize(config, "a漢b");
    EXPECT_EQ(result.text, "a 漢 b");
    EXPECT_EQ(result.origins, (Origins{"0-1", "1-4", "1-4", "1-4", "4-5"}));
}

TEST(Normalizer, OriginsKeepTheOrderOfTheTextWhenMarksAreSorted) {
    NormalizerConfig config;
    config.decompose = true;
    // The dot below (class 220) passes the acute (230), yet the first mark is said to come from the first place.
    const Normalized sorted = normalize(config, "e\u0301\u0323x");
    EXPECT_EQ(sorted.text, "e\u0323\u0301x");
    EXPECT_EQ(sorted.origins, (Origins{"0-1", "1-3", "3-5", "5-6"}));
    // The acute of é takes no place of its own and so follows the dot below to the place that one took.
    const Normalized composed = normalize(config, "é\u0323x");
    EXPECT_EQ(composed.text, "e\u0323\u0301x");
    EXPECT_EQ(composed.origins, (Origins{"0-2", "2-4", "2-4", "4-5"}));
}

TEST(Normalizer, StripsMarksAndLowers) {
    NormalizerConfig config;
    config.decompose = config.strip_nonspacing_marks = config.lowercase = true;
    EXPECT_EQ(normalize(config, "ÉCOLE İ Å\u0323").text, "ecole i a");
    config.decompose = config.strip_nonspacing_marks = false;
    const Normalized kept = normalize(config, "Éİ");
    EXPECT_EQ(kept.text, "éi\u0307");
    EXPECT_EQ(kept.origins, (Origins{"0-2", "2-4", "2-4"}));
}

TEST(Normalizer, StripAccentsAlsoTakesSpacingMarks) {
    NormalizerConfig nonspacing, all;
    nonspacing.strip_nonspacing_marks = all.strip_marks = true;
    EXPECT_EQ(normalize(nonspacing, "ह\u093Fe\u0301").text, "ह\u093Fe");
    EXPECT_EQ(normalize(all, "ह\u093Fe\u0301").text, "हe");
}

TEST(Normalizer, LowersFirst) {
    NormalizerConfig config;
    config.lowercase_first = config.decompose = true;
    EXPECT_EQ(normalize(config, "İÉ").text, "i\u0307e\u0301");
}

// A text that is one run of marks must not cost more than sorting it once.
TEST(Normalizer, SortsLongRunsOfMarks) {
    NormalizerConfig config;
    config.decompose = true;
    std::mt19937 random(1);
    std::string text = "a", below, above;
    for (int i = 0; i < 200000; ++i) {
        const bool is_below = random() % 2 == 0;
        text += is_below ? "\u0323" : "\u0301";
        (is_below ? below : above) += is_below ? "\u0323" : "\u0301";
    }
    EXPECT_EQ(normalize(config, text).text, "a" + below + above);
}

}  // namespace
