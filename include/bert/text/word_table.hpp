// A hash table of short words, which are compared as integers: the short cut past the trie for words that the
// vocabulary holds whole. Depends on text/bytes.hpp.
#pragma once

#include <bert/config.hpp>
#include <bert/text/bytes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// A word of at most 11 bytes.
struct ShortWord {
    static constexpr std::size_t max_size = 11;

    std::uint64_t first;   // bytes 0 to 7, padded with zeros
    std::uint32_t second;  // bytes 8 to 10, padded with zeros, and the size

    /// The first `size` of the 16 bytes `first`, `second`, as they lie in memory.
    static ShortWord cut(std::uint64_t first, std::uint64_t second, std::size_t size) noexcept {
        constexpr std::uint64_t all = ~std::uint64_t{0};
        const std::uint64_t first_mask = size >= 8 ? all : ~(all << 8 * size);
        const std::uint64_t second_mask = size <= 8 ? 0 : ~(all << 8 * (size - 8));
        return {first & first_mask, static_cast<std::uint32_t>((second & second_mask) | size << 24)};
    }

    /// The word of `size` bytes at `p`, of which 16 bytes must be readable.
    static ShortWord load(const char* p, std::size_t size) noexcept {
        std::uint64_t halves[2];
        std::memcpy(halves, p, sizeof halves);
        return cut(halves[0], halves[1], size);
    }
};

/// Maps short words to non-negative values. It may leave words out: not to be found says nothing.
class WordTable {
public:
    /// A table with room for about `capacity` words.
    explicit WordTable(std::size_t capacity = 0) : groups_(1 + capacity / 2) {}

    /// Passes over words that are empty, or longer than ShortWord::max_size, and those that there is no room for.
    /// `value`: not negative.
    void insert(std::string_view text, std::int32_t value) noexcept {
        if (text.empty() || text.size() > ShortWord::max_size) return;
        char bytes[16] = {};
        std::copy(text.begin(), text.end(), bytes);
        const ShortWord word = ShortWord::load(bytes, text.size());
        for (Slot& slot : groups_[place(word)].slots) {
            if (slot.value >= 0) continue;
            slot = {word.first, word.second, value};
            return;
        }
    }

    /// Tells the processor that find(word) follows soon.
    void prefetch([[maybe_unused]] ShortWord word) const noexcept {
#if defined(__GNUC__)
        __builtin_prefetch(&groups_[place(word)]);
#endif
    }

    /// The value of the word, or -1.
    std::int32_t find(ShortWord word) const noexcept {
        std::int32_t value = -1;
        for (const Slot& slot : groups_[place(word)].slots) {
            value = slot.first == word.first && slot.second == word.second ? slot.value : value;
        }
        return value;
    }

private:
    struct Slot {
        std::uint64_t first = 0;
        std::uint32_t second = 0;
        std::int32_t value = -1;
    };

    /// The words of one place: a cache line. There is nothing behind a full one, so words chosen to meet in one place
    /// slow nothing down.
    struct alignas(64) Group {
        Slot slots[4];
    };

    std::size_t place(ShortWord word) const noexcept {
        const std::uint64_t mixed = (word.first ^ word.second * 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
        return static_cast<std::size_t>((mixed >> 32) * groups_.size() >> 32);
    }

    std::vector<Group> groups_;
};

/// The ASCII letters and digits that begin a text, of which 16 bytes are looked at.
struct AsciiWord {
    std::uint64_t first, second;  // the 16 bytes, letters in lower case where that is asked for
    std::size_t size;             // of the word: 0 to 16

    static AsciiWord scan(std::uint64_t first, std::uint64_t second, bool lowercase) noexcept {
        const Half a = scan_half(first, lowercase), b = scan_half(second, lowercase);
        return {a.bytes, b.bytes, a.others != 0 ? first_top_bit(a.others) : 8 + first_top_bit(b.others)};
    }

private:
    struct Half {
        std::uint64_t bytes;
        std::uint64_t others;  // the top bit of each byte that is no letter or digit
    };

    static Half scan_half(std::uint64_t bytes, bool lowercase) noexcept {
        constexpr std::uint64_t top = every(0x80);
        // The top bit of each byte of `low` + 0x80 - c tells whether the byte is at least c; nothing is carried over.
        const std::uint64_t low = bytes & ~top;
        const std::uint64_t folded = low | every(0x20);
        const auto at_least = [](std::uint64_t values, char c) {
            return values + every(0x80 - static_cast<std::uint64_t>(c));
        };
        const std::uint64_t letters = at_least(folded, 'a') & ~at_least(folded, 'z' + 1) & ~bytes & top;
        const std::uint64_t digits = at_least(low, '0') & ~at_least(low, '9' + 1) & ~bytes & top;
        return {lowercase ? bytes | letters >> 2 : bytes, (letters | digits) ^ top};
    }
};

}  // namespace detail

BERT_NAMESPACE_END
