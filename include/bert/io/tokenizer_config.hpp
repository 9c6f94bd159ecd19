// The tokenizer of a model as plain data, whatever files it came from. Depends on config.hpp only.
#pragma once

#include <bert/config.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What is done to a text before it is cut into words, in this order.
struct NormalizerConfig {
    bool lowercase_first = false;         ///< lower case, before anything else
    bool clean_text = false;              ///< drop control characters, make every whitespace a space
    bool handle_chinese_chars = false;    ///< put spaces around Chinese characters
    bool decompose = false;               ///< canonical decomposition (NFD)
    bool strip_nonspacing_marks = false;  ///< drop nonspacing marks (BertNormalizer's strip_accents)
    bool strip_marks = false;             ///< drop marks of any kind (the normalizer StripAccents)
    bool lowercase = false;               ///< lower case, character by character
};

/// A token that is found in the text itself, before words are cut.
struct AddedToken {
    std::string content;       ///< what is looked for in texts
    bool single_word = false;  ///< only where no word character touches it
    bool lstrip = false;       ///< takes the whitespace on its left along
    bool rstrip = false;       ///< takes the whitespace on its right along
    bool normalized = false;   ///< looked for in the normalized text instead of the raw text
    bool special = false;      ///< left out by Tokenizer::decode
};

/// One place of a post-processing template: the first text, the second text, or fixed special tokens.
struct TemplatePiece {
    /// The tokens of the first text, of the second, or a special token.
    enum class Kind { first, second, special };
    Kind kind = Kind::first;          ///< what stands here
    std::int32_t type_id = 0;         ///< of the tokens that stand here
    std::vector<std::int32_t> ids;    ///< of special tokens
    std::vector<std::string> tokens;  ///< of special tokens, as many as `ids`
};

/// How ids become text again.
struct DecoderConfig {
    bool word_piece = true;     ///< glue pieces to words; otherwise tokens are joined by spaces
    std::string prefix = "##";  ///< what marks a piece that continues a word
    bool cleanup = true;        ///< remove the spaces before punctuation and English contractions
};

namespace detail {

/// The first id that a vocabulary of `tokens` may not have: one far beyond their number would cost the memory of all
/// below it.
inline std::size_t first_refused_id(std::size_t tokens) noexcept {
    constexpr std::size_t least = 1 << 16;
    return tokens > least / 64 ? 64 * tokens : least;
}

}  // namespace detail

/// Everything a Tokenizer is made of.
struct TokenizerConfig {
    /// A word piece and its id.
    struct VocabularyEntry {
        std::string token;    ///< as the vocabulary has it, with the prefix of pieces that continue a word
        std::int32_t id = 0;  ///< the row of the table of word embeddings
    };

    std::vector<VocabularyEntry> vocabulary;                ///< each token once; ids may have holes
    std::string unk_token = "[UNK]";                        ///< for words that no pieces make up
    std::string continuing_subword_prefix = "##";           ///< of pieces that continue a word
    std::size_t max_input_chars_per_word = 100;             ///< longer words become one unknown token
    NormalizerConfig normalizer;                            ///< what is done to texts before they are cut into words
    std::vector<AddedToken> added_tokens;                   ///< in the order that numbers those outside the vocabulary
    std::vector<TemplatePiece> single = {TemplatePiece{}};  ///< what is made of one text
    /// What is made of a pair.
    std::vector<TemplatePiece> pair = {TemplatePiece{}, TemplatePiece{TemplatePiece::Kind::second, 1, {}, {}}};
    DecoderConfig decoder;                        ///< how ids become text again
    std::string cls_token = "[CLS]";              ///< begins an input, as text
    std::string sep_token = "[SEP]";              ///< ends each text of an input, as text
    std::string pad_token = "[PAD]";              ///< fills up to a length, as text
    std::string mask_token = "[MASK]";            ///< stands for a word to guess, as text
    std::string source = "tokenizer";             ///< what errors name: the file it was read from
    std::optional<std::size_t> model_max_length;  ///< of tokenizer_config.json; unset where it says "unlimited"
};

BERT_NAMESPACE_END
