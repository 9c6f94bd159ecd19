// The vocabulary and the WordPiece model: a word becomes the longest pieces the vocabulary knows, from left to right.
// Depends on io/tokenizer_config.hpp, text/trie.hpp and text/word_table.hpp.
#pragma once

#include <bert/config.hpp>
#include <bert/io/tokenizer_config.hpp>
#include <bert/text/trie.hpp>
#include <bert/text/word_table.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Byte positions [begin, end) in the text being tokenized, which is below 2 GiB.
struct Range {
    std::uint32_t begin;
    std::uint32_t end;
};

/// A token found in a text: all that is known before special tokens come in.
struct Piece {
    std::int32_t id;
    std::uint32_t begin;  // where it stands in the text
    std::uint32_t end;
    std::uint32_t word;  // index of the word it belongs to
};

/// Looking for the longest token takes, for hostile texts, time in the length of the longest one, so that has a limit.
/// Errors: unsupported.
void check_token_size(std::string_view token, std::string_view source);

/// The two-way table of tokens and ids.
class Vocabulary {
public:
    using Entry = TokenizerConfig::VocabularyEntry;

    /// Errors, which name `source`: format (not UTF-8), vocabulary (a token twice, a negative id, ids too sparse to be
    /// meant).
    explicit Vocabulary(std::vector<Entry> entries, std::string_view source = "vocabulary");

    /// Number of tokens, which is less than id_limit() where ids have holes.
    std::size_t size() const noexcept { return entries_.size(); }

    /// The highest id + 1.
    std::size_t id_limit() const noexcept { return by_id_.size(); }

    std::optional<std::int32_t> find(std::string_view token) const noexcept;

    /// The token of an id, or null.
    const std::string* token(std::int32_t id) const noexcept;

    /// All tokens, sorted by id.
    const std::vector<Entry>& entries() const noexcept { return entries_; }

    /// Indices into entries(), sorted by the bytes of the tokens.
    const std::vector<std::uint32_t>& by_token() const noexcept { return by_token_; }

private:
    /// Files mostly list tokens in the order of ids, where frequent ones lie close together.
    void sort_by_id();

    /// Errors: vocabulary (a token twice).
    void sort_by_token(std::string_view source);

    static constexpr std::uint32_t absent = 0xFFFFFFFF;
    std::vector<Entry> entries_;
    std::vector<std::uint32_t> by_token_, by_id_;
};

/// Greedy longest-match-first WordPiece. A word that cannot be segmented, or is too long, is one unknown token.
class WordPiece {
public:
    /// Errors: vocabulary where the unknown token is not in it.
    WordPiece(const Vocabulary& vocabulary, const TokenizerConfig& config);

    std::size_t max_characters() const noexcept { return max_characters_; }

    /// Finds words that are one piece without walking the trie. What it does not find may still be one.
    const WordTable& whole_words() const noexcept { return words_; }

    /// Appends the pieces of a word of at most max_characters() characters, numbered `index` in its text.
    /// `origin(i, j)` tells which Range of the text the bytes [i, j) of the word come from.
    template <class Origin>
    void tokenize(std::string_view word, const Origin& origin, std::uint32_t index, std::vector<Piece>& out) const {
        const std::size_t before = out.size();
        if (segment(word, origin, index, out)) return;
        out.resize(before);
        unknown(origin(0, word.size()), index, out);
    }

    /// Appends the unknown token in place of a word.
    void unknown(Range word, std::uint32_t index, std::vector<Piece>& out) const;

private:
    template <class Origin>
    bool segment(std::string_view word, const Origin& origin, std::uint32_t index, std::vector<Piece>& out) const {
        const Trie* trie = &trie_;
        for (std::size_t at = 0; at < word.size(); trie = &continuing_) {
            const Trie::Match match = trie->longest_match(word.substr(at));
            if (match.value < 0) return false;
            const Range range = origin(at, at + match.size);
            out.push_back({match.value, range.begin, range.end, index});
            at += match.size;
        }
        return true;
    }

    Trie trie_, continuing_;  // of all tokens, and of what stands behind the prefix of those that have it
    WordTable words_;
    std::int32_t unknown_id_ = 0;
    std::size_t max_characters_;
};

}  // namespace detail

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/text/wordpiece.ipp>
#endif
