// The WordPiece decoder: tokens become text again. Depends on io/tokenizer_config.hpp.
#pragma once

#include <bert/config.hpp>
#include <bert/io/tokenizer_config.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Replaces every occurrence of `from`, from left to right.
inline std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
    std::string result;
    std::size_t done = 0;
    for (std::size_t found; (found = text.find(from, done)) != std::string_view::npos; done = found + from.size()) {
        result.append(text, done, found - done).append(to);
    }
    return result.append(text, done);
}

/// What Hugging Face calls cleaning up: no space before punctuation and the endings of English contractions.
inline std::string clean_up(std::string token) {
    constexpr std::pair<std::string_view, std::string_view> replacements[] = {
        {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},    {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    for (const auto& [from, to] : replacements) {
        if (token.find(from) != std::string::npos) token = replace_all(token, from, to);
    }
    return token;
}

/// Joins tokens. As in the reference, cleaning looks at one token, with the space before it, at a time.
inline std::string decode_tokens(std::vector<std::string> tokens, const DecoderConfig& config) {
    std::string text;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        std::string token = std::move(tokens[i]);
        if (i > 0) {
            const bool continues = config.word_piece && token.compare(0, config.prefix.size(), config.prefix) == 0;
            if (continues) token.erase(0, config.prefix.size());
            else token.insert(token.begin(), ' ');
        }
        text += config.word_piece && config.cleanup ? clean_up(std::move(token)) : token;
    }
    return text;
}

}  // namespace detail

BERT_NAMESPACE_END
