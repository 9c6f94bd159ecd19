// The vocabulary and the WordPiece model: a word becomes the longest pieces the vocabulary knows, from left to right.
// Depends on io/tokenizer_config.hpp and text/trie.hpp.
#pragma once

#include <bert/config.hpp>
#include <bert/error.hpp>
#include <bert/io/tokenizer_config.hpp>
#include <bert/text/trie.hpp>
#include <bert/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
inline void check_token_size(std::string_view token, std::string_view source) {
    constexpr std::size_t most = 1024;
    if (token.size() > most) {
        fail(ErrorKind::unsupported, source, ": a token of ", token.size(), " bytes, \"",
             token.substr(0, valid_utf8_prefix(token.substr(0, 40))), "...\"; supported are at most ", most);
    }
}

/// The two-way table of tokens and ids.
class Vocabulary {
public:
    /// Errors, which name `source`: format (not UTF-8), vocabulary (a token twice, a negative id, ids too sparse to be
    /// meant).
    explicit Vocabulary(std::vector<TokenizerConfig::VocabularyEntry> entries, std::string_view source = "vocabulary")
        : entries_(std::move(entries)) {
        std::sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) { return a.token < b.token; });
        // An id takes a slot of the table, so ids far beyond the number of tokens are refused before they cost memory.
        const std::size_t limit = std::max<std::size_t>(std::size_t{1} << 16, 64 * entries_.size());
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            const auto& [token, id] = entries_[i];
            if (valid_utf8_prefix(token) != token.size()) {
                fail(ErrorKind::format, source, ": the vocabulary entry with id ", id, " is not valid UTF-8");
            }
            if (i > 0 && token == entries_[i - 1].token) {
                fail(ErrorKind::vocabulary, source, ": the vocabulary holds \"", token, "\" twice");
            }
            if (id < 0 || static_cast<std::size_t>(id) >= limit) {
                fail(ErrorKind::vocabulary, source, ": the id of \"", token, "\" should be from 0 to ", limit - 1,
                     " (for ", entries_.size(), " tokens), given ", id);
            }
            if (by_id_.size() <= static_cast<std::size_t>(id)) by_id_.resize(static_cast<std::size_t>(id) + 1, absent);
            by_id_[static_cast<std::size_t>(id)] = static_cast<std::uint32_t>(i);
        }
    }

    /// Number of tokens, which is less than id_limit() where ids have holes.
    std::size_t size() const noexcept { return entries_.size(); }

    /// The highest id + 1.
    std::size_t id_limit() const noexcept { return by_id_.size(); }

    std::optional<std::int32_t> find(std::string_view token) const noexcept {
        const auto entry = std::lower_bound(entries_.begin(), entries_.end(), token,
                                            [](const auto& e, std::string_view t) { return e.token < t; });
        if (entry == entries_.end() || entry->token != token) return std::nullopt;
        return entry->id;
    }

    /// The token of an id, or null.
    const std::string* token(std::int32_t id) const noexcept {
        if (id < 0 || static_cast<std::size_t>(id) >= by_id_.size()) return nullptr;
        const std::uint32_t index = by_id_[static_cast<std::size_t>(id)];
        return index == absent ? nullptr : &entries_[index].token;
    }

    /// All tokens, sorted by their bytes.
    const std::vector<TokenizerConfig::VocabularyEntry>& entries() const noexcept { return entries_; }

private:
    static constexpr std::uint32_t absent = 0xFFFFFFFF;
    std::vector<TokenizerConfig::VocabularyEntry> entries_;
    std::vector<std::uint32_t> by_id_;
};

/// Greedy longest-match-first WordPiece. A word that cannot be segmented, or is too long, is one unknown token.
class WordPiece {
public:
    /// Errors: vocabulary where the unknown token is not in it.
    WordPiece(const Vocabulary& vocabulary, const TokenizerConfig& config)
        : max_characters_(config.max_input_chars_per_word) {
        const auto unknown = vocabulary.find(config.unk_token);
        if (!unknown)
            fail(ErrorKind::vocabulary, config.source, ": the vocabulary lacks the unknown token \"", config.unk_token,
                 "\"");
        unknown_id_ = *unknown;

        const std::string& prefix = config.continuing_subword_prefix;
        std::vector<Trie::Entry> entries;
        entries.reserve(vocabulary.size());
        for (const auto& [token, id] : vocabulary.entries()) {
            // Longer than any word: never matches, and need not cost a path in the trie.
            if (count_characters(token) > max_characters_ + count_characters(prefix)) continue;
            check_token_size(token, config.source);
            entries.push_back({token, id});
        }
        trie_ = Trie(entries);
        continuation_ = trie_.walk(prefix);
    }

    std::size_t max_characters() const noexcept { return max_characters_; }

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
    void unknown(Range word, std::uint32_t index, std::vector<Piece>& out) const {
        out.push_back({unknown_id_, word.begin, word.end, index});
    }

private:
    template <class Origin>
    bool segment(std::string_view word, const Origin& origin, std::uint32_t index, std::vector<Piece>& out) const {
        Trie::State start = Trie::root;
        for (std::size_t at = 0; at < word.size(); start = continuation_) {
            if (start == Trie::none) return false;
            const Trie::Match match = trie_.longest_match(word.substr(at), start);
            if (match.value < 0) return false;
            const Range range = origin(at, at + match.size);
            out.push_back({match.value, range.begin, range.end, index});
            at += match.size;
        }
        return true;
    }

    Trie trie_;
    Trie::State continuation_ = Trie::none;  // where the walk of a continuing piece starts: behind the prefix
    std::int32_t unknown_id_ = 0;
    std::size_t max_characters_;
};

}  // namespace detail

BERT_NAMESPACE_END
