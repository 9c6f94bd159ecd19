// A vocabulary as bytes that are read in no time: one of tens of thousands of tokens as JSON takes longer than the rest
// of a small model. Depends on io/tokenizer_config.
#pragma once

#include <bert/config.hpp>
#include <bert/error.hpp>
#include <bert/io/tokenizer_config.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

// Bytes that no UTF-8 text has.
inline constexpr char token_end = '\xFF';
inline constexpr char no_token = '\xFE';

/// The tokens in the order of their ids, each behind a byte FF; an id without a token is the byte FE in its place.
/// `entries`: no id twice. Errors, which name `source`: format (tokens that are not UTF-8).
inline std::string pack_vocabulary(std::vector<TokenizerConfig::VocabularyEntry> entries,
                                   const std::filesystem::path& source) {
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    std::string packed;
    std::int32_t next = 0;
    for (const auto& [token, id] : entries) {
        for (; next < id; ++next) packed.append({no_token, token_end});
        if (token.find(no_token) != std::string::npos || token.find(token_end) != std::string::npos) {
            fail(ErrorKind::format, source, ": the token with id ", id, " is not valid UTF-8");
        }
        packed.append(token).push_back(token_end);
        ++next;
    }
    return packed;
}

/// The vocabulary that pack_vocabulary() packed. `path` is named in errors. Errors: format.
inline std::vector<TokenizerConfig::VocabularyEntry> unpack_vocabulary(std::string_view packed,
                                                                       const std::filesystem::path& path) {
    if (packed.empty() || packed.back() != token_end) {
        fail(ErrorKind::format, path, ": the packed vocabulary should end with the byte FF");
    }
    std::vector<TokenizerConfig::VocabularyEntry> entries;
    entries.reserve(static_cast<std::size_t>(std::count(packed.begin(), packed.end(), token_end)));
    std::int32_t id = 0;
    for (std::size_t begin = 0; begin < packed.size(); ++id) {
        const std::size_t end = packed.find(token_end, begin);
        const std::string_view token = packed.substr(begin, end - begin);
        if (token != std::string_view(&no_token, 1)) entries.push_back({std::string(token), id});
        begin = end + 1;
    }
    return entries;
}

}  // namespace detail

BERT_NAMESPACE_END
