// A vocabulary as bytes that are read in no time: one of tens of thousands of tokens as JSON takes longer than the rest
// of a small model. Depends on io/tokenizer_config.
#pragma once

#include <bert/config.hpp>
#include <bert/io/tokenizer_config.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

// Bytes that no UTF-8 text has.
inline constexpr char token_end = '\xFF';
inline constexpr char no_token = '\xFE';

/// The tokens in the order of their ids, each behind a byte FF; an id without a token is the byte FE in its place.
/// `entries`: no id twice. Errors, which name `source`: format (tokens that are not UTF-8).
std::string pack_vocabulary(std::vector<TokenizerConfig::VocabularyEntry> entries, const std::filesystem::path& source);

/// The vocabulary that pack_vocabulary() packed. `path` is named in errors. Errors: format.
std::vector<TokenizerConfig::VocabularyEntry> unpack_vocabulary(std::string_view packed,
                                                                const std::filesystem::path& path);

}  // namespace detail

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/packed_vocabulary.ipp>
#endif
