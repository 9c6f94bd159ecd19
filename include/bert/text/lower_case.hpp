// Texts in lower case, for comparing words. Depends on utf8.hpp and unicode.hpp.
#pragma once

#include <bert/config.hpp>
#include <bert/text/unicode.hpp>
#include <bert/text/utf8.hpp>

#include <cstddef>
#include <string>
#include <string_view>

BERT_NAMESPACE_BEGIN

namespace detail {

/// As Python's str.lower(): a capital sigma at the end of a word becomes the letter that Greek has for that, where the
/// tokenizer's lower case is that of each character alone. (Unicode looks past apostrophes and the like for the end of
/// a word; this does not.) What is not UTF-8 stays as it is.
inline std::string lower_case(std::string_view text) {
    constexpr char32_t sigma = 0x03A3, final_sigma = 0x03C2;
    std::string result;
    const auto letter_at = [&](std::size_t at) {
        if (at >= text.size() || !utf8_sequence(text, at).valid) return false;
        const char32_t code = decode_utf8(text.data() + at).code;
        const bool digit_or_line = code < 0x80 && (code == U'_' || (code >= U'0' && code <= U'9'));
        return unicode::is_word(code) && !digit_or_line;
    };
    bool in_word = false;
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Sequence sequence = utf8_sequence(text, at);
        const bool letter = letter_at(at);
        if (sequence.valid) {
            char32_t code = decode_utf8(text.data() + at).code;
            if (code == sigma && in_word && !letter_at(at + sequence.size)) code = final_sigma;
            unicode::lower(code, unicode::character(code), [&](char32_t lower) {
                char bytes[4];
                result.append(bytes, encode_utf8(lower, bytes));
            });
        } else {
            result.append(text.substr(at, sequence.size));
        }
        in_word = letter;
        at += sequence.size;
    }
    return result;
}

}  // namespace detail

BERT_NAMESPACE_END
