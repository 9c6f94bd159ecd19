// Definitions of text/pre_tokenizer.hpp.
#pragma once

#include <bert/text/pre_tokenizer.hpp>
#include <bert/text/utf8.hpp>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE WordBuilder::WordBuilder(const WordPiece& model, std::uint32_t& next_word, std::vector<Piece>& out)
    : model_(model), next_word_(next_word), out_(out) {}

BERT_INLINE void WordBuilder::operator()(char32_t code, std::uint8_t flags, Range origin) {
    if (flags & unicode::space) {
        finish();
    } else if (flags & unicode::punctuation) {
        finish();
        append(code, origin);
        finish();
    } else {
        append(code, origin);
    }
}

BERT_INLINE void WordBuilder::finish() {
    if (characters_ == 0) return;
    if (characters_ > model_.max_characters()) {
        model_.unknown({first_.begin, last_.end}, next_word_, out_);
    } else {
        finish_known();
    }
    ++next_word_;
    size_ = 0;
    characters_ = 0;
}

BERT_INLINE void WordBuilder::append(char32_t code, Range origin) {
    if (characters_ == 0) first_ = origin;
    last_ = origin;
    if (++characters_ > model_.max_characters()) return;  // already sure to be unknown
    if (size_ + 4 > bytes_.size()) {
        bytes_.resize(2 * size_ + 64);  // at least the 16 bytes that ShortWord::load reads
        origins_.resize(bytes_.size());
    }
    const std::size_t end = size_ + encode_utf8(code, bytes_.data() + size_);
    while (size_ < end) origins_[size_++] = origin;
}

BERT_INLINE void WordBuilder::finish_known() {
    if (size_ <= ShortWord::max_size) {
        const std::int32_t id = model_.whole_words().find(ShortWord::load(bytes_.data(), size_));
        if (id >= 0) {
            out_.push_back({id, first_.begin, last_.end, next_word_});
            return;
        }
    }
    const auto origin = [this](std::size_t begin, std::size_t end) {
        return Range{origins_[begin].begin, origins_[end - 1].end};
    };
    model_.tokenize({bytes_.data(), size_}, origin, next_word_, out_);
}

}  // namespace detail

BERT_NAMESPACE_END
