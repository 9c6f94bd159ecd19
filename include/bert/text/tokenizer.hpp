// Tokenizer: text to token ids and back, exactly as Hugging Face's fast tokenizers do it for BERT.
// Depends on core/thread_pool.hpp, io/tokenizer_folder.hpp and the other headers of text/.
#pragma once

#include <bert/config.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/io/model_path.hpp>
#include <bert/io/tokenizer_config.hpp>
#include <bert/text/decoder.hpp>
#include <bert/text/encode_options.hpp>
#include <bert/text/encoding.hpp>
#include <bert/text/pipeline.hpp>
#include <bert/text/post_processor.hpp>
#include <bert/text/truncation.hpp>
#include <bert/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Turns texts into token ids. Follows the pipeline of Hugging Face's `tokenizers` 0.23: added tokens, BertNormalizer,
/// BertPreTokenizer, WordPiece, post-processing template; ids, type ids, masks and offsets are equal to its own.
/// Immutable after construction: one object may be used by many threads at once.
class Tokenizer {
public:
    /// Opens the tokenizer of a model, or a tokenizer alone; see load_tokenizer_config().
    /// Errors: file, format, vocabulary, unsupported.
    static Tokenizer load(const ModelPath& path, const TokenizerOptions& options = {});

    /// A tokenizer of the caller's own making. Errors: format, vocabulary.
    explicit Tokenizer(TokenizerConfig config, const TokenizerOptions& options = {});

    /// Encodes one text. Errors: input (options that cannot be met), format (invalid UTF-8, where that is asked for).
    Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;

    /// Encodes a pair of texts, such as question and context. Errors: as above.
    Encoding encode(std::string_view text, std::string_view pair, const EncodeOptions& options = {}) const;

    /// Encodes each text by itself, on the threads of a pool where one is given; the result is the same. Errors: as
    /// encode.
    std::vector<Encoding> encode_batch(const std::vector<std::string>& texts, const EncodeOptions& options = {},
                                       ThreadPool* threads = nullptr) const;

    /// encode_batch() of pairs of texts, such as question and context. Errors: as encode.
    std::vector<Encoding> encode_pairs(const std::vector<std::pair<std::string, std::string>>& pairs,
                                       const EncodeOptions& options = {}, ThreadPool* threads = nullptr) const;

    /// Encodes one text, or a pair, to ids and type ids alone, into storage that is used again: the cheap way in for
    /// models. Windows asked for by `options.overflowing` are further ranges of the same vectors; nothing is padded.
    /// Errors: as encode.
    void encode_ids(std::string_view text, const EncodeOptions& options, TokenIds& out) const;
    /// The ids and types of a pair alone, into `out`, whose memory is used again. Errors: input.
    void encode_ids(std::string_view text, std::string_view pair, const EncodeOptions& options, TokenIds& out) const;

    /// The text of ids, put together by the tokenizer's decoder. Ids that stand for nothing are passed over.
    std::string decode(const std::vector<std::int32_t>& ids, bool skip_special_tokens = true) const;

    /// The text of tokens, put together by the tokenizer's decoder.
    std::string decode_tokens(std::vector<std::string> tokens) const;

    /// Nothing for a token that is not in the vocabulary.
    std::optional<std::int32_t> token_to_id(std::string_view token) const;

    std::optional<std::string> id_to_token(std::int32_t id) const;  ///< nothing for an id that is not in the vocabulary

    /// The highest id + 1: the rows an embedding table must have.
    std::size_t vocab_size() const noexcept { return vocab_size_; }

    std::optional<std::int32_t> cls_id() const noexcept { return cls_id_; }    ///< of [CLS], or what stands for it
    std::optional<std::int32_t> sep_id() const noexcept { return sep_id_; }    ///< of [SEP], or what stands for it
    std::optional<std::int32_t> pad_id() const noexcept { return pad_id_; }    ///< of [PAD], or what stands for it
    std::optional<std::int32_t> mask_id() const noexcept { return mask_id_; }  ///< of [MASK], or what stands for it
    std::optional<std::int32_t> unk_id() const noexcept { return unk_id_; }    ///< of [UNK], or what stands for it

    /// Number of special tokens added to a text, or to a pair.
    std::size_t num_special_tokens(bool pair) const noexcept { return post_processor_.special_tokens(pair); }

    /// The length limit named in tokenizer_config.json. Never applied by itself: see EncodeOptions::max_length.
    std::optional<std::size_t> model_max_length() const noexcept { return model_max_length_; }

private:
    /// One text with its pieces.
    struct Source {
        detail::ValidText text;
        std::vector<detail::Piece> pieces;
        std::vector<detail::MatchedText> matched;
    };

    class EncodingSink;
    class IdSink;

    template <class EncodeOne>
    static std::vector<Encoding> encode_all(std::size_t count, const EncodeOne& encode_one, ThreadPool* threads) {
        std::vector<Encoding> result(count);
        constexpr std::size_t portion = 16;  // texts taken at a time: enough to outweigh the taking
        const auto encode_portion = [&](std::size_t task, std::size_t /*worker*/) {
            const std::size_t end = std::min(count, (task + 1) * portion);
            for (std::size_t i = task * portion; i < end; ++i) result[i] = encode_one(i);
        };
        ThreadPool caller_alone(1);  // starts no thread
        (threads ? *threads : caller_alone).run((count + portion - 1) / portion, encode_portion);
        return result;
    }

    static TokenizerConfig& prepare(TokenizerConfig& config, const TokenizerOptions& options);

    void check_template(bool pair, const std::string& source) const;

    const std::string* find_token(std::int32_t id) const;

    Source read(std::string_view text, bool with_matched) const;

    /// Turns positions in source.text.view() into what the caller counts in.
    static void convert_offsets(Source& source, OffsetUnit unit);

    Encoding encode_texts(std::string_view text, const std::string_view* pair, const EncodeOptions& options) const;
    void encode_ids_of(std::string_view text, const std::string_view* pair, const EncodeOptions& options,
                       TokenIds& out) const;

    std::pair<detail::Windows, detail::Windows> truncate(const Source& first, const Source* second,
                                                         const EncodeOptions& options) const;

    void pad(Encoding& encoding, std::size_t size, Side side) const;

    TokenizerOptions options_;
    detail::Pipeline pipeline_;
    detail::PostProcessor post_processor_;
    DecoderConfig decoder_;
    std::optional<std::size_t> model_max_length_;
    std::string pad_token_;
    std::size_t vocab_size_ = 0;
    std::optional<std::int32_t> cls_id_, sep_id_, pad_id_, mask_id_, unk_id_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/text/tokenizer.ipp>
#endif
