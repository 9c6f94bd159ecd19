// SentenceEncoder's options, long texts, company, threads and callbacks: what does not need a reference to check.
#include "../test_support.hpp"

#include <bert/tasks/sentence_encoder.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace bert_test;
using bert::ErrorKind;
using bert::Index;
using bert::LongText;

std::vector<std::string> golden_texts() {
    return read_json(sentence_models() / "texts.json").get<std::vector<std::string>>();
}

/// `count` words of the tiny vocabulary, one token each.
std::string words(std::size_t count) {
    const char* const vocabulary[] = {"the", "cat", "dog", "sat", "on", "mat", "bank", "river", "money", "search"};
    Random random(static_cast<std::uint32_t>(count));
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += std::string(i ? " " : "") + vocabulary[random.below(10)];
    return text;
}

/// The variant "mean_normalize_without_folder": mean pooling, Normalize, 24 dimensions, 40 positions.
class Options : public testing::Test {
protected:
    Options() { assemble_sentence_model("mean_normalize_without_folder", folder_.path()); }

    bert::SentenceEncoder open(const bert::SentenceEncoderOptions& options = {}) const {
        return bert::SentenceEncoder(folder_.path(), options);
    }

    void expect_refused(ErrorKind kind, const std::vector<std::string>& message,
                        const bert::SentenceEncoderOptions& options) const {
        expect_error(kind, message, [&] { (void)open(options); });
    }

    TempFolder folder_;
    std::vector<std::string> texts_ = golden_texts();
};

// ------------------------------------------------------------------------------------------------- options of opening

TEST_F(Options, EveryRowHasUnitLengthUnlessNormalizeIsOff) {
    const bert::Matrix unit = open().encode(texts_);
    bert::SentenceEncoderOptions options;
    options.normalize = false;
    const bert::Matrix raw = open(options).encode(texts_);
    for (Index row = 0; row < unit.rows(); ++row) {
        EXPECT_NEAR(unit.row(row).norm(), 1.0f, 1e-6f);
        EXPECT_GT(std::abs(raw.row(row).norm() - 1.0f), 1e-2f);
        EXPECT_LE(max_difference(raw.row(row).normalized(), unit.row(row)), 1e-6);
    }
}

TEST_F(Options, PoolingReplacesTheFoldersOwn) {
    bert::SentenceEncoderOptions options;
    options.normalize = false;
    options.pooling = bert::PoolingMode::cls;
    const bert::SentenceEncoder encoder = open(options);
    const std::string text = "The cat sat.";
    const auto hidden = encoder.model().forward(encoder.tokenizer().encode(text)).last_hidden_state;
    EXPECT_LE(max_difference(encoder.encode({text}), hidden.topRows(1)), 0.0);
    options.pooling = bert::PoolingMode::last_token;
    EXPECT_LE(max_difference(open(options).encode({text}), hidden.bottomRows(1)), 0.0);
    options.pooling = bert::PoolingMode::max;
    EXPECT_LE(max_difference(open(options).encode({text}), hidden.colwise().maxCoeff()), 0.0);
}

TEST_F(Options, TruncateDimKeepsTheFirstDimensions) {
    const bert::Matrix whole = open().encode(texts_);
    bert::SentenceEncoderOptions options;
    options.truncate_dim = 5;
    const bert::SentenceEncoder encoder = open(options);
    EXPECT_EQ(encoder.dimension(), 5);
    const bert::Matrix first = whole.leftCols(5);
    EXPECT_TRUE(same_bits(encoder.encode(texts_), first));
    options.truncate_dim = 1000;
    EXPECT_EQ(open(options).dimension(), 24);
    EXPECT_TRUE(same_bits(open(options).encode(texts_), whole));
    for (const Index bad : {Index{0}, Index{-3}}) {
        options.truncate_dim = bad;
        expect_refused(ErrorKind::input, {"truncate_dim", std::to_string(bad)}, options);
    }
}

TEST_F(Options, MaxSeqLengthWithinTheModelsPositions) {
    bert::SentenceEncoderOptions options;
    options.max_seq_length = 7;
    const bert::SentenceEncoder encoder = open(options);
    EXPECT_EQ(encoder.max_seq_length(), 7u);
    const auto result = encoder.embed({words(5), words(6), words(100)});
    for (const auto& text : result.texts) EXPECT_EQ(text.tokens, 7u);
    EXPECT_FALSE(result.texts[0].truncated);
    EXPECT_TRUE(result.texts[1].truncated);
    EXPECT_TRUE(result.texts[2].truncated);
    options.max_seq_length = 3;
    EXPECT_EQ(open(options).embed({words(9)}).texts[0].tokens, 3u);
    options.max_seq_length = 40;
    EXPECT_EQ(open(options).embed({words(99)}).texts[0].tokens, 40u);
    options.max_seq_length = 41;
    expect_refused(ErrorKind::input, {"max_seq_length", "40", "41"}, options);
    for (const std::size_t tight : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
        options.max_seq_length = tight;
        expect_refused(ErrorKind::input, {"max_seq_length", std::to_string(tight)}, options);
    }
}

TEST_F(Options, ThreadsAndMemoryMapDoNotChangeABit) {
    const bert::Matrix expected = open().encode(texts_);
    for (const unsigned threads : {1u, 2u, 7u}) {
        bert::SentenceEncoderOptions options;
        options.threads = threads;
        options.load.memory_map = threads == 2;
        const bert::SentenceEncoder encoder = open(options);
        EXPECT_EQ(encoder.threads(), threads);
        for (int round = 0; round < 3; ++round) EXPECT_TRUE(same_bits(encoder.encode(texts_), expected));
    }
}

TEST_F(Options, AnExecutorTakesThePlaceOfThreads) {
    std::size_t runs = 0;
    bert::SentenceEncoderOptions options;
    options.threads = 7;
    options.executor = bert::Executor{3, [&runs](std::size_t copies, const std::function<void()>& job) {
                                          ++runs;
                                          std::vector<std::thread> threads;
                                          for (std::size_t i = 0; i < copies; ++i) threads.emplace_back(job);
                                          for (auto& thread : threads) thread.join();
                                      }};
    const bert::SentenceEncoder encoder = open(options);
    EXPECT_EQ(encoder.threads(), 3u);
    EXPECT_TRUE(same_bits(encoder.encode(texts_), open().encode(texts_)));
    EXPECT_GT(runs, 0u);
    options.executor = bert::Executor{};
    expect_refused(ErrorKind::input, {"Executor", "run"}, options);
}

TEST_F(Options, InvalidUtf8IsReplacedOrRefused) {
    const std::string broken = "the \xff cat \xe2\x82";
    EXPECT_TRUE(same_bits(open().encode({broken}), open().encode({"the \xef\xbf\xbd cat \xef\xbf\xbd"})));
    bert::SentenceEncoderOptions options;
    options.invalid_utf8 = bert::InvalidUtf8::error;
    const bert::SentenceEncoder strict = open(options);
    expect_error(ErrorKind::format, {"UTF-8"}, [&] { (void)strict.encode({"fine", broken}); });
    EXPECT_EQ(strict.encode({"fine"}).rows(), 1);
}

TEST_F(Options, AnEncoderCanBeMoved) {
    bert::SentenceEncoder first = open();
    const bert::Matrix expected = first.encode(texts_);
    const bert::SentenceEncoder second = std::move(first);
    EXPECT_TRUE(same_bits(second.encode(texts_), expected));
}

// ------------------------------------------------------------------------------------------------------------ prompts

TEST(Prompts, UnknownNameIsAnErrorThatListsTheKnown) {
    const TempFolder folder;
    assemble_sentence_model("prompts", folder.path());
    const bert::SentenceEncoder encoder(folder.path());
    bert::EmbedOptions options;
    options.prompt_name = "nonsense";
    expect_error(ErrorKind::input, {"nonsense", "document", "other", "query"},
                 [&] { (void)encoder.encode({"text"}, options); });
    options.prompt = "";  // a prompt given in full needs no name
    EXPECT_TRUE(same_bits(encoder.encode({"the cat"}, options), encoder.encode({"the cat"})));
}

TEST(Prompts, AreTextInFront) {
    const TempFolder folder;
    assemble_sentence_model("prompts", folder.path());
    const bert::SentenceEncoder encoder(folder.path());
    EXPECT_TRUE(same_bits(encoder.encode_query({"cat", "dog"}), encoder.encode({"query: cat", "query: dog"})));
}

// --------------------------------------------------------------------------------------------------------- long texts

TEST_F(Options, LongTextAsErrorNamesTheTextAndItsLength) {
    const bert::SentenceEncoder encoder = open();
    bert::EmbedOptions options;
    options.long_text = LongText::error;
    EXPECT_EQ(encoder.encode({words(38)}, options).rows(), 1);
    expect_error(ErrorKind::input, {"text 1", "41", "40"}, [&] {
        (void)encoder.encode({words(38), words(39)}, options);
    });
    EXPECT_TRUE(same_bits(encoder.encode({words(38)}, options), encoder.encode({words(38)})));
}

TEST_F(Options, TruncationKeepsTheBeginning) {
    const bert::SentenceEncoder encoder = open();
    const std::string start = words(38);
    const auto result = encoder.embed({start + " river of money", start + " cat on the mat", start});
    EXPECT_TRUE(result.texts[0].truncated);
    EXPECT_TRUE(result.texts[1].truncated);
    EXPECT_FALSE(result.texts[2].truncated);
    const bert::Matrix last = result.embeddings.row(2);
    for (Index row = 0; row < 2; ++row) EXPECT_TRUE(same_bits<float>(result.embeddings.row(row), last));
}

TEST_F(Options, AverageWindowsIsTheTokenWeightedAverageOfTheWindows) {
    bert::SentenceEncoderOptions options;
    options.normalize = false;
    const bert::SentenceEncoder encoder = open(options);
    bert::EmbedOptions averaged;
    averaged.long_text = LongText::average_windows;
    const std::vector<std::string> texts = {words(38), words(39), words(100), words(77), ""};
    const auto result = encoder.embed(texts, averaged);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        bert::EncodeOptions encode;
        encode.max_length = encoder.max_seq_length();
        encode.overflowing = true;
        const bert::Encoding first = encoder.tokenizer().encode(texts[i], encode);
        Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(encoder.dimension());
        std::size_t tokens = 0;
        const auto add = [&](const bert::Encoding& window) {
            sum += encoder.model().forward(window).last_hidden_state.cast<double>().colwise().sum();
            tokens += window.size();
        };
        add(first);
        for (const auto& window : first.overflowing) add(window);
        // Pooling by mean, the average weighted by tokens is the mean over all tokens of all windows.
        EXPECT_LE(max_difference(result.embeddings.row(static_cast<Index>(i)), sum / static_cast<double>(tokens)), 1e-6)
            << i;
        EXPECT_EQ(result.texts[i].windows, 1 + first.overflowing.size()) << i;
        EXPECT_EQ(result.texts[i].tokens, tokens) << i;
        EXPECT_FALSE(result.texts[i].truncated) << i;
    }
    EXPECT_EQ(result.texts[0].windows, 1u);
    EXPECT_EQ(result.texts[1].windows, 2u);
    EXPECT_EQ(result.texts[2].windows, 3u);
    EXPECT_TRUE(same_bits(encoder.encode({texts[0]}, averaged), encoder.encode({texts[0]})));
}

/// An encoder whose embeddings are the means of tokens, those of prompts left out, as they come.
bert::SentenceEncoder open_without_prompts() {
    const TempFolder folder;
    assemble_sentence_model("prompts_excluded_mean", folder.path());
    bert::SentenceEncoderOptions raw;
    raw.normalize = false;
    return bert::SentenceEncoder(folder.path(), raw);
}

TEST(LongText, WindowsAfterTheFirstHoldNoPromptToLeaveOut) {
    const bert::SentenceEncoder encoder = open_without_prompts();
    const std::string prompt = "query: ";
    const std::string text = words(60);

    bert::EncodeOptions encode;
    encode.max_length = encoder.max_seq_length();
    encode.overflowing = true;
    const bert::Encoding first = encoder.tokenizer().encode(prompt + text, encode);
    ASSERT_EQ(first.overflowing.size(), 1u);
    const bert::Encoding& second = first.overflowing[0];
    const auto skip = static_cast<Index>(encoder.tokenizer().encode(prompt).size()) - 1;
    const auto mean = [&](const bert::Encoding& window, Index from) -> Eigen::RowVectorXd {
        const auto hidden = encoder.model().forward(window).last_hidden_state;
        return hidden.bottomRows(hidden.rows() - from).cast<double>().colwise().mean();
    };
    const auto sizes = static_cast<double>(first.size() + second.size());
    const Eigen::RowVectorXd expected = mean(first, skip) * (static_cast<double>(first.size()) / sizes) +
                                        mean(second, 0) * (static_cast<double>(second.size()) / sizes);
    bert::EmbedOptions options;
    options.prompt = prompt;
    options.long_text = LongText::average_windows;
    EXPECT_LE(max_difference(encoder.encode({text}, options), expected), 1e-6);
}

TEST(LongText, OfThePromptAloneLeavesTheLastToken) {
    const bert::SentenceEncoder encoder = open_without_prompts();
    bert::EmbedOptions options;
    options.prompt = words(2 * encoder.max_seq_length());
    bert::EncodeOptions limit;
    limit.max_length = encoder.max_seq_length();
    const auto hidden = encoder.model().forward(encoder.tokenizer().encode(*options.prompt, limit)).last_hidden_state;
    EXPECT_LE(max_difference(encoder.encode({""}, options), hidden.bottomRows(1)), 1e-6);
}

TEST_F(Options, AHundredThousandWords) {
    const bert::SentenceEncoder encoder = open();
    const std::string text = words(100'000);
    const auto cut = encoder.embed({text});
    EXPECT_EQ(cut.texts[0].tokens, 40u);
    EXPECT_TRUE(cut.texts[0].truncated);
    EXPECT_TRUE(same_bits(cut.embeddings, encoder.encode({text.substr(0, 1000)})));

    bert::EmbedOptions options;
    options.long_text = LongText::average_windows;
    const auto averaged = encoder.embed({text, "short"}, options);
    EXPECT_EQ(averaged.texts[0].windows, (100'000u + 37) / 38);
    EXPECT_EQ(averaged.texts[0].tokens, 100'000u + 2 * averaged.texts[0].windows);
    EXPECT_NEAR(averaged.embeddings.row(0).norm(), 1.0f, 1e-6f);
    const bert::Matrix second = averaged.embeddings.row(1);
    EXPECT_TRUE(same_bits(second, encoder.encode({"short"})));

    options.long_text = LongText::error;
    expect_error(ErrorKind::input, {"text 0", "100002"}, [&] { (void)encoder.encode({text}, options); });
}

TEST_F(Options, OneWordOfAHundredThousandLetters) {
    const auto result = open().embed({std::string(100'000, 'a')});
    EXPECT_EQ(result.texts[0].tokens, 3u);  // [CLS] [UNK] [SEP]
    EXPECT_FALSE(result.texts[0].truncated);
}

// ------------------------------------------------------------------------------------------------ company and threads

TEST_F(Options, AnEmptyBatchGivesNoRows) {
    const bert::SentenceEncoder encoder = open();
    const auto result = encoder.embed({});
    EXPECT_EQ(result.embeddings.rows(), 0);
    EXPECT_EQ(result.embeddings.cols(), 24);
    EXPECT_TRUE(result.texts.empty());
    EXPECT_EQ(encoder.similarity(result.embeddings, result.embeddings).size(), 0);
}

TEST_F(Options, AnEmptyTextIsATextOfTwoTokens) {
    const auto result = open().embed({""});
    EXPECT_EQ(result.texts[0].tokens, 2u);
    EXPECT_TRUE(result.embeddings.allFinite());
    EXPECT_NEAR(result.embeddings.row(0).norm(), 1.0f, 1e-6f);
}

TEST_F(Options, ARowHasTheSameBitsAloneAndInAnyCompany) {
    const bert::SentenceEncoder encoder = open();
    bert::Matrix alone(static_cast<Index>(texts_.size()), encoder.dimension());
    for (std::size_t i = 0; i < texts_.size(); ++i) alone.row(static_cast<Index>(i)) = encoder.encode({texts_[i]});
    std::vector<std::size_t> order(texts_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    Random random(1);
    for (const std::size_t budget : {0u, 1u, 5u, 64u, 100'000u}) {
        bert::EmbedOptions options;
        options.token_budget = budget;
        for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
        std::vector<std::string> shuffled;
        bert::Matrix expected(alone.rows(), alone.cols());
        for (std::size_t i = 0; i < order.size(); ++i) {
            shuffled.push_back(texts_[order[i]]);
            expected.row(static_cast<Index>(i)) = alone.row(static_cast<Index>(order[i]));
        }
        EXPECT_TRUE(same_bits(encoder.encode(shuffled, options), expected)) << "budget " << budget;
    }
}

TEST_F(Options, OneEncoderServesSeveralThreads) {
    bert::SentenceEncoderOptions options;
    options.threads = 2;
    const bert::SentenceEncoder encoder = open(options);
    const bert::Matrix expected = encoder.encode(texts_);
    std::vector<std::thread> callers;
    std::vector<int> right(6, 0);
    for (std::size_t caller = 0; caller < right.size(); ++caller) {
        callers.emplace_back([&, caller] {
            for (int round = 0; round < 10; ++round) {
                bert::EmbedOptions embed;
                embed.token_budget = 20 + 50 * caller;
                right[caller] += same_bits(encoder.encode(texts_, embed), expected);
            }
        });
    }
    for (auto& caller : callers) caller.join();
    for (const int count : right) EXPECT_EQ(count, 10);
}

TEST_F(Options, ProgressAscendsToTheTotal) {
    const bert::SentenceEncoder encoder = open();
    for (const std::size_t budget : {1u, 30u, 100'000u}) {
        std::vector<std::size_t> seen;
        bert::EmbedOptions options;
        options.token_budget = budget;
        options.progress = [&](std::size_t done, std::size_t total) {
            EXPECT_EQ(total, texts_.size());
            seen.push_back(done);
        };
        (void)encoder.encode(texts_, options);
        ASSERT_FALSE(seen.empty());
        EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
        EXPECT_EQ(seen.back(), texts_.size());
        if (budget == 1) {
            EXPECT_EQ(seen.size(), texts_.size());
        }
        if (budget == 100'000) {
            EXPECT_EQ(seen.size(), 1u);
        }
    }
}

TEST_F(Options, WhatProgressThrowsEndsTheCallAndLeavesTheEncoderUsable) {
    const bert::SentenceEncoder encoder = open();
    const bert::Matrix expected = encoder.encode(texts_);
    bert::EmbedOptions options;
    options.token_budget = 1;
    options.progress = [](std::size_t done, std::size_t) {
        if (done == 3) throw std::runtime_error("stop");
    };
    EXPECT_THROW((void)encoder.encode(texts_, options), std::runtime_error);
    EXPECT_TRUE(same_bits(encoder.encode(texts_), expected));
}

}  // namespace
