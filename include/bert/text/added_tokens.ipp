// Definitions of text/added_tokens.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/text/added_tokens.hpp>

#include <cstring>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE AddedTokenMatcher::AddedTokenMatcher(std::vector<Pattern> patterns) : patterns_(std::move(patterns)) {
    const auto by_text = [](const Pattern& a, const Pattern& b) { return a.text < b.text; };
    const auto same_text = [](const Pattern& a, const Pattern& b) { return a.text == b.text; };
    std::stable_sort(patterns_.begin(), patterns_.end(), by_text);
    patterns_.erase(std::unique(patterns_.begin(), patterns_.end(), same_text), patterns_.end());
    Trie::Builder trie(patterns_.size());
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
        trie.add(patterns_[i].text, static_cast<std::int32_t>(i));
        const auto first = static_cast<unsigned char>(patterns_[i].text.front());
        only_first_byte_ = i == 0 || only_first_byte_ == first ? std::optional(first) : std::nullopt;
        begins_pattern_[first] = true;
    }
    trie_ = trie.finish();
}

BERT_INLINE std::size_t AddedTokenMatcher::next_candidate(std::string_view text, std::size_t at) const noexcept {
    if (patterns_.empty() || at >= text.size()) return text.size();
    if (only_first_byte_) {
        const void* found = std::memchr(text.data() + at, *only_first_byte_, text.size() - at);
        return found ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) : text.size();
    }
    while (at < text.size() && !begins_pattern_[static_cast<unsigned char>(text[at])]) ++at;
    return at;
}

BERT_INLINE bool AddedTokenMatcher::word_before(std::string_view text, std::size_t at) noexcept {
    return at > 0 && unicode::is_word(decode_utf8_before(text.data() + at).code);
}

BERT_INLINE bool AddedTokenMatcher::word_at(std::string_view text, std::size_t at) noexcept {
    return at < text.size() && unicode::is_word(decode_utf8(text.data() + at).code);
}

BERT_INLINE AddedVocabulary::AddedVocabulary(const TokenizerConfig& config, const Vocabulary& vocabulary,
                                             const Normalizer& normalizer) {
    auto next_id = static_cast<std::int32_t>(vocabulary.size());
    for (const AddedToken& token : config.added_tokens) {
        if (token.content.empty()) continue;
        if (valid_utf8_prefix(token.content) != token.content.size()) {
            fail(ErrorKind::format, config.source, ": an added token is not valid UTF-8: \"", token.content, "\"");
        }
        auto [known, is_new] = ids_.try_emplace(token.content, 0);
        check_token_size(token.content, config.source);
        if (is_new) {
            const auto in_vocabulary = vocabulary.find(token.content);
            known->second = in_vocabulary ? *in_vocabulary : next_id++;
        }
        if (token.special) specials_.insert(token.content);
        by_id_[known->second] = {token, token.normalized ? normalize(token.content, normalizer) : token.content};
    }

    std::vector<AddedTokenMatcher::Pattern> raw, normalized;
    for (const auto& [id, entry] : by_id_) {
        if (entry.text.empty()) {
            fail(ErrorKind::vocabulary, config.source, ": nothing is left of the added token \"", entry.token.content,
                 "\" when it is normalized");
        }
        const AddedToken& token = entry.token;
        (token.normalized ? normalized : raw)
            .push_back({entry.text, id, token.single_word, token.lstrip, token.rstrip});
    }
    raw_ = AddedTokenMatcher(std::move(raw));
    normalized_ = AddedTokenMatcher(std::move(normalized));
}

BERT_INLINE std::optional<std::int32_t> AddedVocabulary::find(std::string_view token) const {
    const auto entry = ids_.find(token);
    return entry == ids_.end() ? std::nullopt : std::optional(entry->second);
}

BERT_INLINE const std::string* AddedVocabulary::token(std::int32_t id) const {
    const auto entry = by_id_.find(id);
    return entry == by_id_.end() ? nullptr : &entry->second.text;
}

BERT_INLINE std::string AddedVocabulary::normalize(std::string_view text, const Normalizer& normalizer) {
    std::string result;
    Normalizer::State state;
    normalizer.run(text, 0, text.size(), state, [&](char32_t c, std::uint8_t, Range) {
        char bytes[4];
        result.append(bytes, encode_utf8(c, bytes));
    });
    return result;
}

}  // namespace detail

BERT_NAMESPACE_END
