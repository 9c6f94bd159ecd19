// A trie over byte strings that is made in one pass over them. A node tells its children by one comparison of eight
// labels, or by a table; where one string is left, the rest of it is compared. Depends on error.hpp and text/bytes.hpp.
#pragma once

#include <bert/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Maps byte strings to non-negative values and finds the longest of them that begins a text.
class Trie {
public:
    struct Match {
        std::int32_t value = -1;  ///< -1: no match
        std::size_t size = 0;     ///< bytes matched
    };
    class Builder;

    /// Without strings.
    Trie() = default;

    /// The longest non-empty string that begins `text`. Takes time in the length of the match's longest candidate, not
    /// of the text.
    Match longest_match(std::string_view text) const noexcept;

private:
    /// A beginning of strings. `first` holds its kind, and the place of its first child or of a rest.
    struct Node {
        std::uint32_t first = many;
        std::int32_t value = -1;    // of the string that ends here
        std::uint64_t content = 0;  // see the kinds
    };
    static constexpr std::uint32_t few = 0;  // content: the bytes that lead to 1 to 8 children, then the first again
    static constexpr std::uint32_t many = 1u << 30;  // content: the number of a table; that of no children is 0
    static constexpr std::uint32_t rest = 2u << 30;  // content: the one byte that goes on, eight times
    static constexpr std::uint32_t kinds = 3u << 30;
    static constexpr std::size_t most_few = sizeof(std::uint64_t);

    /// Children by the byte that leads to them, counted from 1; 0: none.
    using Table = std::array<std::uint16_t, 256>;

    /// What stands in rests_ before the bytes that follow the one that goes on.
    struct Rest {
        std::int32_t value;  // of the string that ends behind them
        std::uint32_t size;  // of them
    };

    std::vector<Node> nodes_;
    std::vector<Table> tables_ = std::vector<Table>(1);
    std::string rests_;
    Node root_;
};

/// Makes a trie of strings in their order. Nodes of the last one's beginning are kept open; one that no further string
/// goes through has all its children, which are then stored side by side.
class Trie::Builder {
public:
    /// About `count` strings will come.
    explicit Builder(std::size_t count);

    /// `key` comes behind those before it and is not one of them; it must live until the next call. An empty one is
    /// not stored.
    void add(std::string_view key, std::int32_t value);

    /// The trie. To be called once, at last. Errors: unsupported (more than a GiB).
    Trie finish();

private:
    struct Waiting {
        Node node;
        unsigned char label;  // the byte that leads to it
    };
    struct Open {
        std::int32_t value;
        std::size_t children;  // where they begin among the waiting nodes
    };

    std::size_t depth() const noexcept { return open_.size() - 1; }

    /// Stores the last key, of which the next one shares the first `shared` bytes.
    void store_last(std::size_t shared);

    /// Ends the innermost open node.
    Node close();

    Trie trie_;
    std::string_view last_;  // which is stored once it is known how much of it the next one shares
    std::int32_t last_value_ = -1;
    std::vector<Open> open_;        // from the root on, one a byte
    std::vector<Waiting> waiting_;  // complete ones, whose parent is not
};

}  // namespace detail

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/text/trie.ipp>
#endif
