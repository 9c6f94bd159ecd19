// The normalizer: cleaning, decomposition, stripping of marks and lower case, character by character, with each
// resulting character's place in the text. Depends on io/tokenizer_config.hpp and text/unicode.hpp.
#pragma once

#include <bert/config.hpp>
#include <bert/io/tokenizer_config.hpp>
#include <bert/text/unicode.hpp>
#include <bert/text/utf8.hpp>
#include <bert/text/wordpiece.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Normalizes a text as a stream. Every step works on single characters except the sorting of marks that follows
/// decomposition, for which the marks behind a base character are held back in State until the next base character.
///
/// A sink is called with (character, flags, range): the flags `space` and `punctuation` of unicode.hpp are those of the
/// character, the range is where the reference says it comes from.
class Normalizer {
public:
    /// Marks waiting for their order.
    struct State {
        struct Mark {
            char32_t code;
            std::uint8_t combining_class;
            bool takes_origin;  // the first character of a decomposition
        };
        std::vector<Mark> marks;
        std::vector<Range> origins;  // of the marks that take one, in order of the text
        Range last = {0, 0};         // origin taken most recently
    };

    explicit Normalizer(const NormalizerConfig& config) : config_(config) {
        if (config.clean_text) attention_ |= unicode::removed | unicode::space;
        if (config.handle_chinese_chars) attention_ |= unicode::cjk;
        if (config.strip_nonspacing_marks) attention_ |= unicode::nonspacing;
        if (config.strip_marks) attention_ |= unicode::mark;
        changes_case_ = config.lowercase || config.lowercase_first;
    }

    /// Normalizes the valid UTF-8 text[begin, end) from start to finish.
    template <class Sink>
    void run(std::string_view text, std::size_t begin, std::size_t end, State& state, Sink&& sink) const {
        for (std::size_t at = begin; at < end;) {
            const DecodedCharacter c = decode_utf8(text.data() + at);
            push(c.code, {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + c.size)}, state, sink);
            at += c.size;
        }
        flush(state, sink);
    }

    /// Takes in the next character of the text.
    template <class Sink>
    void push(char32_t code, Range origin, State& state, Sink&& sink) const {
        const unicode::Character& info = unicode::character(code);
        const bool plain = (info.flags & attention_) == 0 && (info.lower_delta == 0 || !changes_case_) &&
                           (!config_.decompose || (info.decomposition_size == 0 && info.combining_class == 0 &&
                                                   !unicode::is_hangul_syllable(code)));
        if (plain) {
            flush(state, sink);
            state.last = origin;
            sink(code, info.flags, origin);
        } else if (config_.lowercase_first) {
            unicode::lower(code, info, [&](char32_t c) { clean(c, unicode::character(c), origin, state, sink); });
        } else {
            clean(code, info, origin, state, sink);
        }
    }

    /// Gives out the marks held back. Must end a text; does no harm before a character that is no mark.
    template <class Sink>
    void flush(State& state, Sink&& sink) const {
        if (state.marks.empty()) return;
        const auto by_class = [](const State::Mark& a, const State::Mark& b) {
            return a.combining_class < b.combining_class;
        };
        if (!std::is_sorted(state.marks.begin(), state.marks.end(), by_class)) {
            std::stable_sort(state.marks.begin(), state.marks.end(), by_class);
        }
        // As in the reference, origins stay in order of the text: sorted characters take the next one each, and the
        // further characters of a decomposition share the one taken last.
        std::size_t taken = 0;
        for (const State::Mark& mark : state.marks) {
            if (mark.takes_origin) state.last = state.origins[taken++];
            finish(mark.code, unicode::character(mark.code), state.last, sink);
        }
        state.marks.clear();
        state.origins.clear();
    }

private:
    template <class Sink>
    void clean(char32_t code, const unicode::Character& info, Range origin, State& state, Sink&& sink) const {
        if (config_.clean_text && (info.flags & unicode::removed)) return;
        if (config_.clean_text && (info.flags & unicode::space)) {
            decompose(U' ', unicode::character(U' '), origin, state, sink);
        } else if (config_.handle_chinese_chars && (info.flags & unicode::cjk)) {
            decompose(U' ', unicode::character(U' '), origin, state, sink);
            decompose(code, info, origin, state, sink);
            decompose(U' ', unicode::character(U' '), origin, state, sink);
        } else {
            decompose(code, info, origin, state, sink);
        }
    }

    template <class Sink>
    void decompose(char32_t code, const unicode::Character& info, Range origin, State& state, Sink&& sink) const {
        if (!config_.decompose) {
            finish(code, info, origin, sink);
            return;
        }
        bool first = true;
        unicode::decompose(code, info, [&](char32_t c) {
            const unicode::Character& part = unicode::character(c);
            if (part.combining_class != 0) {
                state.marks.push_back({c, part.combining_class, first});
                if (first) state.origins.push_back(origin);
            } else {
                flush(state, sink);
                if (first) state.last = origin;
                finish(c, part, state.last, sink);
            }
            first = false;
        });
    }

    template <class Sink>
    void finish(char32_t code, const unicode::Character& info, Range origin, Sink&& sink) const {
        if (config_.strip_nonspacing_marks && (info.flags & unicode::nonspacing)) return;
        if (config_.strip_marks && (info.flags & unicode::mark)) return;
        if (config_.lowercase) {
            unicode::lower(code, info, [&](char32_t c) { sink(c, info.flags, origin); });
        } else {
            sink(code, info.flags, origin);
        }
    }

    NormalizerConfig config_;
    std::uint8_t attention_ = 0;  // flags of characters that some step changes
    bool changes_case_ = false;
};

}  // namespace detail

BERT_NAMESPACE_END
