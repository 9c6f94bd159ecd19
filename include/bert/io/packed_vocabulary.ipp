// Definitions of io/packed_vocabulary.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/packed_vocabulary.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE std::string pack_vocabulary(std::vector<TokenizerConfig::VocabularyEntry> entries,
                                        const std::filesystem::path& source) {
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    std::string packed;
    const auto limit = static_cast<std::int64_t>(first_refused_id(entries.size()));
    std::int64_t next = 0;
    for (const auto& [token, id] : entries) {
        if (id >= limit) {
            fail(ErrorKind::vocabulary, source, ": the id of \"", token, "\" should be below ", limit, " (for ",
                 entries.size(), " tokens), given ", id);
        }
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
    // An entry takes many times the bytes of a short token: only those are made room for that are there.
    const auto ends_token = [&](std::size_t i) {
        return packed[i] == token_end && i > 0 && packed[i - 1] != token_end && packed[i - 1] != no_token;
    };
    std::size_t count = 1;
    for (std::size_t i = 0; i < packed.size(); ++i) count += static_cast<std::size_t>(ends_token(i));
    entries.reserve(count);
    std::int32_t id = 0;
    std::optional<std::int32_t> empty;  // of equal tokens the last counts
    for (std::size_t begin = 0; begin < packed.size(); ++id) {
        const std::size_t end = packed.find(token_end, begin);
        const std::string_view token = packed.substr(begin, end - begin);
        if (token.empty()) empty = id;
        else if (token != std::string_view(&no_token, 1)) entries.push_back({std::string(token), id});
        begin = end + 1;
    }
    if (empty) {
        const auto after = std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.id > *empty; });
        entries.insert(after, {std::string(), *empty});
    }
    return entries;
}

}  // namespace detail

BERT_NAMESPACE_END
