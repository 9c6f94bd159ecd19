// What a tokenizer returns for a text or a pair of texts. Depends on config.hpp only.
#pragma once

#include <bert/config.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// A half-open range [begin, end) of positions in the text the caller gave.
struct Span {
    std::size_t begin = 0;  ///< the first unit
    std::size_t end = 0;    ///< behind the last unit

    /// Of the same begin and end.
    friend bool operator==(const Span& a, const Span& b) { return a.begin == b.begin && a.end == b.end; }
    friend bool operator!=(const Span& a, const Span& b) { return !(a == b); }  ///< of another begin or end
};

/// A tokenized text or pair of texts, ready for BertModel::forward. All vectors have one element per token and follow
/// the fields of the same name of Hugging Face's `tokenizers.Encoding`.
struct Encoding {
    std::vector<std::int32_t> ids;                  ///< vocabulary ids
    std::vector<std::int32_t> type_ids;             ///< 0 for the first text, 1 for the second (as the template says)
    std::vector<std::uint8_t> special_tokens_mask;  ///< 1 for tokens the template or padding added
    std::vector<std::uint8_t> attention_mask;       ///< 0 for padding, else 1
    std::vector<Span> offsets;                      ///< where the token stands in its text; {0, 0} for added tokens
    std::vector<std::string> tokens;                ///< the vocabulary entry, or the matched text of an added token
    std::vector<std::int32_t> word_ids;             ///< index of the word within its text; -1 for added tokens
    std::vector<std::int32_t> sequence_ids;         ///< 0 or 1: which text the token comes from; -1 for added tokens
    bool truncated = false;                         ///< whether tokens were cut off to respect the maximal length
    std::vector<Encoding> overflowing;              ///< the further windows of a truncated text

    std::size_t size() const noexcept { return ids.size(); }  ///< tokens, special ones included
    bool empty() const noexcept { return ids.empty(); }       ///< whether there is no token
};

/// What a model needs of a tokenized text: ids without offsets and strings. The text, cut to its length, is the first
/// window; the further windows of a cut text follow where they were asked for.
struct TokenIds {
    std::vector<std::int32_t> ids;         ///< of all windows, one after another
    std::vector<std::int32_t> type_ids;    ///< as many as `ids`
    std::vector<std::size_t> window_ends;  ///< where each window ends in `ids`; it begins where the one before it ends
    std::size_t total_tokens = 0;          ///< tokens of the whole text, special tokens included, before cutting
    bool truncated = false;                ///< whether the first window lacks tokens of the text
};

BERT_NAMESPACE_END
