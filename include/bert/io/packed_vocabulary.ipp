// Definitions of io/packed_vocabulary.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/packed_vocabulary.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE std::string pack_vocabulary(std::vector<TokenizerConfig::VocabularyEntry> entries,
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

BERT_INLINE std::vector<TokenizerConfig::VocabularyEntry> unpack_vocabulary(std::string_view packed,
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
