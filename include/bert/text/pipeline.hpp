// From text to pieces: added tokens, normalizer, pre-tokenizer and WordPiece in one pass, with a short cut for ASCII.
// Depends on the other headers of text/.
#pragma once

#include <bert/config.hpp>
#include <bert/io/tokenizer_config.hpp>
#include <bert/text/added_tokens.hpp>
#include <bert/text/normalizer.hpp>
#include <bert/text/pre_tokenizer.hpp>
#include <bert/text/word_table.hpp>
#include <bert/text/wordpiece.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The text that an added token matched: pieces[piece] is shown as `text`, not as its vocabulary entry.
struct MatchedText {
    std::size_t piece;
    std::string text;
};

/// The part of a tokenizer that reads text. Immutable: one may serve many threads.
class Pipeline {
public:
    explicit Pipeline(TokenizerConfig& config);

    const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
    const AddedVocabulary& added() const noexcept { return added_; }

    /// Positions and word ids are numbers of 32 bits. Errors: input where they would not do.
    static void check_size(std::string_view text);

    /// Replaces `pieces` by those of `text` (valid UTF-8). Matched texts of added tokens are appended to `matched`
    /// unless it is null. Time and memory are linear in the text. Errors: input (see check_size; added tokens that take
    /// the same whitespace along so often that memory would not be).
    void tokenize(std::string_view text, std::vector<Piece>& pieces, std::vector<MatchedText>* matched) const;

private:
    /// What an ASCII byte does when nothing else is around it.
    enum class Kind : std::uint8_t { letter, space, punctuation, other };
    struct Ascii {
        Kind kind;
        char normalized;  // of letters and punctuation
    };

    /// The kinds are read off the normalizer itself, so that the short cut cannot disagree with it.
    static Ascii classify(char32_t code, const NormalizerConfig& config);

    static Range range(std::size_t begin, std::size_t end) noexcept;

    /// One text on its way through the pipeline.
    class Pass {
    public:
        Pass(const Pipeline& pipeline, std::string_view text, std::vector<Piece>& pieces,
             std::vector<MatchedText>* matched);

        void add_token(std::int32_t id, Range where, std::string_view text);

        /// Tokenizes text[begin, end). Words of ASCII alone are lower-cased and looked up at once; a word with any
        /// other character takes the general way.
        void read(std::size_t begin, std::size_t end);

        /// Tokenizes text[begin, end) where tokens have to be found in its normalized form first.
        void read_normalized(std::size_t begin, std::size_t end);

    private:
        Ascii ascii(std::size_t at) const noexcept { return pipeline_.ascii_[static_cast<unsigned char>(text_[at])]; }

        /// Queues the word at `at` if it is a punctuation mark or consists of few letters and digits, as most words
        /// do. Returns its size, or 0 and does nothing. `kind` is that of its first character.
        std::size_t queue_short(std::size_t at, std::size_t end, Kind kind);

        void look_up_queued();

        /// One word of ASCII letters, or one punctuation mark.
        void emit_ascii(std::size_t begin, std::size_t end);

        /// Reads on from `at`, character by character, up to the next ASCII space or punctuation mark, where any word
        /// ends and no mark reaches back; returns its position.
        std::size_t read_general(std::size_t at, std::size_t end);

        const Pipeline& pipeline_;
        std::string_view text_;
        std::vector<Piece>& pieces_;
        std::vector<MatchedText>* matched_;
        std::size_t matched_bytes_ = 0;
        std::uint32_t next_word_ = 0;
        WordBuilder words_;
        Normalizer::State state_;
        std::vector<char> buffer_;  // a normalized ASCII word

        /// Words that wait for their lookup, so that the memory of several can be fetched at once.
        struct Queued {
            ShortWord word;
            Range where;
        };
        std::array<Queued, 16> queue_;
        std::size_t queue_size_ = 0;
    };

    Vocabulary vocabulary_;
    WordPiece model_;
    Normalizer normalizer_;
    AddedVocabulary added_;
    std::array<Ascii, 256> ascii_;
    bool lowers_ascii_ = false;
};

}  // namespace detail

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/text/pipeline.ipp>
#endif
