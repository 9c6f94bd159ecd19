// A GGUF file of a BERT model as if it were a folder: its settings as the files of one, its tensors under their
// published names. Depends on core and io. What llama.cpp writes and reads is followed.
#pragma once

#include <bert/io/gguf.hpp>
#include <bert/io/json.hpp>
#include <bert/io/model_archive.hpp>
#include <bert/io/tokenizer_config.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The metadata of a GGUF file by type. Errors: format (missing, of another type, out of range).
class GgufMetadata {
public:
    explicit GgufMetadata(const GgufFile& file) : file_(file) {}

    const std::filesystem::path& path() const noexcept { return file_.path; }

    std::optional<Index> find_integer(const std::string& key, Index low, Index high) const;

    Index integer(const std::string& key, Index low, Index high) const;

    template <class T>
    std::optional<T> find_value(const std::string& key, const char* expected) const;

    /// A list. Errors: format.
    GgufArray array(const char* key) const;

private:
    const GgufValue* find(const std::string& key) const;

    const GgufFile& file_;
};

/// The vocabulary of a GGUF file. llama.cpp writes a word's first piece with U+2581 before it, and continuing pieces
/// without their "##"; control tokens ("[CLS]") stay as they are.
class GgufVocabulary {
public:
    explicit GgufVocabulary(const GgufMetadata& metadata);

    const std::vector<TokenizerConfig::VocabularyEntry>& entries() const noexcept { return entries_; }

    /// tokenizer_config.json. GGUF does not say whether letters are lowered: they are, with accents taken off, where no
    /// token has a capital letter.
    JsonDocument settings() const;

    /// added_tokens.json.
    const JsonDocument& added_tokens() const { return user_defined_; }

private:
    // Of llama.cpp.
    static constexpr std::int32_t normal = 1, control = 3, user_defined = 4, unused = 5;

    std::vector<std::int32_t> token_types(std::size_t count) const;

    /// The token as it stands in vocab.txt.
    static std::string original(std::string_view text, const std::unordered_set<std::string>& known);

    bool has_capitals() const;

    std::string token_of(Index id, const char* key) const;

    const GgufMetadata& metadata_;
    std::vector<TokenizerConfig::VocabularyEntry> entries_;
    std::vector<std::string> controls_;
    JsonDocument user_defined_;
};

}  // namespace detail

/// Opens a GGUF file of the architecture "bert" without touching its weights. Errors: file, format, vocabulary,
/// unsupported (another architecture, tokenizer, pooling or number format).
ModelArchive read_gguf_model(const std::filesystem::path& path, bool map = true);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/gguf_model.ipp>
#endif
