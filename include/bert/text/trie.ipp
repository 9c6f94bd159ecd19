// Definitions of text/trie.hpp.
#pragma once

#include <bert/text/trie.hpp>

#include <algorithm>
#include <array>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE auto Trie::step(State state, char byte) const noexcept -> State {
    const State next = (units_[state].base & ~terminal) ^ static_cast<unsigned char>(byte);
    return units_[next].check == state ? next : none;
}

BERT_INLINE auto Trie::walk(std::string_view text, State state) const noexcept -> State {
    for (const char byte : text) {
        if (state == none) break;
        state = step(state, byte);
    }
    return state;
}

BERT_INLINE auto Trie::longest_match(std::string_view text, State state) const noexcept -> Match {
    Match match;
    State found = none;
    for (std::size_t i = 0; i < text.size(); ++i) {
        state = step(state, text[i]);
        if (state == none) break;
        if (units_[state].base & terminal) {
            found = state;
            match.size = i + 1;
        }
    }
    if (found != none) match.value = values_[found];
    return match;
}

/// Places the states of a sorted list of keys, parents before children. A state with one child takes the first free
/// unit; one with many tries a bounded number of places and then opens a new block, which bounds both time and size.
struct Trie::Builder {
    Trie& trie;
    const std::vector<Entry>& entries;
    std::vector<std::uint64_t> starts;    // the first bytes of each key, the first one on top
    std::vector<std::uint64_t> occupied;  // a bit for each unit
    State first_free = 0;                 // all units before it are taken
    State first_place = 0;                // where the search for a place of many children goes on

    State size() const { return static_cast<State>(trie.units_.size()); }

    struct Child {
        std::uint32_t label;
        std::size_t begin;  // of its entries
    };

    void add_block() {
        trie.units_.resize(trie.units_.size() + block_size);
        trie.values_.resize(trie.units_.size(), -1);
        occupied.resize(trie.units_.size() / 64);
    }

    bool is_free(State unit) const { return (occupied[unit / 64] >> unit % 64 & 1) == 0; }

    /// The first free unit from `unit` on, or size().
    State next_free(State unit) const {
        for (; unit < size(); unit = (unit / 64 + 1) * 64) {
            const std::uint64_t free = ~occupied[unit / 64] >> unit % 64;
            if (free != 0) return unit + lowest_bit(free);
        }
        return size();
    }

    static State lowest_bit(std::uint64_t bits) {
#if defined(__GNUC__)
        return static_cast<State>(__builtin_ctzll(bits));
#else
        State index = 0;
        while ((bits >> index & 1) == 0) ++index;
        return index;
#endif
    }

    void take(State unit, State parent) {
        trie.units_[unit].check = parent;
        occupied[unit / 64] |= std::uint64_t{1} << unit % 64;
    }

    std::uint32_t label(std::size_t entry, std::size_t depth) const {
        return depth < 8 ? starts[entry] >> (56 - 8 * depth) & 0xFF
                         : static_cast<unsigned char>(entries[entry].key[depth]);
    }

    /// The child of a state that has no other.
    State add_child(State parent, std::uint32_t label) {
        first_free = next_free(first_free);
        if (first_free == size()) add_block();
        trie.units_[parent].base |= first_free ^ label;
        take(first_free, parent);
        return first_free;
    }

    std::uint32_t find_base(const Child* children, std::size_t count) {
        constexpr int max_attempts = 64;
        first_place = next_free(std::max(first_place, first_free));
        State candidate = first_place;
        for (int attempt = 0; candidate < size() && attempt < max_attempts; ++attempt) {
            const std::uint32_t base = candidate ^ children[0].label;
            const auto fits = [&](const Child& child) { return is_free(base ^ child.label); };
            if (std::all_of(children + 1, children + count, fits)) return base;
            candidate = next_free(candidate + 1);
        }
        first_place = size();  // what lies before it is left to states with one child
        add_block();
        return first_place;
    }

    void end_key(State state, std::size_t entry) {
        trie.units_[state].base |= terminal;
        trie.values_[state] = entries[entry].value;
    }

    void run() {
        struct Range {
            std::size_t begin, end, depth;
            State state;
        };
        starts.reserve(entries.size());
        for (const Entry& entry : entries) starts.push_back(first_bytes(entry.key));
        trie.units_.reserve(3 * entries.size() + block_size);
        trie.values_.reserve(3 * entries.size() + block_size);
        add_block();
        take(root, none);
        std::vector<Range> open = {{0, entries.size(), 0, root}};
        std::array<Child, 256> children;
        while (!open.empty()) {
            Range range = open.back();
            open.pop_back();
            if (range.begin + 1 == range.end) {
                const std::size_t length = entries[range.begin].key.size();
                for (; range.depth < length; ++range.depth) {
                    range.state = add_child(range.state, label(range.begin, range.depth));
                }
                if (range.state != root) end_key(range.state, range.begin);
                continue;
            }
            if (range.begin < range.end && entries[range.begin].key.size() == range.depth) {
                if (range.depth > 0) end_key(range.state, range.begin);
                ++range.begin;
            }
            if (range.begin == range.end) continue;
            std::size_t count = 0;
            for (std::size_t i = range.begin; i < range.end; ++i) {
                const std::uint32_t next = label(i, range.depth);
                if (count == 0 || children[count - 1].label != next) children[count++] = {next, i};
            }
            if (count == 1) {
                open.push_back({range.begin, range.end, range.depth + 1, add_child(range.state, children[0].label)});
                continue;
            }
            const std::uint32_t base = find_base(children.data(), count);
            trie.units_[range.state].base |= base;
            for (std::size_t i = 0; i < count; ++i) {
                const State state = base ^ children[i].label;
                take(state, range.state);
                open.push_back(
                    {children[i].begin, i + 1 < count ? children[i + 1].begin : range.end, range.depth + 1, state});
            }
        }
    }
};

BERT_INLINE void Trie::build(const std::vector<Entry>& entries) {
    Builder{*this, entries, {}, {}}.run();
}

}  // namespace detail

BERT_NAMESPACE_END
