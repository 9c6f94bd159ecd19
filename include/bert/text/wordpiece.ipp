// Definitions of text/wordpiece.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/text/utf8.hpp>
#include <bert/text/wordpiece.hpp>

#include <algorithm>
#include <array>
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
    sort_by_token(source);
    const std::size_t limit = first_refused_id(entries_.size());  // an id takes a slot of the table
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

BERT_INLINE void Vocabulary::sort_by_token(std::string_view source) {
    // The first eight bytes, zeros where a token is shorter, as a number that orders as they do.
    struct Key {
        std::uint64_t start;
        std::uint32_t index;
    };
    std::vector<Key> keys, sorted(entries_.size());
    keys.reserve(entries_.size());
    // By the lowest 11 bits, then by the 11 above and so on, each time keeping the order of equal ones.
    constexpr unsigned digit_bits = 11, digits = 6, mask = (1 << digit_bits) - 1;
    std::array<std::array<std::uint32_t, mask + 2>, digits> places{};
    for (const Entry& entry : entries_) {
        std::uint64_t start = 0;
        const std::size_t size = std::min(entry.token.size(), sizeof start);
        for (std::size_t i = 0; i < size; ++i) start = start << 8 | static_cast<unsigned char>(entry.token[i]);
        if (size > 0) start <<= 8 * (sizeof start - size);
        keys.push_back({start, static_cast<std::uint32_t>(keys.size())});
        for (unsigned i = 0; i < digits; ++i) ++places[i][(start >> i * digit_bits & mask) + 1];
    }
    for (unsigned i = 0; i < digits; ++i) {
        auto& place = places[i];
        for (std::size_t digit = 1; digit < place.size(); ++digit) place[digit] += place[digit - 1];
        for (const Key& key : keys) sorted[place[key.start >> i * digit_bits & mask]++] = key;
        keys.swap(sorted);
    }
    const auto token = [this](Key key) -> const std::string& { return entries_[key.index].token; };
    for (auto begin = keys.begin(); begin != keys.end();) {
        const auto end = std::find_if(begin, keys.end(), [begin](Key key) { return key.start != begin->start; });
        if (end - begin > 1) {
            std::sort(begin, end, [&](Key a, Key b) { return token(a) < token(b); });
            const auto twice = std::adjacent_find(begin, end, [&](Key a, Key b) { return token(a) == token(b); });
            if (twice != end) {
                fail(ErrorKind::vocabulary, source, ": the vocabulary holds \"", token(*twice), "\" twice");
            }
        }
        begin = end;
    }
    by_token_.reserve(keys.size());
    for (const Key& key : keys) by_token_.push_back(key.index);
}

BERT_INLINE WordPiece::WordPiece(const Vocabulary& vocabulary, const TokenizerConfig& config)
    : max_characters_(config.max_input_chars_per_word) {
    const auto unknown = vocabulary.find(config.unk_token);
    if (!unknown)
        fail(ErrorKind::vocabulary, config.source, ": the vocabulary lacks the unknown token \"", config.unk_token,
             "\"");
    unknown_id_ = *unknown;

    const std::string& prefix = config.continuing_subword_prefix;
    const std::size_t longest = max_characters_ + count_characters(prefix);
    Trie::Builder all(vocabulary.size()), continuing(vocabulary.size() / 4);
    for (const std::uint32_t index : vocabulary.by_token()) {
        const auto& [token, id] = vocabulary.entries()[index];
        // Longer than any word: never matches, and need not cost a path in the trie.
        if (token.size() > longest && count_characters(token) > longest) continue;
        check_token_size(token, config.source);
        all.add(token, id);
        if (token.compare(0, prefix.size(), prefix) == 0) {
            continuing.add(std::string_view(token).substr(prefix.size()), id);
        }
    }
    trie_ = all.finish();
    continuing_ = continuing.finish();
    if (max_characters_ >= ShortWord::max_size) {
        words_ = WordTable(vocabulary.size());
        // Vocabularies are written by falling frequency, and the table keeps what comes first.
        for (const auto& [token, id] : vocabulary.entries()) words_.insert(token, id);
    }
}

BERT_INLINE void WordPiece::unknown(Range word, std::uint32_t index, std::vector<Piece>& out) const {
    out.push_back({unknown_id_, word.begin, word.end, index});
}

}  // namespace detail

BERT_NAMESPACE_END
