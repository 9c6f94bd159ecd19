// Added tokens: tokens such as [MASK] that are found in the text itself, before words are cut.
// Depends on text/normalizer.hpp and text/wordpiece.hpp.
#pragma once

#include <bert/config.hpp>
#include <bert/io/tokenizer_config.hpp>
#include <bert/text/normalizer.hpp>
#include <bert/text/trie.hpp>
#include <bert/text/unicode.hpp>
#include <bert/text/utf8.hpp>
#include <bert/text/wordpiece.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// A set of added tokens to look for in one kind of text, raw or normalized.
class AddedTokenMatcher {
public:
    struct Pattern {
        std::string text;
        std::int32_t id;
        bool single_word, lstrip, rstrip;
    };

    /// Of equal patterns the first counts.
    explicit AddedTokenMatcher(std::vector<Pattern> patterns = {});

    bool empty() const noexcept { return patterns_.empty(); }

    /// Cuts `text` into added tokens and what lies between: calls emit(begin, end, pattern), where `pattern` is null
    /// for text in between. The parts are in order; a token that takes whitespace along may overlap the one behind it.
    template <class Emit>
    void split(std::string_view text, Emit&& emit) const {
        std::size_t done = 0;        // behind the last part given out
        std::size_t spaces_end = 0;  // behind the whitespace that an rstrip token took along last
        std::size_t spaces_begin = 0;
        for (std::size_t at = 0; (at = next_candidate(text, at)) < text.size();) {
            const Trie::Match match = trie_.longest_match(text.substr(at));
            if (match.value < 0) {
                ++at;
                continue;
            }
            const Pattern& pattern = patterns_[static_cast<std::size_t>(match.value)];
            std::size_t begin = at, end = at + match.size;
            at = end;  // even if the match is dropped below
            if (pattern.single_word && (word_before(text, begin) || word_at(text, end))) continue;
            if (pattern.lstrip) {
                while (begin > done) {
                    const DecodedCharacter before = decode_utf8_before(text.data() + begin);
                    if (!unicode::is_space(before.code)) break;
                    begin -= before.size;
                }
                begin = std::max(begin, done);
            }
            if (pattern.rstrip) {
                if (end < spaces_begin || end > spaces_end) {
                    spaces_begin = spaces_end = end;
                    while (spaces_end < text.size()) {
                        const DecodedCharacter next = decode_utf8(text.data() + spaces_end);
                        if (!unicode::is_space(next.code)) break;
                        spaces_end += next.size;
                    }
                }
                end = spaces_end;
            }
            // A token of whitespace inside the whitespace that the token before it took along (the reference panics).
            if (begin >= end) continue;
            if (done < begin) emit(done, begin, static_cast<const Pattern*>(nullptr));
            emit(begin, end, &pattern);
            done = end;
        }
        if (done < text.size()) emit(done, text.size(), static_cast<const Pattern*>(nullptr));
    }

private:
    std::size_t next_candidate(std::string_view text, std::size_t at) const noexcept;

    static bool word_before(std::string_view text, std::size_t at) noexcept;
    static bool word_at(std::string_view text, std::size_t at) noexcept;

    std::vector<Pattern> patterns_;
    Trie trie_;
    std::optional<unsigned char> only_first_byte_;
    std::array<bool, 256> begins_pattern_ = {};
};

/// The added tokens of a tokenizer with their ids.
class AddedVocabulary {
public:
    /// Numbers the tokens as the reference does: one that the vocabulary knows keeps its id, another gets the next id
    /// from the number of vocabulary entries on. Errors: format (not UTF-8), vocabulary (nothing left of a token after
    /// normalization).
    AddedVocabulary(const TokenizerConfig& config, const Vocabulary& vocabulary, const Normalizer& normalizer);

    /// Tokens found in the text as it is given.
    const AddedTokenMatcher& raw() const noexcept { return raw_; }
    /// Tokens found in the normalized text.
    const AddedTokenMatcher& normalized() const noexcept { return normalized_; }

    std::optional<std::int32_t> find(std::string_view token) const;

    /// The text of an added token, in its normalized form where that is what is looked for; null for other ids.
    const std::string* token(std::int32_t id) const;

    bool is_special(std::string_view token) const { return specials_.find(token) != specials_.end(); }

    /// The highest id + 1.
    std::size_t id_limit() const { return by_id_.empty() ? 0 : static_cast<std::size_t>(by_id_.rbegin()->first) + 1; }

private:
    struct Entry {
        AddedToken token;
        std::string text;
    };

    static std::string normalize(std::string_view text, const Normalizer& normalizer);

    std::map<std::string, std::int32_t, std::less<>> ids_;
    std::map<std::int32_t, Entry> by_id_;
    std::set<std::string, std::less<>> specials_;
    AddedTokenMatcher raw_, normalized_;
};

}  // namespace detail

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/text/added_tokens.ipp>
#endif
