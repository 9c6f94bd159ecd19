// Definitions of text/wordpiece.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/text/utf8.hpp>
#include <bert/text/wordpiece.hpp>

#include <algorithm>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE void check_token_size(std::string_view token, std::string_view source) {
    constexpr std::size_t most = 1024;
    if (token.size() > most) {
        fail(ErrorKind::unsupported, source, ": a token of ", token.size(), " bytes, \"",
             token.substr(0, valid_utf8_prefix(token.substr(0, 40))), "...\"; supported are at most ", most);
    }
}

BERT_INLINE Vocabulary::Vocabulary(std::vector<Entry> entries, std::string_view source) : entries_(std::move(entries)) {
    sort_by_id();
    sort_by_token();
    const auto same_text = [this](std::uint32_t a, std::uint32_t b) { return entries_[a].token == entries_[b].token; };
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
            fail(ErrorKind::vocabulary, source, ": the id of \"", token, "\" should be from 0 to ", limit - 1, " (for ",
                 entries_.size(), " tokens), given ", id);
        }
    }
    by_id_.resize(entries_.empty() ? 0 : static_cast<std::size_t>(entries_.back().id) + 1, absent);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        by_id_[static_cast<std::size_t>(entries_[i].id)] = static_cast<std::uint32_t>(i);
    }
}

BERT_INLINE std::optional<std::int32_t> Vocabulary::find(std::string_view token) const noexcept {
    const auto place = std::lower_bound(by_token_.begin(), by_token_.end(), token,
                                        [&](std::uint32_t i, std::string_view t) { return entries_[i].token < t; });
    if (place == by_token_.end() || entries_[*place].token != token) return std::nullopt;
    return entries_[*place].id;
}

BERT_INLINE const std::string* Vocabulary::token(std::int32_t id) const noexcept {
    if (id < 0 || static_cast<std::size_t>(id) >= by_id_.size()) return nullptr;
    const std::uint32_t index = by_id_[static_cast<std::size_t>(id)];
    return index == absent ? nullptr : &entries_[index].token;
}

BERT_INLINE void Vocabulary::sort_by_id() {
    const auto before = [](const Entry& a, const Entry& b) { return a.id != b.id ? a.id < b.id : a.token < b.token; };
    if (!std::is_sorted(entries_.begin(), entries_.end(), before)) {
        std::sort(entries_.begin(), entries_.end(), before);
    }
}

BERT_INLINE void Vocabulary::sort_by_token() {
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

BERT_INLINE WordPiece::WordPiece(const Vocabulary& vocabulary, const TokenizerConfig& config)
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

BERT_INLINE void WordPiece::unknown(Range word, std::uint32_t index, std::vector<Piece>& out) const {
    out.push_back({unknown_id_, word.begin, word.end, index});
}

}  // namespace detail

BERT_NAMESPACE_END
