// Which tokens remain, and the windows over the rest.
#include <bert/text/truncation.hpp>

#include "../test_support.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <string>

using bert::EncodeOptions;
using bert::ErrorKind;
using bert::Side;
using bert::TruncationStrategy;
using bert::detail::cut;
using bert::detail::truncate;
using bert::detail::Windows;
using bert_test::expect_error;

namespace {

std::string show(const Windows& windows) {
    std::string text;
    for (const auto& window : windows) text += std::to_string(window.begin) + "-" + std::to_string(window.end) + " ";
    return text;
}

EncodeOptions with(std::size_t max_length, std::size_t stride = 0,
                   TruncationStrategy strategy = TruncationStrategy::longest_first) {
    EncodeOptions options;
    options.max_length = max_length;
    options.stride = stride;
    options.truncation = strategy;
    options.overflowing = true;
    return options;
}

TEST(Truncation, CutsIntoWindows) {
    EncodeOptions options = with(0);
    EXPECT_EQ(show(cut(7, 3, options)), "0-3 3-6 6-7 ");
    EXPECT_EQ(show(cut(3, 3, options)), "0-3 ");
    EXPECT_EQ(show(cut(3, 0, options)), "0-0 0-3 ");
    options.stride = 1;
    EXPECT_EQ(show(cut(7, 3, options)), "0-3 2-5 4-7 ");
    EXPECT_EQ(show(cut(8, 3, options)), "0-3 2-5 4-7 6-8 ");
    options.truncation_side = Side::left;
    EXPECT_EQ(show(cut(8, 3, options)), "5-8 3-6 1-4 0-2 ");
    options.overflowing = false;
    EXPECT_EQ(show(cut(8, 3, options)), "5-8 ");
}

TEST(Truncation, LongestFirstEvensPairsOut) {
    const auto lengths = [](std::size_t first, std::size_t second, std::size_t room) {
        const auto [a, b] = truncate(first, second, 0, with(room));
        return std::to_string(a[0].end - a[0].begin) + "+" + std::to_string(b[0].end - b[0].begin);
    };
    EXPECT_EQ(lengths(10, 2, 8), "6+2");
    EXPECT_EQ(lengths(2, 10, 8), "2+6");
    EXPECT_EQ(lengths(10, 10, 7), "3+4");
    EXPECT_EQ(lengths(11, 10, 7), "4+3");
    EXPECT_EQ(lengths(10, 9, 20), "10+9");
    EXPECT_EQ(lengths(3, 100, 1), "0+1");
}

TEST(Truncation, CountsSpecialTokens) {
    EXPECT_EQ(show(truncate(10, std::nullopt, 2, with(6)).first), "0-4 4-8 8-10 ");
    EXPECT_EQ(show(truncate(10, std::nullopt, 2, with(2)).first), "0-0 0-10 ");
    EXPECT_EQ(show(truncate(10, std::nullopt, 2, EncodeOptions{}).first), "0-10 ");
}

TEST(Truncation, OneTextOfAPairCanBeKeptWhole) {
    const auto first = truncate(10, 5, 0, with(9, 0, TruncationStrategy::only_first));
    EXPECT_EQ(show(first.first), "0-4 4-8 8-10 ");
    EXPECT_EQ(show(first.second), "0-5 ");
    const auto second = truncate(4, 5, 0, with(6, 0, TruncationStrategy::only_second));
    EXPECT_EQ(show(second.first), "0-4 ");
    EXPECT_EQ(show(second.second), "0-2 2-4 4-5 ");
}

TEST(Truncation, SaysWhatWouldFit) {
    expect_error(ErrorKind::input, {"max_length 1", "2 special"}, [] { truncate(3, std::nullopt, 2, with(1)); });
    expect_error(ErrorKind::input, {"max_length 2", "3 special", "pair"}, [] { truncate(3, 3, 3, with(2)); });
    expect_error(ErrorKind::input, {"stride 4", "less than 4"}, [] { truncate(1, std::nullopt, 2, with(6, 4)); });
    expect_error(ErrorKind::input, {"stride 3", "at most 1"}, [] { truncate(9, 9, 0, with(4, 3)); });
    expect_error(ErrorKind::input, {"only_second"},
                 [] { truncate(9, std::nullopt, 2, with(4, 0, TruncationStrategy::only_second)); });
    expect_error(ErrorKind::input, {"first text is too short", "at least 9"},
                 [] { truncate(2, 5, 3, with(6, 0, TruncationStrategy::only_first)); });
    EXPECT_NO_THROW(truncate(2, 5, 3, with(9, 0, TruncationStrategy::only_first)));
}

}  // namespace
