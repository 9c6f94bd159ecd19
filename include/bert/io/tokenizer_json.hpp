// Reading tokenizer.json, the one-file form that Hugging Face's tokenizers writes. Depends on io.
#pragma once

#include <bert/config.hpp>
#include <bert/error.hpp>
#include <bert/io/json.hpp>
#include <bert/io/model_path.hpp>
#include <bert/io/packed_vocabulary.hpp>
#include <bert/io/tokenizer_config.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The string at object[key]. Errors: format where it is missing or not a string.
inline std::string require_string(const Json& object, const char* key, const std::filesystem::path& path) {
    auto value = get_string(object, key, path);
    if (!value) fail(ErrorKind::format, path, ": \"", key, "\" is missing");
    return *std::move(value);
}

inline bool require_bool(const Json& object, const char* key, const std::filesystem::path& path) {
    const auto value = get_bool(object, key, path);
    if (!value) fail(ErrorKind::format, path, ": \"", key, "\" is missing");
    return *value;
}

/// The array or object at object[key]. Errors: format where it is missing or of another type.
inline const Json& require(const Json& object, const char* key, Json::value_t type, const std::filesystem::path& path) {
    const char* const expected = type == Json::value_t::array ? "an array" : "an object";
    if (!object.is_object()) fail(ErrorKind::format, path, ": expected an object with \"", key, "\"");
    const Json* value = find(object, key);
    if (!value) fail(ErrorKind::format, path, ": \"", key, "\" is missing; expected ", expected);
    if (value->type() != type) wrong_type(path, key, expected, *value);
    return *value;
}

/// Whether a value is an id or type id: an integer from 0 to 2^31 - 1.
inline bool is_id(const Json& value) {
    return value.is_number_unsigned() && value.get<std::uint64_t>() <= std::numeric_limits<std::int32_t>::max();
}

/// An id or type id. `name` says whose it is. Errors: format.
inline std::int32_t read_id(const Json& value, std::string_view name, const std::filesystem::path& path) {
    if (!is_id(value)) {
        fail(ErrorKind::format, path, ": the id of \"", name, "\" should be an integer from 0 to ",
             std::numeric_limits<std::int32_t>::max(), ", given ",
             value.is_structured() ? value.type_name() : value.dump(-1, ' ', true, Json::error_handler_t::replace));
    }
    return value.get<std::int32_t>();
}

/// An added token written as an object. `defaults` supplies the flags that are not given.
inline AddedToken read_added_token(const Json& json, AddedToken defaults, const std::filesystem::path& path) {
    if (!json.is_object()) fail(ErrorKind::format, path, ": an added token should be an object");
    defaults.content = require_string(json, "content", path);
    defaults.single_word = get_bool(json, "single_word", path).value_or(defaults.single_word);
    defaults.lstrip = get_bool(json, "lstrip", path).value_or(defaults.lstrip);
    defaults.rstrip = get_bool(json, "rstrip", path).value_or(defaults.rstrip);
    defaults.special = get_bool(json, "special", path).value_or(defaults.special);
    defaults.normalized = get_bool(json, "normalized", path).value_or(!defaults.special);
    return defaults;
}

/// Adds one normalizer of tokenizer.json, or a sequence of them, to `config`. `stage` counts the fields of
/// NormalizerConfig already passed: normalizers in an order the fields cannot express are unsupported.
inline void read_normalizer(const Json& json, NormalizerConfig& config, int& stage, const std::filesystem::path& path) {
    constexpr int first = 1, chinese = 3, decomposed = 4, stripped = 5, lowered = 6;
    if (!json.is_object()) fail(ErrorKind::format, path, ": a normalizer should be an object");
    const std::string type = require_string(json, "type", path);
    const auto advance = [&](int limit, int next) {
        if (stage > limit) {
            fail(ErrorKind::unsupported, path, ": normalizer \"", type, "\" after the normalizers before it");
        }
        stage = next;
    };
    if (type == "Sequence") {
        for (const Json& part : require(json, "normalizers", Json::value_t::array, path)) {
            read_normalizer(part, config, stage, path);
        }
    } else if (type == "BertNormalizer") {
        advance(first, chinese);
        config.clean_text = require_bool(json, "clean_text", path);
        config.handle_chinese_chars = require_bool(json, "handle_chinese_chars", path);
        config.lowercase = require_bool(json, "lowercase", path);
        config.strip_nonspacing_marks = get_bool(json, "strip_accents", path).value_or(config.lowercase);
        config.decompose = config.strip_nonspacing_marks;
        stage = config.lowercase ? lowered : config.decompose ? stripped : chinese;
    } else if (type == "Lowercase") {
        (stage == 0 ? config.lowercase_first : config.lowercase) = true;
        advance(lowered, stage == 0 ? first : lowered);
    } else if (type == "NFD") {
        advance(chinese, decomposed);
        config.decompose = true;
    } else if (type == "StripAccents") {
        // Behind a decomposition, lower case neither makes nor changes marks: the two may change places.
        advance(config.decompose ? lowered : decomposed, std::max(stage, stripped));
        config.strip_marks = true;
    } else {
        fail(ErrorKind::unsupported, path, ": normalizer \"", type,
             "\"; supported are BertNormalizer, Lowercase, NFD, StripAccents and sequences of them");
    }
}

inline void check_pre_tokenizer(const Json& json, const std::filesystem::path& path) {
    if (!json.is_object()) fail(ErrorKind::format, path, ": \"pre_tokenizer\" should be an object");
    const std::string type = require_string(json, "type", path);
    if (type == "Sequence") {
        const Json& parts = require(json, "pretokenizers", Json::value_t::array, path);
        if (parts.empty()) fail(ErrorKind::unsupported, path, ": an empty sequence of pre-tokenizers");
        for (const Json& part : parts) check_pre_tokenizer(part, path);  // cutting twice changes nothing
    } else if (type != "BertPreTokenizer") {
        fail(ErrorKind::unsupported, path, ": pre-tokenizer \"", type, "\"; supported is BertPreTokenizer");
    }
}

/// One template ("single" or "pair") of TemplateProcessing.
inline std::vector<TemplatePiece> read_template(const Json& processor, const char* key,
                                                const std::filesystem::path& path) {
    const bool is_pair = std::string_view(key) == "pair";
    std::vector<TemplatePiece> result;
    // Pieces name special tokens, which stand for lists of ids: both are numbers of the file, and so is their product.
    constexpr std::size_t most_special = 1 << 16;
    std::size_t total = 0;
    std::uintmax_t bytes = 0;
    constexpr std::size_t most_pieces = 256;  // each may be the whole text
    const Json& items = require(processor, key, Json::value_t::array, path);
    if (items.size() > most_pieces) {
        fail(ErrorKind::unsupported, path, ": template \"", key, "\" has ", items.size(), " pieces; at most ",
             most_pieces, " are supported");
    }
    for (const Json& item : items) {
        TemplatePiece piece;
        const bool special = item.is_object() && item.contains("SpecialToken");
        const Json& body = require(item, special ? "SpecialToken" : "Sequence", Json::value_t::object, path);
        const std::string id = require_string(body, "id", path);
        piece.type_id = read_id(body.value("type_id", Json()), "type_id of " + id, path);
        if (special) {
            const Json& all = require(processor, "special_tokens", Json::value_t::object, path);
            if (!all.contains(id)) fail(ErrorKind::format, path, ": \"special_tokens\" lacks \"", id, "\"");
            const Json& entry = require(all, id.c_str(), Json::value_t::object, path);
            piece.kind = TemplatePiece::Kind::special;
            const Json& ids = require(entry, "ids", Json::value_t::array, path);
            total += ids.size();
            if (total > most_special) {
                fail(ErrorKind::format, path, ": template \"", key, "\" has more than ", most_special,
                     " special tokens");
            }
            for (const Json& value : ids) {
                piece.ids.push_back(read_id(value, id, path));
            }
            const Json& tokens = require(entry, "tokens", Json::value_t::array, path);
            if (ids.size() != tokens.size()) {
                fail(ErrorKind::format, path, ": special token \"", id, "\" has ", ids.size(), " ids and ",
                     tokens.size(), " tokens");
            }
            for (const Json& value : tokens) {
                if (!value.is_string()) wrong_type(path, "tokens", "strings", value);
                bytes += value.get_ref<const std::string&>().size();
                if (bytes > json_limit) fail(ErrorKind::format, path, ": template \"", key, "\" has too long tokens");
                piece.tokens.push_back(value.get<std::string>());
            }
        } else if (id == "B" && is_pair) {
            piece.kind = TemplatePiece::Kind::second;
        } else if (id != "A") {
            fail(ErrorKind::format, path, ": template \"", key, "\" names sequence \"", id, "\"");
        }
        result.push_back(std::move(piece));
    }
    return result;
}

inline TemplatePiece special_piece(const std::string& token, std::int32_t id, std::int32_t type_id) {
    return {TemplatePiece::Kind::special, type_id, {id}, {token}};
}

/// The classic templates [CLS] A [SEP] and [CLS] A [SEP] B [SEP].
inline void set_bert_templates(TokenizerConfig& config, const std::string& cls, std::int32_t cls_id,
                               const std::string& sep, std::int32_t sep_id) {
    config.single = {special_piece(cls, cls_id, 0), TemplatePiece{}, special_piece(sep, sep_id, 0)};
    config.pair = config.single;
    config.pair.push_back({TemplatePiece::Kind::second, 1, {}, {}});
    config.pair.push_back(special_piece(sep, sep_id, 1));
}

inline void read_post_processor(const Json& json, TokenizerConfig& config, const std::filesystem::path& path) {
    if (!json.is_object()) fail(ErrorKind::format, path, ": \"post_processor\" should be an object");
    const std::string type = require_string(json, "type", path);
    if (type == "TemplateProcessing") {
        config.single = read_template(json, "single", path);
        config.pair = read_template(json, "pair", path);
    } else if (type == "BertProcessing") {
        const auto token = [&](const char* key) {
            const Json& value = require(json, key, Json::value_t::array, path);
            if (value.size() != 2 || !value[0].is_string()) wrong_type(path, key, "[token, id]", value);
            return std::pair(value[0].get<std::string>(), read_id(value[1], key, path));
        };
        const auto [cls, cls_id] = token("cls");
        const auto [sep, sep_id] = token("sep");
        set_bert_templates(config, cls, cls_id, sep, sep_id);
    } else if (type == "Sequence") {
        const Json& parts = require(json, "processors", Json::value_t::array, path);
        if (parts.size() != 1) {
            fail(ErrorKind::unsupported, path, ": a sequence of ", parts.size(), " post-processors; supported is one");
        }
        read_post_processor(parts[0], config, path);
    } else {
        fail(ErrorKind::unsupported, path, ": post-processor \"", type,
             "\"; supported are TemplateProcessing and BertProcessing");
    }
}

/// Takes the entries of model.vocab out of a tokenizer.json while it is parsed. As nodes of the document, tens of
/// thousands of them would take longer than everything else.
struct VocabularyFilter {
    std::vector<TokenizerConfig::VocabularyEntry> entries;
    std::optional<std::pair<std::string, Json>> wrong;  ///< an entry whose value is no id

    /// A part of the document, for parse_json(): false for keys that are not to be kept, and with them their values.
    bool operator()(int depth, Json::parse_event_t event, const Json& part) {
        if (event == Json::parse_event_t::key) {
            const auto& key = part.get_ref<const std::string&>();
            if (depth == 1) in_model_ = key == "model";
            if (depth <= 2) in_vocabulary_ = depth == 2 && in_model_ && key == "vocab";
            in_entry_ = depth == 3 && in_vocabulary_;
            if (in_entry_) entries.push_back({key, 0});
            return !in_entry_;
        }
        if (depth != 3 || !in_entry_) return true;
        in_entry_ = false;
        if (event == Json::parse_event_t::value && is_id(part)) {
            entries.back().id = part.get<std::int32_t>();
        } else if (!wrong) {
            const bool is_object = event == Json::parse_event_t::object_start;
            const bool is_array = event == Json::parse_event_t::array_start;
            wrong.emplace(entries.back().token, is_object ? Json::object() : is_array ? Json::array() : part);
        }
        return true;
    }

private:
    bool in_model_ = false;
    bool in_vocabulary_ = false;
    bool in_entry_ = false;
};

/// `filter` holds the vocabulary, which `model` lacks. (Model files store it apart.)
inline void read_word_piece_model(const Json& model, VocabularyFilter& filter, TokenizerConfig& config,
                                  const ModelPath& path) {
    // Files written before models carried a type are told by their fields.
    const auto type = get_string(model, "type", path);
    if (type ? *type != "WordPiece" : model.contains("merges") || !model.contains("continuing_subword_prefix")) {
        fail(ErrorKind::unsupported, path, ": model \"", type.value_or("without a type"), "\"; supported is WordPiece");
    }
    config.unk_token = require_string(model, "unk_token", path);
    config.continuing_subword_prefix = require_string(model, "continuing_subword_prefix", path);
    const auto longest = get_integer(model, "max_input_chars_per_word", path, 0, std::int64_t{1} << 53);
    if (!longest) fail(ErrorKind::format, path, ": \"max_input_chars_per_word\" is missing");
    config.max_input_chars_per_word = static_cast<std::size_t>(*longest);
    if (path.archive() && !path.archive()->vocabulary.empty()) {
        config.vocabulary = unpack_vocabulary(path.archive()->vocabulary, path.archive()->path);
        return;
    }
    require(model, "vocab", Json::value_t::object, path);
    if (filter.wrong) read_id(filter.wrong->second, filter.wrong->first, path);
    config.vocabulary = std::move(filter.entries);
}

inline void read_decoder(const Json& json, DecoderConfig& config, const std::filesystem::path& path) {
    if (!json.is_object()) fail(ErrorKind::format, path, ": \"decoder\" should be an object");
    const std::string type = require_string(json, "type", path);
    if (type != "WordPiece") {
        fail(ErrorKind::unsupported, path, ": decoder \"", type, "\"; supported is WordPiece");
    }
    config.prefix = require_string(json, "prefix", path);
    config.cleanup = require_bool(json, "cleanup", path);
}

/// Reads tokenizer.json. Truncation and padding written there are defaults of one library's calls, not part of the
/// tokenizer, and are read over.
inline void read_tokenizer_json(const ModelPath& path, TokenizerConfig& config) {
    VocabularyFilter filter;
    const JsonDocument json = parse_json_object(read_model_file(path, json_limit), path, std::ref(filter));
    config.source = path.string();
    if (const auto version = get_string(json, "version", path); version && *version != "1.0") {
        fail(ErrorKind::unsupported, path, ": version \"", *version, "\"; supported is 1.0");
    }
    read_word_piece_model(require(json, "model", Json::value_t::object, path), filter, config, path);
    if (const Json* normalizer = find(json, "normalizer")) {
        int stage = 0;
        read_normalizer(*normalizer, config.normalizer, stage, path);
    }
    const Json* pre_tokenizer = find(json, "pre_tokenizer");
    if (!pre_tokenizer) {
        fail(ErrorKind::unsupported, path, ": no pre-tokenizer; supported is BertPreTokenizer");
    }
    check_pre_tokenizer(*pre_tokenizer, path);
    if (const Json* processor = find(json, "post_processor")) read_post_processor(*processor, config, path);
    config.decoder.word_piece = false;
    if (const Json* decoder = find(json, "decoder")) {
        config.decoder.word_piece = true;
        read_decoder(*decoder, config.decoder, path);
    }
    if (find(json, "added_tokens")) {
        for (const Json& item : require(json, "added_tokens", Json::value_t::array, path)) {
            config.added_tokens.push_back(read_added_token(item, {}, path));
        }
    }
}

}  // namespace detail

BERT_NAMESPACE_END
