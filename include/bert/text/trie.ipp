// Definitions of text/trie.hpp.
#pragma once

#include <bert/text/trie.hpp>

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

/// Places the states of a sorted list of keys, parents before children. Free units form a doubly linked ring, so that a
/// place for a state with one child is found at once; states with many children try a bounded number of places and
/// then open a new block, which bounds both time and size.
struct Trie::Builder {
    Trie& trie;
    const std::vector<Entry>& entries;
    std::vector<State> next_free, previous_free;
    State first_free = none;

    void add_block() {
        const auto start = static_cast<State>(trie.units_.size());
        trie.units_.resize(start + block_size);
        trie.values_.resize(start + block_size, -1);
        next_free.resize(start + block_size);
        previous_free.resize(start + block_size);
        for (State unit = start; unit < start + block_size; ++unit) {
            if (first_free == none) {
                first_free = next_free[unit] = previous_free[unit] = unit;
                continue;
            }
            const State last = previous_free[first_free];
            next_free[last] = unit;
            previous_free[unit] = last;
            next_free[unit] = first_free;
            previous_free[first_free] = unit;
        }
    }

    bool is_free(State unit) const { return unit != root && trie.units_[unit].check == none; }

    void take(State unit, State parent) {
        trie.units_[unit].check = parent;
        if (next_free[unit] == unit) {
            first_free = none;
        } else {
            if (first_free == unit) first_free = next_free[unit];
            next_free[previous_free[unit]] = next_free[unit];
            previous_free[next_free[unit]] = previous_free[unit];
        }
    }

    std::uint32_t find_base(const std::vector<unsigned char>& labels) {
        constexpr int max_attempts = 64;
        State candidate = first_free;
        for (int attempt = 0; candidate != none && attempt < max_attempts; ++attempt) {
            const std::uint32_t base = candidate ^ labels.front();
            bool fits = true;
            for (const unsigned char label : labels) fits = fits && is_free(base ^ label);
            if (fits) {
                first_free = candidate;
                return base;
            }
            candidate = next_free[candidate];
            if (candidate == first_free) break;
        }
        first_free = candidate;  // the next search goes on behind the places that did not fit
        const auto base = static_cast<std::uint32_t>(trie.units_.size());
        add_block();
        return base;
    }

    void run() {
        struct Range {
            std::size_t begin, end, depth;
            State state;
        };
        add_block();
        take(root, none);
        std::vector<Range> open = {{0, entries.size(), 0, root}};
        std::vector<unsigned char> labels;
        std::vector<std::size_t> starts;
        while (!open.empty()) {
            Range range = open.back();
            open.pop_back();
            if (range.begin < range.end && entries[range.begin].key.size() == range.depth) {
                if (range.depth > 0) {
                    trie.units_[range.state].base |= terminal;
                    trie.values_[range.state] = entries[range.begin].value;
                }
                ++range.begin;
            }
            if (range.begin == range.end) continue;
            labels.clear();
            starts.clear();
            for (std::size_t i = range.begin; i < range.end; ++i) {
                const auto label = static_cast<unsigned char>(entries[i].key[range.depth]);
                if (labels.empty() || labels.back() != label) {
                    labels.push_back(label);
                    starts.push_back(i);
                }
            }
            starts.push_back(range.end);
            const std::uint32_t base = find_base(labels);
            trie.units_[range.state].base |= base;
            for (const unsigned char label : labels) take(base ^ label, range.state);
            for (std::size_t i = 0; i < labels.size(); ++i) {
                open.push_back({starts[i], starts[i + 1], range.depth + 1, base ^ labels[i]});
            }
        }
    }
};

BERT_INLINE void Trie::build(const std::vector<Entry>& entries) {
    Builder{*this, entries, {}, {}}.run();
}

}  // namespace detail

BERT_NAMESPACE_END
