// UTF-8: checking, decoding, encoding, and repairing text that is not valid. Depends on error.hpp only.
#pragma once

#include <bert/config.hpp>
#include <bert/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What happens to bytes that are not valid UTF-8.
enum class InvalidUtf8 {
    replace,  ///< each maximal ill-formed subsequence is read as one U+FFFD, as the Unicode standard recommends
    error,    ///< Error(format) naming the position
};

namespace detail {

/// Bytes of the UTF-8 sequence that starts at `text[at]`: the whole character when `valid`, else the maximal
/// subsequence that could have begun one (at least 1 byte).
struct Utf8Sequence {
    std::size_t size;
    bool valid;
};

inline Utf8Sequence utf8_sequence(std::string_view text, std::size_t at) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return {1, true};
    const std::size_t size = lead < 0xC2 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 1;
    if (size == 1) return {1, false};
    // The second byte is what excludes overlong forms, surrogates and code points above U+10FFFF.
    const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (std::size_t i = 1; i < size; ++i) {
        if (at + i == text.size()) return {i, false};
        if (byte(i) < (i == 1 ? low : 0x80) || byte(i) > (i == 1 ? high : 0xBF)) return {i, false};
    }
    return {size, true};
}

/// Length of the longest valid UTF-8 prefix of `text`.
inline std::size_t valid_utf8_prefix(std::string_view text) noexcept {
    std::size_t at = 0;
    while (at < text.size()) {
        if (at + 8 <= text.size()) {
            std::uint64_t word;
            std::memcpy(&word, text.data() + at, sizeof word);
            if ((word & 0x8080808080808080u) == 0) {
                at += 8;
                continue;
            }
        }
        const Utf8Sequence sequence = utf8_sequence(text, at);
        if (!sequence.valid) return at;
        at += sequence.size;
    }
    return at;
}

/// A character and the number of bytes it takes.
struct DecodedCharacter {
    char32_t code;
    std::uint32_t size;
};

/// The character at `p`, which must point at the start of a valid sequence.
inline DecodedCharacter decode_utf8(const char* p) noexcept {
    const auto byte = [p](int i) { return static_cast<char32_t>(static_cast<unsigned char>(p[i])); };
    const auto tail = [&](int i) { return byte(i) & 0x3F; };
    if (byte(0) < 0x80) return {byte(0), 1};
    if (byte(0) < 0xE0) return {(byte(0) & 0x1F) << 6 | tail(1), 2};
    if (byte(0) < 0xF0) return {(byte(0) & 0x0F) << 12 | tail(1) << 6 | tail(2), 3};
    return {(byte(0) & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4};
}

/// The character that ends just before `p`, which must follow a valid sequence.
inline DecodedCharacter decode_utf8_before(const char* p) noexcept {
    const char* start = p - 1;
    while ((static_cast<unsigned char>(*start) & 0xC0) == 0x80) --start;
    return decode_utf8(start);
}

/// Writes the UTF-8 form of `code` to `out` (room for 4 bytes) and returns its length.
inline std::size_t encode_utf8(char32_t code, char* out) noexcept {
    const auto put = [out](int i, char32_t value) { out[i] = static_cast<char>(static_cast<unsigned char>(value)); };
    if (code < 0x80) {
        put(0, code);
        return 1;
    }
    if (code < 0x800) {
        put(0, 0xC0 | code >> 6);
        put(1, 0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        put(0, 0xE0 | code >> 12);
        put(1, 0x80 | (code >> 6 & 0x3F));
        put(2, 0x80 | (code & 0x3F));
        return 3;
    }
    put(0, 0xF0 | code >> 18);
    put(1, 0x80 | (code >> 12 & 0x3F));
    put(2, 0x80 | (code >> 6 & 0x3F));
    put(3, 0x80 | (code & 0x3F));
    return 4;
}

/// Number of characters of a valid text.
inline std::size_t count_characters(std::string_view text) noexcept {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// A text known to be valid UTF-8: the caller's own bytes, or a copy in which U+FFFD stands for what was not valid,
/// with the way back to the caller's positions.
class ValidText {
public:
    /// `text` must outlive this object. Errors: format where `policy` is error and the text is not valid.
    ValidText(std::string_view text, InvalidUtf8 policy) : view_(text) {
        const std::size_t prefix = valid_utf8_prefix(text);
        if (prefix == text.size()) return;
        if (policy == InvalidUtf8::error) fail(ErrorKind::format, "the text is not valid UTF-8 at byte ", prefix);
        repaired_.assign(text.substr(0, prefix));
        for (std::size_t at = prefix; at < text.size();) {
            const Utf8Sequence sequence = utf8_sequence(text, at);
            if (sequence.valid) {
                repaired_.append(text.substr(at, sequence.size));
            } else {
                repaired_.append("\xEF\xBF\xBD");
                repairs_.push_back({repaired_.size(), at + sequence.size});
            }
            at += sequence.size;
        }
    }

    std::string_view view() const noexcept { return repairs_.empty() ? view_ : std::string_view(repaired_); }
    bool repaired() const noexcept { return !repairs_.empty(); }

    /// Position in the caller's bytes of the character boundary `at` of view().
    std::size_t original_position(std::size_t at) const noexcept {
        const auto after = std::upper_bound(repairs_.begin(), repairs_.end(), at,
                                            [](std::size_t position, const Repair& r) { return position < r.end; });
        return after == repairs_.begin() ? at : std::prev(after)->original_end + (at - std::prev(after)->end);
    }

private:
    struct Repair {
        std::size_t end;           // behind the U+FFFD in the repaired copy
        std::size_t original_end;  // behind the bytes it replaces in the caller's text
    };

    std::string_view view_;
    std::string repaired_;
    std::vector<Repair> repairs_;
};

}  // namespace detail

BERT_NAMESPACE_END
