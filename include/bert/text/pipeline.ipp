// Definitions of text/pipeline.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/text/pipeline.hpp>
#include <bert/text/utf8.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE Pipeline::Pipeline(TokenizerConfig& config)
    : vocabulary_(std::move(config.vocabulary), config.source),
      model_(vocabulary_, config),
      normalizer_(config.normalizer),
      added_(config, vocabulary_, normalizer_) {
    for (std::size_t byte = 0; byte < ascii_.size(); ++byte) {
        ascii_[byte] = classify(static_cast<char32_t>(byte), config.normalizer);
    }
    lowers_ascii_ = ascii_['A'].normalized == 'a';
}

BERT_INLINE void Pipeline::check_size(std::string_view text) {
    constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
    if (text.size() > most) {
        fail(ErrorKind::input, "a text of ", text.size(), " bytes; at most ", most, " can be tokenized at once");
    }
}

BERT_INLINE void Pipeline::tokenize(std::string_view text, std::vector<Piece>& pieces,
                                    std::vector<MatchedText>* matched) const {
    check_size(text);
    pieces.clear();
    pieces.reserve(std::min<std::size_t>(text.size() / 3 + 1, 4096));
    Pass pass(*this, text, pieces, matched);
    added_.raw().split(text, [&](std::size_t begin, std::size_t end, const AddedTokenMatcher::Pattern* token) {
        if (token) pass.add_token(token->id, range(begin, end), text.substr(begin, end - begin));
        else if (added_.normalized().empty()) pass.read(begin, end);
        else pass.read_normalized(begin, end);
    });
}

BERT_INLINE auto Pipeline::classify(char32_t code, const NormalizerConfig& config) -> Ascii {
    if (code >= 0x80) return {Kind::other, 0};
    std::size_t count = 0;
    char32_t normalized = 0;
    std::uint8_t flags = 0;
    Normalizer::State state;
    const auto sink = [&](char32_t c, std::uint8_t f, Range) {
        ++count;
        normalized = c;
        flags = f;
    };
    const Normalizer normalizer(config);
    normalizer.push(code, {0, 1}, state, sink);
    normalizer.flush(state, sink);
    if (count != 1) return {Kind::other, 0};
    const Kind kind = flags & unicode::space         ? Kind::space
                      : flags & unicode::punctuation ? Kind::punctuation
                                                     : Kind::letter;
    return {kind, static_cast<char>(normalized)};
}

BERT_INLINE Range Pipeline::range(std::size_t begin, std::size_t end) noexcept {
    return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
}

BERT_INLINE Pipeline::Pass::Pass(const Pipeline& pipeline, std::string_view text, std::vector<Piece>& pieces,
                                 std::vector<MatchedText>* matched)
    : pipeline_(pipeline),
      text_(text),
      pieces_(pieces),
      matched_(matched),
      words_(pipeline.model_, next_word_, pieces) {}

BERT_INLINE void Pipeline::Pass::add_token(std::int32_t id, Range where, std::string_view text) {
    if (matched_) {
        matched_bytes_ += text.size();
        if (matched_bytes_ > std::max(std::size_t{1} << 26, 2 * text_.size())) {
            fail(ErrorKind::input, "added tokens that overlap have more than ", matched_bytes_, " bytes in a text of ",
                 text_.size());
        }
        matched_->push_back({pieces_.size(), std::string(text)});
    }
    pieces_.push_back({id, where.begin, where.end, next_word_++});
}

BERT_INLINE void Pipeline::Pass::read(std::size_t begin, std::size_t end) {
    for (std::size_t at = begin; at < end;) {
        const Kind kind = ascii(at).kind;
        if (kind == Kind::space) {
            ++at;
            continue;
        }
        if (const std::size_t size = queue_short(at, end, kind)) {
            at += size;
            continue;
        }
        std::size_t word_end = at;
        while (word_end < end && ascii(word_end).kind == Kind::letter) ++word_end;
        look_up_queued();
        if (word_end == end || ascii(word_end).kind != Kind::other) {
            emit_ascii(at, word_end);
            at = word_end;
        } else {
            at = read_general(at, end);
        }
    }
    look_up_queued();
}

BERT_INLINE void Pipeline::Pass::read_normalized(std::size_t begin, std::size_t end) {
    struct Character {
        char32_t code;
        Range origin;
        std::uint8_t flags;
    };
    std::string normalized;
    std::vector<Character> characters;
    const auto collect = [&](char32_t code, std::uint8_t flags, Range origin) {
        char bytes[4];
        normalized.append(bytes, encode_utf8(code, bytes));
        characters.push_back({code, origin, flags});
    };
    pipeline_.normalizer_.run(text_, begin, end, state_, collect);

    // Parts may overlap (see AddedTokenMatcher::split), so the position follows them in both directions.
    std::size_t index = 0, byte = 0;
    const auto advance_to = [&](std::size_t target) {
        while (byte < target) byte += decode_utf8(normalized.data() + byte).size, ++index;
        while (byte > target) byte -= decode_utf8_before(normalized.data() + byte).size, --index;
    };
    const auto& tokens = pipeline_.added_.normalized();
    tokens.split(normalized, [&](std::size_t from, std::size_t to, const AddedTokenMatcher::Pattern* token) {
        advance_to(from);
        const std::size_t start = index;
        advance_to(to);
        if (token) {
            const Range where = {characters[start].origin.begin, characters[index - 1].origin.end};
            add_token(token->id, where, std::string_view(normalized).substr(from, to - from));
            return;
        }
        for (std::size_t i = start; i < index; ++i) {
            words_(characters[i].code, characters[i].flags, characters[i].origin);
        }
        words_.finish();
    });
}

BERT_INLINE std::size_t Pipeline::Pass::queue_short(std::size_t at, std::size_t end, Kind kind) {
    std::uint64_t bytes[2] = {0, 0};
    if (text_.size() - at >= sizeof bytes) std::memcpy(bytes, text_.data() + at, sizeof bytes);
    else std::memcpy(bytes, text_.data() + at, text_.size() - at);
    const AsciiWord word = AsciiWord::scan(bytes[0], bytes[1], pipeline_.lowers_ascii_);
    std::size_t size = 1;
    if (kind != Kind::punctuation) {
        size = std::min(word.size, end - at);
        if (size == 0 || size > ShortWord::max_size) return 0;
        if (at + size < end) {
            const Kind next = ascii(at + size).kind;
            if (next != Kind::space && next != Kind::punctuation) return 0;
        }
    }
    Queued& queued = queue_[queue_size_++];
    queued = {ShortWord::cut(word.first, word.second, size), range(at, at + size)};
    pipeline_.model_.whole_words().prefetch(queued.word);
    if (queue_size_ == queue_.size()) look_up_queued();
    return size;
}

BERT_INLINE void Pipeline::Pass::look_up_queued() {
    for (std::size_t i = 0; i < queue_size_; ++i) {
        const auto& [word, where] = queue_[i];
        const std::int32_t id = pipeline_.model_.whole_words().find(word);
        if (id >= 0) pieces_.push_back({id, where.begin, where.end, next_word_++});
        else emit_ascii(where.begin, where.end);
    }
    queue_size_ = 0;
}

BERT_INLINE void Pipeline::Pass::emit_ascii(std::size_t begin, std::size_t end) {
    const std::size_t size = end - begin;
    const std::uint32_t word = next_word_++;
    if (size > pipeline_.model_.max_characters()) {
        pipeline_.model_.unknown(range(begin, end), word, pieces_);
        return;
    }
    if (buffer_.size() < size) buffer_.resize(2 * size);
    for (std::size_t i = 0; i < size; ++i) buffer_[i] = ascii(begin + i).normalized;
    const auto origin = [begin](std::size_t from, std::size_t to) { return range(begin + from, begin + to); };
    pipeline_.model_.tokenize({buffer_.data(), size}, origin, word, pieces_);
}

BERT_INLINE std::size_t Pipeline::Pass::read_general(std::size_t at, std::size_t end) {
    const auto ends_word = [&] {
        const Kind kind = ascii(at).kind;
        return kind == Kind::space || kind == Kind::punctuation;
    };
    while (at < end && !ends_word()) {
        const DecodedCharacter c = decode_utf8(text_.data() + at);
        pipeline_.normalizer_.push(c.code, range(at, at + c.size), state_, words_);
        at += c.size;
    }
    pipeline_.normalizer_.flush(state_, words_);
    words_.finish();
    return at;
}

}  // namespace detail

BERT_NAMESPACE_END
