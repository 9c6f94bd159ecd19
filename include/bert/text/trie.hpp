// A double-array trie over byte strings: one array lookup per byte to walk, whatever the number of strings.
// Depends on config.hpp only.
#pragma once

#include <bert/config.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The first eight bytes of a text, zeros where it is shorter, as a number that orders as they do.
inline std::uint64_t first_bytes(std::string_view text) noexcept {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        number = number << 8 | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0u);
    }
    return number;
}

/// Maps byte strings to non-negative values and finds the longest of them that begins a text.
class Trie {
public:
    using State = std::uint32_t;
    struct Entry {
        std::string_view key;
        std::int32_t value;
    };
    struct Match {
        std::int32_t value = -1;  ///< -1: no match
        std::size_t size = 0;     ///< bytes matched
    };

    static constexpr State root = 0;
    static constexpr State none = 0xFFFFFFFF;

    /// `entries` must be sorted by key and hold each key once; empty keys are not stored.
    explicit Trie(const std::vector<Entry>& entries = {}) { build(entries); }

    /// The state one byte further, or none.
    State step(State state, char byte) const noexcept;

    /// The state behind `text`, or none.
    State walk(std::string_view text, State state = root) const noexcept;

    /// The longest non-empty string below `state` that begins `text`. Takes time in the length of the match's longest
    /// candidate, not of the text.
    Match longest_match(std::string_view text, State state = root) const noexcept;

private:
    // The children of a state lie at base ^ byte, within one aligned block of 256 units; `check` names the parent.
    struct Unit {
        std::uint32_t base = 0;
        State check = none;
    };
    static constexpr std::uint32_t terminal = 0x80000000;  // set in `base` of a state where a string ends
    static constexpr std::uint32_t block_size = 256;

    std::vector<Unit> units_;
    std::vector<std::int32_t> values_;

    struct Builder;
    void build(const std::vector<Entry>& entries);
};

}  // namespace detail

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/text/trie.ipp>
#endif
