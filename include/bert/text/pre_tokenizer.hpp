// The pre-tokenizer: a stream of normalized characters is cut at whitespace and around punctuation, and each word goes
// on to WordPiece. Depends on text/unicode.hpp and text/wordpiece.hpp.
#pragma once

#include <bert/config.hpp>
#include <bert/text/wordpiece.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// A sink of Normalizer that collects one word at a time. Memory is bounded by the longest word WordPiece looks into.
class WordBuilder {
public:
    /// Words are numbered from `next_word` on, which is advanced; pieces are appended to `out`.
    WordBuilder(const WordPiece& model, std::uint32_t& next_word, std::vector<Piece>& out);

    void operator()(char32_t code, std::uint8_t flags, Range origin);

    /// Ends the word begun, if any.
    void finish();

private:
    void append(char32_t code, Range origin);

    void finish_known();

    const WordPiece& model_;
    std::uint32_t& next_word_;
    std::vector<Piece>& out_;
    std::vector<char> bytes_;     // the word in UTF-8, with room behind it
    std::vector<Range> origins_;  // of each byte
    std::size_t size_ = 0;        // bytes of the word
    std::size_t characters_ = 0;
    Range first_ = {0, 0}, last_ = {0, 0};
};

}  // namespace detail

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/text/pre_tokenizer.ipp>
#endif
