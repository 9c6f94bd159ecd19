// A tokenizer without short cuts, which the library's is compared with: one pass over all characters for each step of
// the reference, looking everything up in maps. Shares nothing with the library but the tables of characters, which are
// compared with the reference by themselves (tokenizer_sweep_test.cpp).
#pragma once

#include <bert/io/tokenizer_config.hpp>
#include <bert/text/unicode.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bert_test {

/// A token and the bytes of the caller's text it comes from.
struct PlainToken {
    std::int32_t id;
    std::size_t begin, end;
    std::size_t word;
};

class PlainTokenizer {
public:
    struct Character {
        char32_t code;
        std::size_t begin, end;  // of the bytes of the caller's text
    };
    using Characters = std::vector<Character>;

    /// `config` must be one that bert::Tokenizer accepts, without holes in its ids.
    explicit PlainTokenizer(const bert::TokenizerConfig& config) : config_(config) {
        for (const auto& [token, id] : config.vocabulary) vocabulary_[token] = id;
        auto next_id = static_cast<std::int32_t>(vocabulary_.size());
        std::map<std::string, std::int32_t> ids;
        std::map<std::int32_t, bert::AddedToken> by_id;
        for (const bert::AddedToken& token : config.added_tokens) {
            if (token.content.empty()) continue;
            if (ids.count(token.content) == 0) {
                const auto known = vocabulary_.find(token.content);
                ids[token.content] = known == vocabulary_.end() ? next_id++ : known->second;
            }
            by_id[ids[token.content]] = token;
        }
        for (const auto& [id, token] : by_id) {
            Characters text = decode(token.content);
            if (token.normalized) text = normalize(text);
            std::u32string codes;
            for (const Character& c : text) codes.push_back(c.code);
            auto& patterns = token.normalized ? normalized_ : raw_;
            patterns.emplace(codes, Pattern{id, token.single_word, token.lstrip, token.rstrip});
        }
    }

    /// The tokens of a text of any bytes, special tokens of the template left out.
    std::vector<PlainToken> tokenize(std::string_view text) const {
        std::vector<PlainToken> tokens;
        std::size_t word = 0;
        for (const Part& raw : split(decode(text), raw_)) {
            if (raw.pattern) {
                tokens.push_back({raw.pattern->id, raw.text.front().begin, raw.text.back().end, word++});
                continue;
            }
            for (const Part& part : split(normalize(raw.text), normalized_)) {
                if (part.pattern) {
                    tokens.push_back({part.pattern->id, part.text.front().begin, part.text.back().end, word++});
                    continue;
                }
                for (const Characters& characters : words(part.text)) word_piece(characters, word++, tokens);
            }
        }
        return tokens;
    }

    /// Table 3-7 of the Unicode standard: the byte sequences that are characters. Where none fits, the bytes that
    /// could have begun one are U+FFFD.
    static Characters decode(std::string_view text) {
        struct Row {
            unsigned char first[2];
            unsigned char second[2];
            std::size_t size;
        };
        constexpr Row rows[] = {
            {{0x00, 0x7F}, {0, 0}, 1},       {{0xC2, 0xDF}, {0x80, 0xBF}, 2}, {{0xE0, 0xE0}, {0xA0, 0xBF}, 3},
            {{0xE1, 0xEC}, {0x80, 0xBF}, 3}, {{0xED, 0xED}, {0x80, 0x9F}, 3}, {{0xEE, 0xEF}, {0x80, 0xBF}, 3},
            {{0xF0, 0xF0}, {0x90, 0xBF}, 4}, {{0xF1, 0xF3}, {0x80, 0xBF}, 4}, {{0xF4, 0xF4}, {0x80, 0x8F}, 4}};
        const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
        const auto within = [&](std::size_t at, const unsigned char(&range)[2]) {
            return at < text.size() && byte(at) >= range[0] && byte(at) <= range[1];
        };
        Characters result;
        for (std::size_t at = 0; at < text.size();) {
            std::size_t size = 1;
            char32_t code = 0xFFFD;
            for (const Row& row : rows) {
                if (!within(at, row.first)) continue;
                while (size < row.size && (size == 1 ? within(at + 1, row.second) : within(at + size, {0x80, 0xBF}))) {
                    ++size;
                }
                if (size < row.size) break;
                constexpr unsigned char lead_bits[] = {0x7F, 0x1F, 0x0F, 0x07};
                code = byte(at) & lead_bits[size - 1];
                for (std::size_t i = 1; i < size; ++i) code = code << 6 | (byte(at + i) & 0x3Fu);
            }
            result.push_back({code, at, at + size});
            at += size;
        }
        return result;
    }

private:
    struct Pattern {
        std::int32_t id;
        bool single_word, lstrip, rstrip;
    };
    using Patterns = std::map<std::u32string, Pattern>;

    struct Part {
        Characters text;
        const Pattern* pattern;  // null between added tokens
    };

    static std::uint8_t flags(char32_t code) { return bert::detail::unicode::character(code).flags; }
    static bool is_space(char32_t code) { return (flags(code) & bert::detail::unicode::space) != 0; }
    static bool is_word(char32_t code) { return (flags(code) & bert::detail::unicode::word) != 0; }

    static std::string encode(const Characters& characters, std::size_t begin, std::size_t end) {
        std::string bytes;
        for (std::size_t i = begin; i < end; ++i) {
            const char32_t code = characters[i].code;
            const auto put = [&](char32_t byte) {
                bytes.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
            };
            if (code < 0x80) {
                put(code);
                continue;
            }
            const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
            constexpr char32_t leads[] = {0, 0xC0, 0xE0, 0xF0};
            put(leads[more] | code >> (6 * more));
            for (int tail = more - 1; tail >= 0; --tail) put(0x80 | (code >> (6 * tail) & 0x3F));
        }
        return bytes;
    }

    /// Cuts a text at added tokens: the leftmost, of those the longest, which none of the flags then drops.
    static std::vector<Part> split(const Characters& text, const Patterns& patterns) {
        std::vector<Part> parts;
        const auto emit = [&](std::size_t begin, std::size_t end, const Pattern* pattern) {
            const auto at = [&](std::size_t i) { return text.begin() + static_cast<std::ptrdiff_t>(i); };
            if (begin < end) parts.push_back({Characters(at(begin), at(end)), pattern});
        };
        std::size_t done = 0;
        for (std::size_t at = 0; at < text.size();) {
            const Pattern* pattern = nullptr;
            std::size_t size = 0;
            for (const auto& [codes, candidate] : patterns) {
                const bool fits = codes.size() > size && codes.size() <= text.size() - at &&
                                  std::equal(codes.begin(), codes.end(), text.begin() + static_cast<std::ptrdiff_t>(at),
                                             [](char32_t code, const Character& c) { return code == c.code; });
                if (!fits) continue;
                pattern = &candidate;
                size = codes.size();
            }
            if (!pattern) {
                ++at;
                continue;
            }
            std::size_t begin = at, end = at + size;
            at = end;
            const bool touched =
                (begin > 0 && is_word(text[begin - 1].code)) || (end < text.size() && is_word(text[end].code));
            if (pattern->single_word && touched) continue;
            if (pattern->lstrip) {
                while (begin > 0 && is_space(text[begin - 1].code)) --begin;
                begin = std::max(begin, done);
            }
            if (pattern->rstrip) {
                while (end < text.size() && is_space(text[end].code)) ++end;
            }
            if (begin >= end) continue;
            emit(done, begin, nullptr);
            emit(begin, end, pattern);
            done = end;
        }
        emit(done, text.size(), nullptr);
        return parts;
    }

    /// Replaces each character by those that `change` puts out for it, all of the same origin.
    template <class Change>
    static Characters replace(const Characters& text, const Change& change) {
        Characters result;
        for (const Character& c : text) {
            change(c.code, [&](char32_t code) { result.push_back({code, c.begin, c.end}); });
        }
        return result;
    }

    static Characters lower(const Characters& text) {
        return replace(text, [](char32_t code, const auto& put) {
            bert::detail::unicode::lower(code, bert::detail::unicode::character(code), put);
        });
    }

    /// Canonical decomposition of a whole text and the ordering of its marks (Unicode standard, section 3.11). As in
    /// the reference, origins keep the order of the text: the first character of each decomposition, wherever it went,
    /// takes the next one, and the others share the one taken last.
    static Characters decompose(const Characters& text) {
        struct Part {
            char32_t code;
            int combining_class;
            bool first;
        };
        std::vector<Part> parts;
        std::deque<Character> origins(text.begin(), text.end());
        for (const Character& c : text) {
            bool first = true;
            bert::detail::unicode::decompose(c.code, bert::detail::unicode::character(c.code), [&](char32_t code) {
                parts.push_back({code, bert::detail::unicode::character(code).combining_class, first});
                first = false;
            });
        }
        for (bool sorted = false; !sorted;) {
            sorted = true;
            for (std::size_t i = 1; i < parts.size(); ++i) {
                if (parts[i].combining_class == 0 || parts[i - 1].combining_class <= parts[i].combining_class) continue;
                std::swap(parts[i - 1], parts[i]);
                sorted = false;
            }
        }
        Characters result;
        Character origin{0, 0, 0};
        for (const Part& part : parts) {
            if (part.first) {
                origin = origins.front();
                origins.pop_front();
            }
            result.push_back({part.code, origin.begin, origin.end});
        }
        return result;
    }

    Characters normalize(const Characters& text) const {
        namespace unicode = bert::detail::unicode;
        const bert::NormalizerConfig& config = config_.normalizer;
        const auto drop = [](const Characters& from, std::uint8_t flag) {
            return replace(from, [flag](char32_t code, const auto& put) {
                if (!(flags(code) & flag)) put(code);
            });
        };
        Characters result = text;
        if (config.lowercase_first) result = lower(result);
        if (config.clean_text) {
            result = replace(drop(result, unicode::removed),
                             [](char32_t code, const auto& put) { put(is_space(code) ? U' ' : code); });
        }
        if (config.handle_chinese_chars) {
            result = replace(result, [](char32_t code, const auto& put) {
                const bool chinese = flags(code) & unicode::cjk;
                if (chinese) put(U' ');
                put(code);
                if (chinese) put(U' ');
            });
        }
        if (config.decompose) result = decompose(result);
        if (config.strip_nonspacing_marks) result = drop(result, unicode::nonspacing);
        if (config.strip_marks) result = drop(result, unicode::mark);
        if (config.lowercase) result = lower(result);
        return result;
    }

    /// Words lie between spaces; each punctuation mark is one.
    static std::vector<Characters> words(const Characters& text) {
        std::vector<Characters> result;
        bool begun = false;
        for (const Character& c : text) {
            const bool mark = flags(c.code) & bert::detail::unicode::punctuation;
            if (is_space(c.code)) {
                begun = false;
                continue;
            }
            if (!begun || mark) result.emplace_back();
            result.back().push_back(c);
            begun = !mark;
        }
        return result;
    }

    void word_piece(const Characters& word, std::size_t index, std::vector<PlainToken>& tokens) const {
        std::vector<PlainToken> pieces;
        bool known = word.size() <= config_.max_input_chars_per_word;
        for (std::size_t begin = 0; known && begin < word.size();) {
            std::size_t end = word.size();
            for (; end > begin; --end) {
                const std::string prefix = begin > 0 ? config_.continuing_subword_prefix : "";
                const auto entry = vocabulary_.find(prefix + encode(word, begin, end));
                if (entry == vocabulary_.end()) continue;
                pieces.push_back({entry->second, word[begin].begin, word[end - 1].end, index});
                break;
            }
            known = end > begin;
            begin = end;
        }
        if (!known) pieces = {{vocabulary_.at(config_.unk_token), word.front().begin, word.back().end, index}};
        tokens.insert(tokens.end(), pieces.begin(), pieces.end());
    }

    bert::TokenizerConfig config_;
    std::map<std::string, std::int32_t> vocabulary_;
    Patterns raw_, normalized_;
};

}  // namespace bert_test
