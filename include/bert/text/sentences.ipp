// Definitions of text/sentences.hpp.
#pragma once

#include <bert/text/sentences.hpp>
#include <bert/text/unicode.hpp>

#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

struct SentenceCharacter {
    char32_t code;
    std::size_t begin;  // in the valid text
    std::size_t end;
};

/// Ends a sentence by itself: scripts without spaces between sentences, and marks with this meaning alone.
BERT_INLINE bool is_full_terminator(char32_t c) noexcept {
    switch (c) {
        case 0x3002:
        case 0xFF61:
        case 0xFF0E:
        case 0xFF01:
        case 0xFF1F:  // 。｡．！？
        case 0x0964:
        case 0x0965:  // Devanagari danda and double danda
        case 0x061F:
        case 0x06D4:
        case 0x0700:
        case 0x0701:
        case 0x0702:  // Arabic ؟ ۔, Syriac
        case 0x0589:
        case 0x037E:
        case 0x1362:
        case 0x1367:
        case 0x1368:  // Armenian, Greek question mark, Ethiopic
        case 0x0F0D:
        case 0x0F0E:
        case 0x104B:
        case 0x17D4:
        case 0x17D5:  // Tibetan, Myanmar, Khmer
        case 0x1803:
        case 0x1809:
        case 0x2E3C:
        case 0xA6F3:  // Mongolian, Stenographic, Bamum
            return true;
        default: return false;
    }
}

/// Ends a sentence where a space or the end of the text follows.
BERT_INLINE bool is_spaced_terminator(char32_t c) noexcept {
    return c == '.' || c == '!' || c == '?' || c == 0x2026 || (c >= 0x203C && c <= 0x203D) ||
           (c >= 0x2047 && c <= 0x2049);
}

/// Closing quotes and brackets, which belong to the sentence they follow.
BERT_INLINE bool is_closer(char32_t c) noexcept {
    switch (c) {
        case '"':
        case '\'':
        case ')':
        case ']':
        case '}':
        case 0xBB:
        case 0x2019:
        case 0x201D:
        case 0x203A:
        case 0x300D:
        case 0x300F:
        case 0x3009:
        case 0x300B:
        case 0x3011:
        case 0xFF09:
        case 0xFF3D:
        case 0xFF63: return true;
        default: return false;
    }
}

BERT_INLINE bool is_opener(char32_t c) noexcept {
    switch (c) {
        case '"':
        case '\'':
        case '(':
        case '[':
        case '{':
        case 0xAB:
        case 0xBF:
        case 0xA1:
        case 0x2018:
        case 0x201C:
        case 0x201E:
        case 0x2039: return true;
        default: return false;
    }
}

/// A letter of Latin, Greek, Cyrillic or Armenian that is no capital.
BERT_INLINE bool is_small_letter(char32_t c) noexcept {
    const bool cased = (c >= 'a' && c <= 'z') || (c >= 0xDF && c <= 0x24F) || (c >= 0x370 && c <= 0x52F) ||
                       (c >= 0x561 && c <= 0x587) || (c >= 0x1E00 && c <= 0x1FFF);
    return cased && unicode::is_word(c) && unicode::character(c).lower_delta == 0;
}

BERT_INLINE bool is_capital_letter(char32_t c) noexcept {
    return unicode::is_word(c) && unicode::character(c).lower_delta != 0;
}

BERT_INLINE bool is_digit(char32_t c) noexcept {
    return c >= '0' && c <= '9';
}

BERT_INLINE bool contains(const std::vector<std::string>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

/// Finds sentence ends in the characters of a text.
class SentenceSplitter {
public:
    SentenceSplitter(std::string_view text, const SentenceOptions& options) : text_(text), options_(options) {
        for (std::size_t at = 0; at < text.size();) {
            const DecodedCharacter c = decode_utf8(text.data() + at);
            characters_.push_back({c.code, at, at + c.size});
            at += c.size;
        }
    }

    /// Spans in the text, without the space around sentences.
    std::vector<Span> split() {
        begin_ = skip_space(0);
        std::size_t at = begin_;
        while (at < characters_.size()) {
            if (is_paragraph_end(at)) {
                close(at);
            } else if (is_full_terminator(code(at)) || is_spaced_terminator(code(at))) {
                const std::size_t run = at;
                bool full = false;
                while (at < characters_.size() && (is_full_terminator(code(at)) || is_spaced_terminator(code(at)))) {
                    full |= is_full_terminator(code(at++));
                }
                const std::size_t marks = at;
                while (at < characters_.size() && is_closer(code(at))) ++at;
                if (ends_sentence(run, marks, at, full)) close(at);
                continue;
            }
            ++at;
        }
        close(characters_.size());
        return std::move(sentences_);
    }

private:
    char32_t code(std::size_t at) const { return characters_[at].code; }

    bool is_space(std::size_t at) const { return unicode::is_space(code(at)); }

    std::size_t skip_space(std::size_t at) const {
        while (at < characters_.size() && is_space(at)) ++at;
        return at;
    }

    /// A paragraph separator, or the first of two line feeds with nothing but space between.
    bool is_paragraph_end(std::size_t at) const {
        if (code(at) == 0x2029) return true;
        if (code(at) != '\n') return false;
        for (++at; at < characters_.size() && is_space(at); ++at) {
            if (code(at) == '\n') return true;
        }
        return false;
    }

    /// Ends the sentence before `end`; one of space alone is none.
    void close(std::size_t end) {
        if (end <= begin_) return;
        const std::size_t begin = begin_;
        begin_ = skip_space(end);
        while (end > begin && is_space(end - 1)) --end;
        if (begin < end) sentences_.push_back({characters_[begin].begin, characters_[end - 1].end});
    }

    /// The word from `begin` on, in lower case.
    std::string word_from(std::size_t begin) const {
        std::string word;
        for (std::size_t at = begin; at < characters_.size() && unicode::is_word(code(at)); ++at) append(word, at);
        return word;
    }

    void append(std::string& word, std::size_t at) const {
        unicode::lower(code(at), unicode::character(code(at)), [&](char32_t c) {
            char bytes[4];
            word.append(bytes, encode_utf8(c, bytes));
        });
    }

    /// Where the run of letters, digits and inner full stops before `end` begins.
    std::size_t word_begin(std::size_t end) const {
        std::size_t at = end;
        while (at > begin_ && (unicode::is_word(code(at - 1)) || code(at - 1) == '.')) --at;
        return at;
    }

    /// Whether the marks [run, marks) with the closing signs [marks, at) end a sentence.
    bool ends_sentence(std::size_t run, std::size_t marks, std::size_t at, bool full) const {
        if (at == characters_.size()) return true;
        const bool decimal = code(run) == 0xFF0E && code(at) >= 0xFF10 && code(at) <= 0xFF19;  // ３．１４
        if (full) return !decimal;
        // "3.14", "example.com", "Really?!yes": without a space only text of a script without spaces ends.
        if (!is_space(at)) return marks - run >= 1 && (unicode::character(code(at)).flags & unicode::cjk) != 0;
        std::size_t next = skip_space(at);
        if (next == characters_.size()) return true;
        for (std::size_t i = at; i < next; ++i) {
            if (is_paragraph_end(i)) return true;
        }
        while (next < characters_.size() && is_opener(code(next))) ++next;
        if (next == characters_.size()) return true;

        const bool stop = marks == run + 1 && code(run) == '.';
        const bool small = is_small_letter(code(next));
        // "He asked \"Why?\" and left." goes on; "why? because" does not.
        const bool weak = stop || code(run) == 0x2026 || (code(run) == '.' && marks > run + 1) || at > marks;
        if (small && weak) return false;
        return !stop || at > marks || !is_abbreviation(run, next);
    }

    /// Whether the full stop at `stop` belongs to the word before it, `next` being where the text goes on.
    bool is_abbreviation(std::size_t stop, std::size_t next) const {
        const std::size_t begin = word_begin(stop);
        if (begin == stop) return false;
        const bool inner_stop = std::any_of(characters_.begin() + static_cast<std::ptrdiff_t>(begin),
                                            characters_.begin() + static_cast<std::ptrdiff_t>(stop),
                                            [](const SentenceCharacter& c) { return c.code == '.'; });
        std::string word;
        for (std::size_t at = begin; at < stop; ++at) append(word, at);
        // "1. First": a number that opens a line is no sentence.
        const bool number =
            std::all_of(word.begin(), word.end(), [](char c) { return is_digit(static_cast<unsigned char>(c)); });
        if (number) return begin == begin_;
        if (contains(leading_abbreviations, word) || contains(options_.abbreviations, word)) return true;
        if (contains(numbered_abbreviations, word) && is_digit(code(next))) return true;
        const bool initial = stop - begin == 1 && is_capital_letter(code(begin)) && word != "i";
        if (initial && begin == begin_) return true;
        // "U.S.", "a.m.": letters with full stops between them.
        const bool letters = inner_stop && stop - begin <= 7;
        if (initial || letters || contains(open_abbreviations, word)) {
            return !contains(sentence_starters, word_from(next));
        }
        return false;
    }

    std::string_view text_;
    const SentenceOptions& options_;
    std::vector<SentenceCharacter> characters_;
    std::size_t begin_ = 0;  // first character of the sentence at hand, no space
    std::vector<Span> sentences_;
};

}  // namespace detail

BERT_INLINE std::vector<Span> split_sentences(std::string_view text, const SentenceOptions& options) {
    const detail::ValidText valid(text, options.invalid_utf8);
    std::vector<Span> sentences = detail::SentenceSplitter(valid.view(), options).split();
    if (valid.repaired()) {
        for (Span& span : sentences) {
            span = {valid.original_position(span.begin), valid.original_position(span.end)};
        }
    }
    return sentences;
}

BERT_NAMESPACE_END
