// Cutting texts to a length: which windows of its pieces a text, or each text of a pair, is reduced to.
// Depends on text/encode_options.hpp.
#pragma once

#include <bert/config.hpp>
#include <bert/error.hpp>
#include <bert/text/encode_options.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Pieces [begin, end) of a text.
struct Window {
    std::size_t begin;
    std::size_t end;
};

/// The windows of a text: the first is what remains of it, the others what was cut off.
using Windows = std::vector<Window>;

/// Cuts a text of `size` pieces into windows of at most `length`, beginning at the side that is kept. Without
/// `options.overflowing` only the first is built. Errors: input where the stride leaves no step forward.
inline Windows cut(std::size_t size, std::size_t length, const EncodeOptions& options) {
    if (size <= length) return {{0, size}};
    if (length == 0) return options.overflowing ? Windows{{0, 0}, {0, size}} : Windows{{0, 0}};
    if (options.stride >= length) {
        fail(ErrorKind::input, "stride ", options.stride, " leaves no room: the windows of this text have ", length,
             " tokens besides special tokens, so the stride can be at most ", length - 1);
    }
    const bool right = options.truncation_side == Side::right;
    const std::size_t step = length - options.stride;
    Windows windows;
    for (std::size_t skipped = 0;; skipped += step) {
        const std::size_t taken = std::min(size - skipped, length);
        if (right) windows.push_back({skipped, skipped + taken});
        else windows.push_back({size - skipped - taken, size - skipped});
        if (!options.overflowing || skipped + taken == size) return windows;
    }
}

/// The lengths that texts of `first` and `second` pieces are cut to so that both fit into `room` together.
inline std::pair<std::size_t, std::size_t> longest_first(std::size_t first, std::size_t second, std::size_t room) {
    std::size_t shorter = std::min(first, second);
    std::size_t longer = shorter > room ? shorter : std::max(shorter, room - shorter);
    if (shorter + longer > room) {
        shorter = room / 2;
        longer = shorter + room % 2;
    }
    return first <= second ? std::pair(shorter, longer) : std::pair(longer, shorter);
}

/// Windows of a text of `first` pieces, and of the second text of a pair (empty where there is none), when the template
/// adds `special` tokens. Errors: input (options that cannot be met; the message says what could).
inline std::pair<Windows, Windows> truncate(std::size_t first, std::optional<std::size_t> second, std::size_t special,
                                            const EncodeOptions& options) {
    const auto whole = [&] { return std::pair(Windows{{0, first}}, second ? Windows{{0, *second}} : Windows{}); };
    if (!options.max_length) return whole();
    if (*options.max_length < special) {
        fail(ErrorKind::input, "max_length ", *options.max_length, " is too small: ", special,
             " special tokens are added to every text", second ? " pair" : "");
    }
    const std::size_t room = *options.max_length - special;
    if (options.stride > 0 && options.stride >= room) {
        fail(ErrorKind::input, "stride ", options.stride, " leaves no room: max_length ", *options.max_length,
             " holds ", special, " special tokens and ", room, " others, so the stride should be less than ", room);
    }
    const std::size_t total = first + second.value_or(0);
    if (total <= room) return whole();

    std::size_t first_length = first, second_length = second.value_or(0);
    if (room == 0) {
        first_length = second_length = 0;
    } else if (options.truncation == TruncationStrategy::longest_first) {
        if (second) std::tie(first_length, second_length) = longest_first(first, *second, room);
        else first_length = room;
    } else {
        const bool cut_first = options.truncation == TruncationStrategy::only_first;
        if (!cut_first && !second) {
            fail(ErrorKind::input, "truncation only_second needs a second text: ", total + special,
                 " tokens do not fit max_length ", *options.max_length);
        }
        std::size_t& target = cut_first ? first_length : second_length;
        const std::size_t excess = total - room;
        if (target <= excess) {
            fail(ErrorKind::input, "the ", cut_first ? "first" : "second", " text is too short to make ",
                 total + special, " tokens fit max_length ", *options.max_length, "; with this truncation at least ",
                 total + special - target + 1, " are needed");
        }
        target -= excess;
    }
    return {cut(first, first_length, options), second ? cut(*second, second_length, options) : Windows{}};
}

}  // namespace detail

BERT_NAMESPACE_END
