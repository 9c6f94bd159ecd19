// The options of Tokenizer: how a text is read, cut to a length, and reported. Depends on text/utf8.hpp.
#pragma once

#include <bert/config.hpp>
#include <bert/text/utf8.hpp>

#include <cstddef>
#include <optional>

BERT_NAMESPACE_BEGIN

/// Which text of a pair loses tokens when both together are too long.
enum class TruncationStrategy {
    longest_first,  ///< the longer one down to the length of the other, then both
    only_first,
    only_second,
};

/// An end of a text.
enum class Side { left, right };

/// What offsets count.
enum class OffsetUnit {
    byte,        ///< bytes of the caller's UTF-8
    code_point,  ///< Unicode characters, as Python counts
};

/// How one text, or a pair, becomes ids.
struct EncodeOptions {
    bool add_special_tokens = true;         ///< [CLS] and [SEP], as the tokenizer's template has them
    std::optional<std::size_t> max_length;  ///< in tokens, special tokens included; unset: nothing is ever cut
    TruncationStrategy truncation = TruncationStrategy::longest_first;  ///< which text of a pair is cut
    Side truncation_side = Side::right;                                 ///< the end that is cut off
    std::size_t stride = 0;  ///< tokens that neighbouring windows of a cut text share
    /// Whether what is cut off is returned too, as further windows of at most max_length tokens. Of a pair of which
    /// both are cut, every window of one meets every window of the other.
    bool overflowing = false;
    std::optional<std::size_t> pad_to;          ///< shorter encodings are filled up with padding tokens
    Side padding_side = Side::right;            ///< where padding goes
    OffsetUnit offset_unit = OffsetUnit::byte;  ///< what offsets count
};

/// How a tokenizer is made.
struct TokenizerOptions {
    InvalidUtf8 invalid_utf8 = InvalidUtf8::replace;  ///< what becomes of bytes that are not UTF-8
    /// Lower-cases texts first, unless the tokenizer does so anyway (`do_lower_case` of sentence-transformers).
    bool lowercase_first = false;
};

BERT_NAMESPACE_END
