// What kind a character is and what it becomes, by table. Depends on unicode_tables.hpp only.
#pragma once

#include <bert/config.hpp>
#include <bert/text/unicode_tables.hpp>

#include <cstdint>

BERT_NAMESPACE_BEGIN

namespace detail::unicode {

/// Properties of the character `code` (at most U+10FFFF).
inline const Character& character(char32_t code) noexcept {
    const std::uint32_t block = block_of[code / block_size];
    return characters[character_of[block * block_size + code % block_size]];
}

inline bool is_space(char32_t code) noexcept {
    return (character(code).flags & space) != 0;
}

/// `\w` of the reference's regular expressions.
inline bool is_word(char32_t code) noexcept {
    return (character(code).flags & word) != 0;
}

inline bool is_hangul_syllable(char32_t code) noexcept {
    return code >= 0xAC00 && code < 0xAC00 + 11172;
}

/// Calls `put` with each character of the full canonical decomposition of `code`, which is `code` itself for most.
template <class Put>
void decompose(char32_t code, const Character& info, Put&& put) {
    if (is_hangul_syllable(code)) {
        // The Unicode standard, section 3.12: leading consonant, vowel, and a trailing consonant where there is one.
        const char32_t index = code - 0xAC00;
        put(0x1100 + index / 588);
        put(0x1161 + index % 588 / 28);
        if (index % 28 != 0) put(0x11A7 + index % 28);
    } else if (info.decomposition_size == 0) {
        put(code);
    } else {
        for (unsigned i = 0; i < info.decomposition_size; ++i) put(char32_t{decompositions[info.decomposition + i]});
    }
}

/// Calls `put` with each character of the lower case of `code`.
template <class Put>
void lower(char32_t code, const Character& info, Put&& put) {
    put(static_cast<char32_t>(static_cast<std::int32_t>(code) + info.lower_delta));
    if (info.flags & lower_adds_dot) put(char32_t{0x0307});
}

}  // namespace detail::unicode

BERT_NAMESPACE_END
