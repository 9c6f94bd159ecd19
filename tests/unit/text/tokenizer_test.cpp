// The tokenizer as its users call it: folders, options, windows, padding, invalid UTF-8, errors.
#include <bert/text/tokenizer.hpp>

#include "../test_support.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace std::string_view_literals;
using bert::EncodeOptions;
using bert::Encoding;
using bert::ErrorKind;
using bert::InvalidUtf8;
using bert::OffsetUnit;
using bert::Span;
using bert::TemplatePiece;
using bert::TokenIds;
using bert::Tokenizer;
using bert::TokenizerConfig;
using bert::TokenizerOptions;
using bert_test::expect_error;

namespace {

using Ids = std::vector<std::int32_t>;
using Tokens = std::vector<std::string>;

TokenizerConfig make_config() {
    TokenizerConfig config;
    for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s", "sat", "a", "##a", "é",
                              ",", "漢", "\uFFFD"}) {
        config.vocabulary.push_back({token, static_cast<std::int32_t>(config.vocabulary.size())});
    }
    config.normalizer.clean_text = config.normalizer.handle_chinese_chars = config.normalizer.lowercase = true;
    config.added_tokens = {{"[MASK]", false, true, false, false, true}, {"[SEP]", false, false, false, false, true}};
    const TemplatePiece cls = {TemplatePiece::Kind::special, 0, {2}, {"[CLS]"}};
    const TemplatePiece sep = {TemplatePiece::Kind::special, 0, {3}, {"[SEP]"}};
    const TemplatePiece last_sep = {TemplatePiece::Kind::special, 1, {3}, {"[SEP]"}};
    config.single = {cls, {}, sep};
    config.pair = {cls, {}, sep, {TemplatePiece::Kind::second, 1, {}, {}}, last_sep};
    return config;
}

TEST(Tokenizer, FillsEveryField) {
    const Encoding e = Tokenizer(make_config()).encode("The cats", "[MASK]漢");
    EXPECT_EQ(e.tokens, (Tokens{"[CLS]", "the", "cat", "##s", "[SEP]", "[MASK]", "漢", "[SEP]"}));
    EXPECT_EQ(e.ids, (Ids{2, 5, 6, 7, 3, 4, 13, 3}));
    EXPECT_EQ(e.type_ids, (Ids{0, 0, 0, 0, 0, 1, 1, 1}));
    EXPECT_EQ(e.special_tokens_mask, (std::vector<std::uint8_t>{1, 0, 0, 0, 1, 0, 0, 1}));
    EXPECT_EQ(e.attention_mask, std::vector<std::uint8_t>(8, 1));
    EXPECT_EQ(e.offsets, (std::vector<Span>{{0, 0}, {0, 3}, {4, 7}, {7, 8}, {0, 0}, {0, 6}, {6, 9}, {0, 0}}));
    EXPECT_EQ(e.word_ids, (Ids{-1, 0, 1, 1, -1, 0, 1, -1}));
    EXPECT_EQ(e.sequence_ids, (Ids{-1, 0, 0, 0, -1, 1, 1, -1}));
    EXPECT_FALSE(e.truncated);
    EXPECT_TRUE(e.overflowing.empty());
}

TEST(Tokenizer, CountsOffsetsInBytesOrCharacters) {
    const Tokenizer tokenizer(make_config());
    EncodeOptions options;
    options.add_special_tokens = false;
    EXPECT_EQ(tokenizer.encode("é漢  [MASK]a", options).offsets,
              (std::vector<Span>{{0, 2}, {2, 5}, {5, 13}, {13, 14}}));
    options.offset_unit = OffsetUnit::code_point;
    EXPECT_EQ(tokenizer.encode("é漢  [MASK]a", options).offsets,
              (std::vector<Span>{{0, 1}, {1, 2}, {2, 10}, {10, 11}}));
    EXPECT_EQ(tokenizer.encode("é漢  [MASK]a", options).tokens, (Tokens{"é", "漢", "  [MASK]", "a"}));
}

TEST(Tokenizer, ReadsInvalidUtf8AsReplacementCharacters) {
    TokenizerConfig config = make_config();
    config.normalizer.clean_text = false;
    config.added_tokens.push_back({"\uFFFD"});
    const Tokenizer tokenizer(config);
    EncodeOptions options;
    options.add_special_tokens = false;
    const std::string_view text = "a\xFF cat\xE2\x82,\xF0\x9F\x99"sv;
    const Encoding bytes = tokenizer.encode(text, options);
    EXPECT_EQ(bytes.ids, (Ids{9, 14, 6, 14, 12, 14}));
    EXPECT_EQ(bytes.offsets, (std::vector<Span>{{0, 1}, {1, 2}, {3, 6}, {6, 8}, {8, 9}, {9, 12}}));
    options.offset_unit = OffsetUnit::code_point;
    EXPECT_EQ(tokenizer.encode(text, options).offsets,
              (std::vector<Span>{{0, 1}, {1, 2}, {3, 6}, {6, 7}, {7, 8}, {8, 9}}));
    TokenizerOptions strict;
    strict.invalid_utf8 = InvalidUtf8::error;
    expect_error(ErrorKind::format, {"UTF-8", "byte 1"}, [&] { Tokenizer(config, strict).encode(text); });
}

TEST(Tokenizer, CutsAndReturnsTheRestOnRequest) {
    const Tokenizer tokenizer(make_config());
    EncodeOptions options;
    options.max_length = 4;
    const Encoding cut = tokenizer.encode("the cat sat", options);
    EXPECT_EQ(cut.ids, (Ids{2, 5, 6, 3}));
    EXPECT_TRUE(cut.truncated);
    EXPECT_TRUE(cut.overflowing.empty());
    EXPECT_FALSE(tokenizer.encode("the cat", options).truncated);
    options.overflowing = true;
    options.stride = 1;
    const Encoding windows = tokenizer.encode("the cat sat", options);
    ASSERT_EQ(windows.overflowing.size(), 1u);
    EXPECT_EQ(windows.overflowing[0].ids, (Ids{2, 6, 8, 3}));
    EXPECT_EQ(windows.overflowing[0].word_ids, (Ids{-1, 1, 2, -1}));
    EXPECT_TRUE(windows.overflowing[0].truncated);
}

TEST(Tokenizer, RefusesMoreWindowsThanFitMemory) {
    const Tokenizer tokenizer(make_config());
    std::string text;
    for (int i = 0; i < 20000; ++i) text += "the ";
    EncodeOptions options;
    options.max_length = 20;
    EXPECT_EQ(tokenizer.encode(text, text, options).size(), 20u);
    options.overflowing = true;
    expect_error(ErrorKind::input, {"windows", "2^26"}, [&] { tokenizer.encode(text, text, options); });
    EXPECT_EQ(tokenizer.encode(text, options).overflowing.size(), 1111u);
}

TEST(Tokenizer, PadsOnRequest) {
    const Tokenizer tokenizer(make_config());
    EncodeOptions options;
    options.pad_to = 5;
    const Encoding right = tokenizer.encode("cat", options);
    EXPECT_EQ(right.ids, (Ids{2, 6, 3, 0, 0}));
    EXPECT_EQ(right.attention_mask, (std::vector<std::uint8_t>{1, 1, 1, 0, 0}));
    options.padding_side = bert::Side::left;
    const Encoding left = tokenizer.encode("cat", options);
    EXPECT_EQ(left.tokens, (Tokens{"[PAD]", "[PAD]", "[CLS]", "cat", "[SEP]"}));
    EXPECT_EQ(left.sequence_ids, (Ids{-1, -1, -1, 0, -1}));
    EXPECT_EQ(tokenizer.encode("the the cat cat", options).size(), 6u);

    TokenizerConfig config = make_config();
    config.pad_token = "<none>";
    expect_error(ErrorKind::vocabulary, {"padding", "<none>"}, [&] { Tokenizer(config).encode("cat", options); });
}

TEST(Tokenizer, EncodesIdsAlone) {
    const Tokenizer tokenizer(make_config());
    TokenIds out;
    EncodeOptions options;
    for (const std::size_t max_length : {100u, 6u, 5u, 3u}) {
        options.max_length = max_length;
        options.overflowing = true;
        for (const std::string text : {"the cat sat [MASK] the cat", "", "é"}) {
            const Encoding whole = tokenizer.encode(text);
            const Encoding expected = tokenizer.encode(text, options);
            tokenizer.encode_ids(text, options, out);
            EXPECT_EQ(out.total_tokens, whole.size());
            EXPECT_EQ(out.truncated, expected.truncated);
            ASSERT_EQ(out.window_ends.size(), 1 + expected.overflowing.size());
            std::size_t begin = 0;
            for (std::size_t i = 0; i < out.window_ends.size(); ++i) {
                const Encoding& window = i == 0 ? expected : expected.overflowing[i - 1];
                const auto from = out.ids.begin() + static_cast<std::ptrdiff_t>(begin);
                const auto to = out.ids.begin() + static_cast<std::ptrdiff_t>(out.window_ends[i]);
                EXPECT_EQ(Ids(from, to), window.ids);
                begin = out.window_ends[i];
            }
        }
    }
    options.max_length = 7;
    tokenizer.encode_ids("the cat sat", "the cats", options, out);
    const Encoding pair = tokenizer.encode("the cat sat", "the cats", options);
    EXPECT_EQ(Ids(out.type_ids.begin(), out.type_ids.begin() + 7), pair.type_ids);
    EXPECT_EQ(out.total_tokens, 9u);
    EXPECT_TRUE(out.truncated);
}

TEST(Tokenizer, KnowsItsTokens) {
    const Tokenizer tokenizer(make_config());
    EXPECT_EQ(tokenizer.token_to_id("cat"), 6);
    EXPECT_EQ(tokenizer.id_to_token(6), "cat");
    EXPECT_FALSE(tokenizer.token_to_id("dog").has_value());
    EXPECT_FALSE(tokenizer.id_to_token(-1).has_value());
    EXPECT_FALSE(tokenizer.id_to_token(1 << 30).has_value());
    EXPECT_EQ(tokenizer.vocab_size(), 15u);
    EXPECT_EQ(tokenizer.cls_id(), 2);
    EXPECT_EQ(tokenizer.sep_id(), 3);
    EXPECT_EQ(tokenizer.pad_id(), 0);
    EXPECT_EQ(tokenizer.mask_id(), 4);
    EXPECT_EQ(tokenizer.unk_id(), 1);
    EXPECT_EQ(tokenizer.num_special_tokens(false), 2u);
    EXPECT_EQ(tokenizer.num_special_tokens(true), 3u);
    EXPECT_FALSE(tokenizer.model_max_length().has_value());
}

TEST(Tokenizer, Decodes) {
    const Tokenizer tokenizer(make_config());
    EXPECT_EQ(tokenizer.decode({2, 5, 6, 7, 12, 4, 3, 999, -5}), "[CLS] the cats,");
    EXPECT_EQ(tokenizer.decode({5, 4, 3}, false), "the [MASK] [SEP]");
}

TEST(Tokenizer, LowersFirstOnlyWhereNothingElseDoes) {
    TokenizerConfig config = make_config();
    config.normalizer.lowercase = false;
    TokenizerOptions options;
    EXPECT_EQ(Tokenizer(config, options).encode("CAT").ids, (Ids{2, 1, 3}));
    options.lowercase_first = true;
    EXPECT_EQ(Tokenizer(config, options).encode("CAT").ids, (Ids{2, 6, 3}));
    EXPECT_EQ(Tokenizer(make_config(), options).encode("CAT").ids, (Ids{2, 6, 3}));
}

TEST(Tokenizer, RefusesTemplatesThatDoNotFit) {
    TokenizerConfig config = make_config();
    config.single[0].ids = {77};
    expect_error(ErrorKind::vocabulary, {"[CLS]", "77"}, [&] { Tokenizer{config}; });
    config = make_config();
    config.single[1].kind = TemplatePiece::Kind::second;
    expect_error(ErrorKind::format, {"second text"}, [&] { Tokenizer{config}; });
    config = make_config();
    config.pair[0].tokens.clear();
    expect_error(ErrorKind::format, {"1 ids", "0 tokens"}, [&] { Tokenizer{config}; });
}

TEST(Tokenizer, IsCopiedMovedAndShared) {
    Tokenizer first(make_config());
    const Tokenizer copy = first;
    const Tokenizer moved = std::move(first);
    const Encoding expected = copy.encode("the cat, é 漢 [MASK]");
    EXPECT_EQ(moved.encode("the cat, é 漢 [MASK]").ids, expected.ids);
    std::vector<std::thread> threads;
    std::vector<int> same(4, 0);
    for (std::size_t t = 0; t < same.size(); ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 200; ++i) same[t] += copy.encode("the cat, é 漢 [MASK]").ids == expected.ids;
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(same, std::vector<int>(4, 200));
}

TEST(Tokenizer, EncodesBatches) {
    const Tokenizer tokenizer(make_config());
    EXPECT_TRUE(tokenizer.encode_batch({}).empty());
    const auto batch = tokenizer.encode_batch({"the cat", "", "a"});
    ASSERT_EQ(batch.size(), 3u);
    EXPECT_EQ(batch[0].ids, tokenizer.encode("the cat").ids);
    EXPECT_EQ(batch[1].ids, (Ids{2, 3}));
}

TEST(Tokenizer, EncodesBatchesOnManyThreadsAsOnOne) {
    const Tokenizer tokenizer(make_config());
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < 1000; ++i) {
        texts.emplace_back();
        for (std::size_t n = i % 37; n > 0; --n) texts.back() += (i + n) % 3 == 0 ? "cats, " : "the 漢[MASK] ";
    }
    bert::ThreadPool pool(4);
    EncodeOptions options;
    options.max_length = 20;
    options.overflowing = true;
    const std::vector<Encoding> batch = tokenizer.encode_batch(texts, options, &pool);
    ASSERT_EQ(batch.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const Encoding alone = tokenizer.encode(texts[i], options);
        ASSERT_EQ(batch[i].ids, alone.ids);
        ASSERT_EQ(batch[i].offsets, alone.offsets);
        ASSERT_EQ(batch[i].tokens, alone.tokens);
        ASSERT_EQ(batch[i].overflowing.size(), alone.overflowing.size());
    }
    EXPECT_TRUE(tokenizer.encode_batch({}, options, &pool).empty());
    options.max_length = 1;  // two special tokens do not fit
    expect_error(ErrorKind::input, {"max_length 1"}, [&] { tokenizer.encode_batch(texts, options, &pool); });
}

TEST(Tokenizer, EncodesPairsOnManyThreadsAsOnOne) {
    const Tokenizer tokenizer(make_config());
    std::vector<std::pair<std::string, std::string>> pairs;
    for (std::size_t i = 0; i < 500; ++i) {
        auto& [first, second] = pairs.emplace_back();
        for (std::size_t n = i % 23; n > 0; --n) first += (i + n) % 3 == 0 ? "cats, " : "the 漢[MASK] ";
        for (std::size_t n = i % 19; n > 0; --n) second += (i * n) % 2 == 0 ? "sat a " : "É the";
    }
    EncodeOptions options;
    options.max_length = 24;
    options.overflowing = true;
    bert::ThreadPool pool(4);
    for (bert::ThreadPool* threads : {static_cast<bert::ThreadPool*>(nullptr), &pool}) {
        const std::vector<Encoding> batch = tokenizer.encode_pairs(pairs, options, threads);
        ASSERT_EQ(batch.size(), pairs.size());
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            const Encoding alone = tokenizer.encode(pairs[i].first, pairs[i].second, options);
            ASSERT_EQ(batch[i].ids, alone.ids);
            ASSERT_EQ(batch[i].type_ids, alone.type_ids);
            ASSERT_EQ(batch[i].offsets, alone.offsets);
            ASSERT_EQ(batch[i].sequence_ids, alone.sequence_ids);
            ASSERT_EQ(batch[i].overflowing.size(), alone.overflowing.size());
        }
    }
    EXPECT_EQ(tokenizer.encode_pairs({{"the", "cat"}, {"a", ""}})[1].ids, (Ids{2, 9, 3, 3}));
    EXPECT_TRUE(tokenizer.encode_pairs({}, options, &pool).empty());
    options.max_length = 2;  // three special tokens do not fit
    expect_error(ErrorKind::input, {"max_length 2"}, [&] { tokenizer.encode_pairs(pairs, options, &pool); });
}

// Any bytes are a text: ids are those of the repaired text, and offsets stay within the caller's bytes.
TEST(Tokenizer, TakesAnyBytes) {
    TokenizerConfig config = make_config();
    config.normalizer.decompose = true;
    config.added_tokens.push_back({"\uFFFDa", true, true, true, false, false});
    config.added_tokens.push_back({"É", false, false, true, true, false});
    const Tokenizer tokenizer(config);
    const std::string_view units[] = {"a",  "\xFF", "\xC3", "\x89",  "\xE6\xBC", "\xA2", "\xF0\x9F", "é",   "\u0323",
                                      "É ", " ",    "[",    "MASK]", "[MASK]",   "漢",   ",",        "\0"sv};
    bert_test::Random random(5);
    for (int i = 0; i < 20000; ++i) {
        std::string text;
        for (std::size_t n = random.below(12); n > 0; --n) text += units[random.below(std::size(units))];
        const Encoding encoding = tokenizer.encode(text);
        const bert::detail::ValidText repaired(text, InvalidUtf8::replace);
        ASSERT_EQ(encoding.ids, tokenizer.encode(repaired.view()).ids);
        for (const Span& span : encoding.offsets) ASSERT_TRUE(span.begin <= span.end && span.end <= text.size());
    }
}

TEST(Tokenizer, RefusesTextsWhosePositionsDoNotFit) {
    const Tokenizer tokenizer(make_config());
    const char byte = 'a';
    for (const std::size_t size : {std::size_t{1} << 31, std::size_t{1} << 32, std::size_t{1} << 40}) {
        const std::string_view text(&byte, size);  // the size is looked at before the bytes are
        TokenIds ids;
        expect_error(ErrorKind::input, {std::to_string(size)}, [&] { tokenizer.encode(text); });
        expect_error(ErrorKind::input, {std::to_string(size)}, [&] { tokenizer.encode("a", text); });
        expect_error(ErrorKind::input, {std::to_string(size)}, [&] { tokenizer.encode_ids(text, {}, ids); });
    }
}

// Words of ASCII take a short cut. A normalized added token, even one that no text holds, closes it.
TEST(Tokenizer, TakesShortCutsToTheSameResult) {
    TokenizerConfig config = make_config();
    const std::string letters = "abcdeABCDE019";
    bert_test::Random random(6);
    const auto random_word = [&](std::size_t longest) {
        std::string word;
        for (std::size_t n = 1 + random.below(longest); n > 0; --n) word += letters[random.below(letters.size())];
        return word;
    };
    const auto add = [&](const std::string& token) {
        for (const auto& entry : config.vocabulary) {
            if (entry.token == token) return;
        }
        config.vocabulary.push_back({token, static_cast<std::int32_t>(config.vocabulary.size())});
    };
    for (const char c : std::string_view("bcdeABCDE019.-")) add(std::string(1, c));
    for (const char c : std::string_view("bcdeABCD019")) add("##" + std::string(1, c));  // without E
    for (int i = 0; i < 400; ++i) add((i % 4 == 0 ? "##" : "") + random_word(i % 3 == 0 ? 14 : 4));
    add("\t");
    add("a\x01");
    for (int flags = 0; flags < 8; ++flags) {
        config.normalizer.clean_text = flags & 1;
        config.normalizer.lowercase = flags & 2;
        config.normalizer.decompose = config.normalizer.strip_nonspacing_marks = flags & 4;
        const Tokenizer tokenizer(config);
        TokenizerConfig general_config = config;
        general_config.added_tokens.push_back({"<none>", false, false, false, true, false});
        const Tokenizer general(general_config);
        const std::string_view between[] = {" ",    " ",    "  ", ".",      "-",  "",      "\t",
                                            "\x01", "\0"sv, "é",  "\u0301", "漢", "[SEP]", "?"};
        for (int i = 0; i < 3000; ++i) {
            std::string text;
            for (std::size_t n = random.below(40); n > 0; --n) {
                text += random_word(random.below(3) == 0 ? 20 : 5);
                text += between[random.below(std::size(between))];
            }
            const Encoding a = tokenizer.encode(text), b = general.encode(text);
            ASSERT_EQ(a.ids, b.ids) << text;
            ASSERT_EQ(a.offsets, b.offsets) << text;
            ASSERT_EQ(a.word_ids, b.word_ids) << text;
            TokenIds ids;
            tokenizer.encode_ids(text, {}, ids);
            ASSERT_EQ(ids.ids, a.ids) << text;
        }
    }
}

// Texts made to be slow: time and memory must stay linear. A quadratic step would take hours here.
TEST(Tokenizer, RefusesTextsInWhichAddedTokensOverlapWithoutBound) {
    TokenizerConfig config = make_config();
    config.added_tokens.push_back({" ", false, false, true, false, false});
    const Tokenizer tokenizer(std::move(config));
    EXPECT_EQ(tokenizer.encode("a   a").tokens, (Tokens{"[CLS]", "a", "   ", "  ", " ", "a", "[SEP]"}));
    const std::string text = "a" + std::string(20'000, ' ') + "a";
    expect_error(ErrorKind::input, {"overlap", "20002"}, [&] { (void)tokenizer.encode(text); });
    bert::TokenIds ids;
    tokenizer.encode_ids(text, {}, ids);
    EXPECT_EQ(ids.ids.size(), 20'004u);
}

TEST(Tokenizer, StaysLinearOnHostileTexts) {
    TokenizerConfig config = make_config();
    config.normalizer.decompose = config.normalizer.strip_nonspacing_marks = true;
    config.added_tokens.push_back({"    ", true, true, true, false, false});
    config.added_tokens.push_back({" b", false, true, false, true, false});
    const Tokenizer tokenizer(config);
    constexpr std::size_t size = std::size_t{1} << 20;
    const auto count = [&](std::string_view unit) {
        std::string text;
        while (text.size() < size) text += unit;
        TokenIds out;
        tokenizer.encode_ids(text, EncodeOptions{}, out);
        return out.total_tokens - 2;
    };
    EXPECT_EQ(count("a"), 1u);
    EXPECT_EQ(count("é"), 1u);
    EXPECT_EQ(count("\u0301\u0323"), 0u);
    EXPECT_EQ(count("\u302E\u0301\u0323"), 1u);
    EXPECT_EQ(count(" "), 1u);
    EXPECT_EQ(count("["), size);
    EXPECT_EQ(count("[MASK"), 2 * ((size + 4) / 5));
    EXPECT_EQ(count("\x01"), 0u);
    EXPECT_EQ(count("漢"), (size + 2) / 3);
    EXPECT_EQ(count("\xFF"), 0u);
}

}  // namespace
