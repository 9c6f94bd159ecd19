// Every code point of Unicode through the tokenizer, in several contexts, against hashes of the reference's results.
#include <bert/text/tokenizer.hpp>

#include "../test_support.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using bert::Encoding;
using bert::Tokenizer;
using bert::TokenizerConfig;

namespace {

constexpr char32_t block_size = 256;

/// The finalizer of SplitMix64.
std::uint64_t mix(std::uint64_t value) {
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

/// The hash of ids, offsets and word ids that make_tokenizer_cases.py computes from the reference's.
std::uint64_t hash(const Encoding& encoding) {
    std::uint64_t sum = 0, place = 0;
    const auto add = [&](std::uint64_t value) { sum += mix(value + (place += 0x9E3779B97F4A7C15u)); };
    for (std::size_t i = 0; i < encoding.size(); ++i) {
        add(static_cast<std::uint64_t>(encoding.ids[i]));
        add(encoding.offsets[i].begin);
        add(encoding.offsets[i].end);
        add(static_cast<std::uint64_t>(encoding.word_ids[i]));
    }
    return sum;
}

std::string utf8(char32_t code) {
    char bytes[4];
    return std::string(bytes, bert::detail::encode_utf8(code, bytes));
}

bool is_surrogate(char32_t code) {
    return code >= 0xD800 && code <= 0xDFFF;
}

/// Every character of a block alone, within a word, before marks, and between marks and decomposing characters.
std::string sweep_text(char32_t start, bool added) {
    std::string text;
    for (char32_t code = start; code < start + block_size; ++code) {
        if (is_surrogate(code)) continue;
        const std::string c = utf8(code);
        if (added) text += c + "TOK" + c + " " + c + "LST RST" + c + " ";
        else text += c + " a" + c + "b " + c + "\u0301\u0323c e\u0344" + c + "\u0323d ";
    }
    return text;
}

struct Configuration {
    std::string name;
    bert::NormalizerConfig normalizer;
    bool added = false;       // with added tokens next to each character
    bool all_planes = false;  // not only those with assigned characters
};

std::vector<Configuration> configurations() {
    std::vector<Configuration> result;
    for (int flags = 0; flags < 16; ++flags) {
        const auto digit = [flags](int bit) { return std::to_string(flags >> bit & 1); };
        Configuration& configuration = result.emplace_back();
        configuration.name = "clean_text " + digit(3) + ", handle_chinese_chars " + digit(2) + ", strip_accents " +
                             digit(1) + ", lowercase " + digit(0);
        configuration.normalizer.clean_text = flags & 8;
        configuration.normalizer.handle_chinese_chars = flags & 4;
        configuration.normalizer.decompose = configuration.normalizer.strip_nonspacing_marks = flags & 2;
        configuration.normalizer.lowercase = flags & 1;
        configuration.all_planes = flags == 0b1111 || flags == 0b1100;
    }
    Configuration& all_marks = result.emplace_back();
    all_marks.name = "lowercase_first, decompose, strip_marks";
    all_marks.normalizer.lowercase_first = all_marks.normalizer.decompose = all_marks.normalizer.strip_marks = true;
    result.push_back({"added tokens", {}, true, false});
    return result;
}

/// A tokenizer with a vocabulary of characters, so that ids tell the normalized text.
Tokenizer make_tokenizer(const Configuration& configuration) {
    TokenizerConfig config;
    config.vocabulary.push_back({"[UNK]", 0});
    for (const char32_t plane : {0u, 1u, 2u, 14u}) {
        for (char32_t code = plane << 16; code < (plane + 1) << 16; ++code) {
            if (!is_surrogate(code)) config.vocabulary.push_back({utf8(code), static_cast<std::int32_t>(code) + 1});
        }
    }
    config.continuing_subword_prefix = "";
    config.pair = config.single = {bert::TemplatePiece{}};
    config.normalizer = configuration.normalizer;
    if (configuration.added) config.added_tokens = {{"TOK", true}, {"LST", false, true}, {"RST", false, false, true}};
    return Tokenizer(std::move(config));
}

// All of Unicode, in several contexts, under every combination of flags.
TEST(TokenizerSweep, EveryCharacterIsTreatedAsByTheReference) {
    const auto expected = bert_test::read_json(bert_test::data_dir() / "tokenizer" / "sweep.json");
    std::vector<std::uint64_t> blocks(0x110000 / block_size, 0);
    std::string failed_configurations, failed_blocks;
    const auto hex = [](std::uint64_t value) {
        std::string digits(16, '0');
        for (std::size_t i = 16; i-- > 0; value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
        return digits;
    };
    for (const Configuration& configuration : configurations()) {
        const Tokenizer tokenizer = make_tokenizer(configuration);
        std::uint64_t total = 0;
        for (std::size_t block = 0; block < blocks.size(); ++block) {
            const auto start = static_cast<char32_t>(block * block_size);
            const char32_t plane = start >> 16;
            if (plane > 3 && plane != 14 && !configuration.all_planes) continue;
            const std::uint64_t value = hash(tokenizer.encode(sweep_text(start, configuration.added)));
            blocks[block] = mix(blocks[block] ^ value);
            total = mix(total ^ value);
        }
        if (expected["configurations"][configuration.name] != hex(total)) {
            failed_configurations += "\n  " + configuration.name;
        }
    }
    ASSERT_EQ(expected["blocks"].size(), blocks.size());
    for (std::size_t block = 0; block < blocks.size(); ++block) {
        if (expected["blocks"][block] != hex(blocks[block])) {
            failed_blocks += " U+" + hex(block * block_size).substr(10);
        }
    }
    EXPECT_EQ(failed_configurations, "");
    EXPECT_EQ(failed_blocks, "") << "blocks of 256 characters in which some configuration differs";
}

}  // namespace
