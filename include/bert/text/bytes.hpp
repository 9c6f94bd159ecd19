// Eight bytes of a text at once, as one number with the first byte lowest. Depends on config.hpp only.
#pragma once

#include <bert/config.hpp>

#include <cstddef>
#include <cstdint>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Eight times the same byte.
constexpr std::uint64_t every(std::uint64_t byte) noexcept {
    return byte * 0x0101010101010101u;
}

/// Index of the first byte of `tops` that is 0x80 where all others are that or 0; 8 where there is none.
inline std::size_t first_top_bit(std::uint64_t tops) noexcept {
#if defined(__GNUC__)
    return tops == 0 ? 8 : static_cast<std::size_t>(__builtin_ctzll(tops)) / 8;
#else
    std::size_t index = 0;
    while (index < 8 && (tops >> (8 * index) & 0x80) == 0) ++index;
    return index;
#endif
}

}  // namespace detail

BERT_NAMESPACE_END
