// The vocabulary and the WordPiece model: a word becomes the longest pieces the vocabulary knows, from left to right.
// Depends on io/tokenizer_config.hpp, text/trie.hpp and text/word_table.hpp.
#pragma once

#include <bert/config.hpp>
#include <bert/error.hpp>
#include <bert/io/tokenizer_config.hpp>
#include <bert/text/trie.hpp>
#include <bert/text/utf8.hpp>
#include <bert/text/word_table.hpp>

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
    using Entry = TokenizerConfig::VocabularyEntry;

    /// Errors, which name `source`: format (not UTF-8), vocabulary (a token twice, a negative id, ids too sparse to be
    /// meant).
    explicit Vocabulary(std::vector<Entry> entries, std::string_view source = "vocabulary")
        : entries_(std::move(entries)) {
        sort_by_id();
        sort_by_token();
        const auto same_text = [this](std::uint32_t a, std::uint32_t b) {
            return entries_[a].token == entries_[b].token;
        };
        const auto twice = std::adjacent_find(by_token_.begin(), by_token_.end(), same_text);
        if (twice != by_token_.end()) {
            fail(ErrorKind::vocabulary, source, ": the vocabulary holds \"", entries_[*twice].token, "\" twice");
        }
        // An id takes a slot of the table, so ids far beyond the number of tokens are refused before they cost memory.
        const std::size_t limit = std::max<std::size_t>(std::size_t{1} << 16, 64 * entries_.size());
        for (const auto& [token, id] : entries_) {
            if (valid_utf8_prefix(token) != token.size()) {
                fail(ErrorKind::format, source, ": the vocabulary entry with id ", id, " is not valid UTF-8");
            }
            if (id < 0 || static_cast<std::size_t>(id) >= limit) {
                fail(ErrorKind::vocabulary, source, ": the id of \"", token, "\" should be from 0 to ", limit - 1,
                     " (for ", entries_.size(), " tokens), given ", id);
            }
        }
        by_id_.resize(entries_.empty() ? 0 : static_cast<std::size_t>(entries_.back().id) + 1, absent);
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            by_id_[static_cast<std::size_t>(entries_[i].id)] = static_cast<std::uint32_t>(i);
        }
    }

    /// Number of tokens, which is less than id_limit() where ids have holes.
    std::size_t size() const noexcept { return entries_.size(); }

    /// The highest id + 1.
    std::size_t id_limit() const noexcept { return by_id_.size(); }

    std::optional<std::int32_t> find(std::string_view token) const noexcept {
        const auto place = std::lower_bound(by_token_.begin(), by_token_.end(), token,
                                            [&](std::uint32_t i, std::string_view t) { return entries_[i].token < t; });
        if (place == by_token_.end() || entries_[*place].token != token) return std::nullopt;
        return entries_[*place].id;
    }

    /// The token of an id, or null.
    const std::string* token(std::int32_t id) const noexcept {
        if (id < 0 || static_cast<std::size_t>(id) >= by_id_.size()) return nullptr;
        const std::uint32_t index = by_id_[static_cast<std::size_t>(id)];
        return index == absent ? nullptr : &entries_[index].token;
    }

    /// All tokens, sorted by id.
    const std::vector<Entry>& entries() const noexcept { return entries_; }

    /// Indices into entries(), sorted by the bytes of the tokens.
    const std::vector<std::uint32_t>& by_token() const noexcept { return by_token_; }

private:
    /// Files mostly list tokens in the order of ids, where frequent ones lie close together.
    void sort_by_id() {
        const auto before = [](const Entry& a, const Entry& b) {
            return a.id != b.id ? a.id < b.id : a.token < b.token;
        };
        if (!std::is_sorted(entries_.begin(), entries_.end(), before)) {
            std::sort(entries_.begin(), entries_.end(), before);
        }
    }

    void sort_by_token() {
        // The first bytes as a number decide most comparisons without touching the strings.
        std::vector<std::pair<std::uint64_t, std::uint32_t>> order;
        order.reserve(entries_.size());
        for (const Entry& entry : entries_) {
            std::uint64_t start = 0;
            for (std::size_t i = 0; i < 8; ++i) {
                start = start << 8 | (i < entry.token.size() ? static_cast<unsigned char>(entry.token[i]) : 0u);
            }
            order.emplace_back(start, static_cast<std::uint32_t>(order.size()));
        }
        std::sort(order.begin(), order.end(), [this](const auto& a, const auto& b) {
            return a.first != b.first ? a.first < b.first : entries_[a.second].token < entries_[b.second].token;
        });
        by_token_.reserve(order.size());
        for (const auto& [start, index] : order) by_token_.push_back(index);
    }

    static constexpr std::uint32_t absent = 0xFFFFFFFF;
    std::vector<Entry> entries_;
    std::vector<std::uint32_t> by_token_, by_id_;
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
        std::vector<WordTable::Entry> words;
        entries.reserve(vocabulary.size());
        words.reserve(vocabulary.size());
        for (const std::uint32_t index : vocabulary.by_token()) {
            const auto& [token, id] = vocabulary.entries()[index];
            // Longer than any word: never matches, and need not cost a path in the trie.
            if (count_characters(token) > max_characters_ + count_characters(prefix)) continue;
            check_token_size(token, config.source);
            entries.push_back({token, id});
        }
        // Vocabularies are written by falling frequency, and the table keeps what comes first.
        for (const auto& [token, id] : vocabulary.entries()) words.push_back({token, id});
        if (max_characters_ >= ShortWord::max_size) words_ = WordTable(words);
        trie_ = Trie(entries);
        continuation_ = trie_.walk(prefix);
    }

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
    WordTable words_;
    Trie::State continuation_ = Trie::none;  // where the walk of a continuing piece starts: behind the prefix
    std::int32_t unknown_id_ = 0;
    std::size_t max_characters_;
};

}  // namespace detail

BERT_NAMESPACE_END
