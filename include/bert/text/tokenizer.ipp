// Definitions of text/tokenizer.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/tokenizer_folder.hpp>
#include <bert/text/tokenizer.hpp>

#include <iterator>

BERT_NAMESPACE_BEGIN

BERT_INLINE Tokenizer Tokenizer::load(const ModelPath& path, const TokenizerOptions& options) {
    return Tokenizer(load_tokenizer_config(path), options);
}

BERT_INLINE Tokenizer::Tokenizer(TokenizerConfig config, const TokenizerOptions& options)
    : options_(options),
      pipeline_(prepare(config, options)),
      post_processor_(std::move(config.single), std::move(config.pair)),
      decoder_(std::move(config.decoder)),
      model_max_length_(config.model_max_length),
      pad_token_(std::move(config.pad_token)) {
    vocab_size_ = std::max(pipeline_.vocabulary().id_limit(), pipeline_.added().id_limit());
    cls_id_ = token_to_id(config.cls_token);
    sep_id_ = token_to_id(config.sep_token);
    pad_id_ = token_to_id(pad_token_);
    mask_id_ = token_to_id(config.mask_token);
    unk_id_ = token_to_id(config.unk_token);
    for (const bool pair : {false, true}) check_template(pair, config.source);
}

BERT_INLINE Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
    return encode_texts(text, nullptr, options);
}

BERT_INLINE Encoding Tokenizer::encode(std::string_view text, std::string_view pair,
                                       const EncodeOptions& options) const {
    return encode_texts(text, &pair, options);
}

BERT_INLINE std::vector<Encoding> Tokenizer::encode_batch(const std::vector<std::string>& texts,
                                                          const EncodeOptions& options, ThreadPool* threads) const {
    return encode_all(
        texts.size(), [&](std::size_t i) { return encode(texts[i], options); }, threads);
}

BERT_INLINE std::vector<Encoding> Tokenizer::encode_pairs(const std::vector<std::pair<std::string, std::string>>& pairs,
                                                          const EncodeOptions& options, ThreadPool* threads) const {
    const auto encode_one = [&](std::size_t i) { return encode(pairs[i].first, pairs[i].second, options); };
    return encode_all(pairs.size(), encode_one, threads);
}

BERT_INLINE void Tokenizer::encode_ids(std::string_view text, const EncodeOptions& options, TokenIds& out) const {
    encode_ids_of(text, nullptr, options, out);
}

BERT_INLINE void Tokenizer::encode_ids(std::string_view text, std::string_view pair, const EncodeOptions& options,
                                       TokenIds& out) const {
    encode_ids_of(text, &pair, options, out);
}

BERT_INLINE std::string Tokenizer::decode(const std::vector<std::int32_t>& ids, bool skip_special_tokens) const {
    std::vector<std::string> tokens;
    for (const std::int32_t id : ids) {
        const std::string* token = find_token(id);
        if (token && !(skip_special_tokens && pipeline_.added().is_special(*token))) tokens.push_back(*token);
    }
    return decode_tokens(std::move(tokens));
}

BERT_INLINE std::string Tokenizer::decode_tokens(std::vector<std::string> tokens) const {
    return detail::decode_tokens(std::move(tokens), decoder_);
}

BERT_INLINE std::optional<std::int32_t> Tokenizer::token_to_id(std::string_view token) const {
    const auto added = pipeline_.added().find(token);
    return added ? added : pipeline_.vocabulary().find(token);
}

BERT_INLINE std::optional<std::string> Tokenizer::id_to_token(std::int32_t id) const {
    const std::string* token = find_token(id);
    return token ? std::optional(*token) : std::nullopt;
}

BERT_INLINE TokenizerConfig& Tokenizer::prepare(TokenizerConfig& config, const TokenizerOptions& options) {
    if (options.lowercase_first && !config.normalizer.lowercase) config.normalizer.lowercase_first = true;
    return config;
}

BERT_INLINE void Tokenizer::check_template(bool pair, const std::string& source) const {
    for (const TemplatePiece& piece : post_processor_.pieces(pair)) {
        if (!pair && piece.kind == TemplatePiece::Kind::second) {
            detail::fail(ErrorKind::format, source, ": the template for one text names a second text");
        }
        if (piece.ids.size() != piece.tokens.size()) {
            detail::fail(ErrorKind::format, source, ": a piece of the template has ", piece.ids.size(), " ids and ",
                         piece.tokens.size(), " tokens");
        }
        for (std::size_t i = 0; i < piece.ids.size(); ++i) {
            if (find_token(piece.ids[i])) continue;
            detail::fail(ErrorKind::vocabulary, source, ": the template adds \"", piece.tokens[i], "\" with id ",
                         piece.ids[i], ", which no token has");
        }
    }
}

BERT_INLINE const std::string* Tokenizer::find_token(std::int32_t id) const {
    const std::string* added = pipeline_.added().token(id);
    return added ? added : pipeline_.vocabulary().token(id);
}

BERT_INLINE auto Tokenizer::read(std::string_view text, bool with_matched) const -> Source {
    detail::Pipeline::check_size(text);  // before a copy of it may be made
    Source source{detail::ValidText(text, options_.invalid_utf8), {}, {}};
    pipeline_.tokenize(source.text.view(), source.pieces, with_matched ? &source.matched : nullptr);
    return source;
}

BERT_INLINE void Tokenizer::convert_offsets(Source& source, OffsetUnit unit) {
    if (unit == OffsetUnit::byte) {
        if (!source.text.repaired()) return;
        for (detail::Piece& piece : source.pieces) {
            piece.begin = static_cast<std::uint32_t>(source.text.original_position(piece.begin));
            piece.end = static_cast<std::uint32_t>(source.text.original_position(piece.end));
        }
        return;
    }
    // Positions mostly grow, so the count of characters follows them instead of starting anew.
    const std::string_view text = source.text.view();
    std::size_t at = 0, count = 0;
    const auto characters_before = [&](std::uint32_t position) {
        if (position >= at) count += detail::count_characters(text.substr(at, position - at));
        else count -= detail::count_characters(text.substr(position, at - position));
        at = position;
        return static_cast<std::uint32_t>(count);
    };
    for (detail::Piece& piece : source.pieces) {
        piece.begin = characters_before(piece.begin);
        piece.end = characters_before(piece.end);
    }
}

BERT_INLINE std::pair<detail::Windows, detail::Windows> Tokenizer::truncate(const Source& first, const Source* second,
                                                                            const EncodeOptions& options) const {
    const std::size_t special = options.add_special_tokens ? num_special_tokens(second != nullptr) : 0;
    return detail::truncate(first.pieces.size(), second ? std::optional(second->pieces.size()) : std::nullopt, special,
                            options);
}

/// Writes filled templates as Encodings.
class Tokenizer::EncodingSink {
public:
    EncodingSink(const Tokenizer& tokenizer, const Source* const (&sources)[2], std::vector<Encoding>& out)
        : tokenizer_(tokenizer), sources_{sources[0], sources[1]}, out_(out) {}

    void begin(std::size_t tokens) {
        Encoding& e = out_.emplace_back();
        e.ids.reserve(tokens);
        e.type_ids.reserve(tokens);
        e.special_tokens_mask.reserve(tokens);
        e.attention_mask.assign(tokens, 1);
        e.offsets.reserve(tokens);
        e.tokens.reserve(tokens);
        e.word_ids.reserve(tokens);
        e.sequence_ids.reserve(tokens);
    }

    void special(const TemplatePiece& piece) {
        Encoding& e = out_.back();
        e.ids.insert(e.ids.end(), piece.ids.begin(), piece.ids.end());
        e.tokens.insert(e.tokens.end(), piece.tokens.begin(), piece.tokens.end());
        e.offsets.resize(e.ids.size());
        e.word_ids.resize(e.ids.size(), -1);
        fill_up(piece.type_id, 1, -1);
    }

    void text(int index, detail::Window window, std::int32_t type_id) {
        const Source& source = *sources_[index];
        auto matched = std::lower_bound(source.matched.begin(), source.matched.end(), window.begin,
                                        [](const auto& m, std::size_t piece) { return m.piece < piece; });
        Encoding& e = out_.back();
        const detail::Vocabulary& vocabulary = tokenizer_.pipeline_.vocabulary();
        for (std::size_t i = window.begin; i < window.end; ++i) {
            const detail::Piece& piece = source.pieces[i];
            e.ids.push_back(piece.id);
            e.offsets.push_back({piece.begin, piece.end});
            e.word_ids.push_back(static_cast<std::int32_t>(piece.word));
            if (matched != source.matched.end() && matched->piece == i) e.tokens.push_back(matched++->text);
            else e.tokens.push_back(*vocabulary.token(piece.id));
        }
        fill_up(type_id, 0, index);
    }

private:
    /// The fields that are the same for all tokens of a place of the template.
    void fill_up(std::int32_t type_id, std::uint8_t special, std::int32_t sequence) {
        Encoding& e = out_.back();
        e.type_ids.resize(e.ids.size(), type_id);
        e.special_tokens_mask.resize(e.ids.size(), special);
        e.sequence_ids.resize(e.ids.size(), sequence);
    }

    const Tokenizer& tokenizer_;
    const Source* sources_[2];
    std::vector<Encoding>& out_;
};

/// Writes filled templates as TokenIds.
class Tokenizer::IdSink {
public:
    IdSink(const Source* const (&sources)[2], TokenIds& out) : sources_{sources[0], sources[1]}, out_(out) {}

    void begin(std::size_t tokens) {
        if (out_.ids.empty()) out_.ids.reserve(tokens);
        out_.window_ends.push_back(out_.ids.size());
    }

    void special(const TemplatePiece& piece) {
        out_.ids.insert(out_.ids.end(), piece.ids.begin(), piece.ids.end());
        grow(piece.type_id);
    }

    void text(int index, detail::Window window, std::int32_t type_id) {
        const auto& pieces = sources_[index]->pieces;
        for (std::size_t i = window.begin; i < window.end; ++i) out_.ids.push_back(pieces[i].id);
        grow(type_id);
    }

private:
    void grow(std::int32_t type_id) {
        out_.type_ids.resize(out_.ids.size(), type_id);
        out_.window_ends.back() = out_.ids.size();
    }

    const Source* sources_[2];
    TokenIds& out_;
};

BERT_INLINE Encoding Tokenizer::encode_texts(std::string_view text, const std::string_view* pair,
                                             const EncodeOptions& options) const {
    Source first = read(text, true);
    std::optional<Source> second;
    if (pair) second = read(*pair, true);
    const auto windows = truncate(first, second ? &*second : nullptr, options);
    convert_offsets(first, options.offset_unit);
    if (second) convert_offsets(*second, options.offset_unit);

    std::vector<Encoding> encodings;
    const Source* const sources[2] = {&first, second ? &*second : nullptr};
    post_processor_.apply(windows.first, windows.second, options.add_special_tokens,
                          EncodingSink(*this, sources, encodings));
    const auto cut = [](const detail::Windows& w, std::size_t size) { return w.front().end - w.front().begin < size; };
    const bool truncated =
        cut(windows.first, first.pieces.size()) || (second && cut(windows.second, second->pieces.size()));
    for (Encoding& encoding : encodings) {
        encoding.truncated = truncated;
        if (options.pad_to) pad(encoding, *options.pad_to, options.padding_side);
    }
    Encoding result = std::move(encodings.front());
    result.overflowing.assign(std::make_move_iterator(encodings.begin() + 1), std::make_move_iterator(encodings.end()));
    return result;
}

BERT_INLINE void Tokenizer::encode_ids_of(std::string_view text, const std::string_view* pair,
                                          const EncodeOptions& options, TokenIds& out) const {
    const Source first = read(text, false);
    std::optional<Source> second;
    if (pair) second = read(*pair, false);
    const auto windows = truncate(first, second ? &*second : nullptr, options);
    out.ids.clear();
    out.type_ids.clear();
    out.window_ends.clear();
    const Source* const sources[2] = {&first, second ? &*second : nullptr};
    post_processor_.apply(windows.first, windows.second, options.add_special_tokens, IdSink(sources, out));
    out.total_tokens = first.pieces.size() + (second ? second->pieces.size() : 0) +
                       (options.add_special_tokens ? num_special_tokens(pair != nullptr) : 0);
    const auto is_cut = [](const detail::Windows& of, const Source& source) {
        return of.front().end - of.front().begin < source.pieces.size();
    };
    out.truncated = is_cut(windows.first, first) || (second && is_cut(windows.second, *second));
}

BERT_INLINE void Tokenizer::pad(Encoding& encoding, std::size_t size, Side side) const {
    if (encoding.size() >= size) return;
    constexpr std::size_t most = 1 << 26;
    if (size > most) detail::fail(ErrorKind::input, "pad_to should be at most ", most, ", given ", size);
    if (!pad_id_) {
        detail::fail(ErrorKind::vocabulary, "padding needs the token \"", pad_token_,
                     "\", which is not in the vocabulary");
    }
    const std::size_t missing = size - encoding.size();
    const auto fill = [&](auto& values, const auto& value) {
        values.insert(side == Side::left ? values.begin() : values.end(), missing, value);
    };
    fill(encoding.ids, *pad_id_);
    fill(encoding.type_ids, 0);
    fill(encoding.special_tokens_mask, std::uint8_t{1});
    fill(encoding.attention_mask, std::uint8_t{0});
    fill(encoding.offsets, Span{});
    fill(encoding.tokens, pad_token_);
    fill(encoding.word_ids, -1);
    fill(encoding.sequence_ids, -1);
}

BERT_NAMESPACE_END
