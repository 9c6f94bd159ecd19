// Definitions of io/gguf_model.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/gguf_model.hpp>
#include <bert/io/packed_vocabulary.hpp>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <map>
#include <memory>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE std::optional<Index> GgufMetadata::find_integer(const std::string& key, Index low, Index high) const {
    const GgufValue* const value = find(key);
    if (!value) return std::nullopt;
    std::optional<Index> result;
    if (const auto* const number = std::get_if<std::uint64_t>(value); number && *number < (1ull << 62)) {
        result = static_cast<Index>(*number);
    } else if (const auto* const negative = std::get_if<std::int64_t>(value)) {
        result = static_cast<Index>(*negative);
    }
    if (!result || *result < low || *result > high) {
        fail(ErrorKind::format, path(), ": \"", key, "\" should be an integer from ", low, " to ", high);
    }
    return result;
}

BERT_INLINE Index GgufMetadata::integer(const std::string& key, Index low, Index high) const {
    const auto value = find_integer(key, low, high);
    if (!value) fail(ErrorKind::format, path(), ": \"", key, "\" is missing");
    return *value;
}

template <class T>
std::optional<T> GgufMetadata::find_value(const std::string& key, const char* expected) const {
    const GgufValue* const value = find(key);
    if (!value) return std::nullopt;
    const T* const result = std::get_if<T>(value);
    if (!result) fail(ErrorKind::format, path(), ": \"", key, "\" should be ", expected);
    return *result;
}

BERT_INLINE GgufArray GgufMetadata::array(const char* key) const {
    const auto value = find_value<GgufArray>(key, "a list");
    if (!value) fail(ErrorKind::format, path(), ": \"", key, "\" is missing");
    return *value;
}

BERT_INLINE const GgufValue* GgufMetadata::find(const std::string& key) const {
    const auto it = file_.metadata.find(key);
    return it == file_.metadata.end() ? nullptr : &it->second;
}

BERT_INLINE GgufVocabulary::GgufVocabulary(const GgufMetadata& metadata) : metadata_(metadata) {
    const auto model = metadata.find_value<std::string_view>("tokenizer.ggml.model", "a text");
    if (model != std::string_view("bert")) {
        fail(ErrorKind::unsupported, metadata.path(), ": \"tokenizer.ggml.model\" should be \"bert\" (WordPiece), ",
             "given \"", model.value_or("nothing"), "\"");
    }
    const auto texts = gguf_strings(metadata.array("tokenizer.ggml.tokens"), "tokenizer.ggml.tokens", metadata.path());
    const std::vector<std::int32_t> types = token_types(texts.size());
    std::unordered_set<std::string> known;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (types[i] == unused) continue;  // fills the table of embeddings up; no text becomes it
        std::string token = types[i] == control ? std::string(texts[i]) : original(texts[i], known);
        if (types[i] == control) controls_.push_back(token);
        if (types[i] == user_defined) user_defined_[token] = i;
        if (!known.insert(token).second) {
            fail(ErrorKind::vocabulary, metadata.path(), ": the vocabulary holds \"", token, "\" twice");
        }
        entries_.push_back({std::move(token), static_cast<std::int32_t>(i)});
    }
}

BERT_INLINE JsonDocument GgufVocabulary::settings() const {
    JsonDocument json;
    const auto flag = [&](const char* key) { return metadata_.find_value<bool>(key, "true or false"); };
    json["do_lower_case"] = flag("tokenizer.ggml.normalizer.lowercase").value_or(!has_capitals());
    if (const auto strip = flag("tokenizer.ggml.normalizer.strip_accents")) json["strip_accents"] = *strip;
    std::vector<std::string> others = controls_;
    const auto name = [&](const char* key, std::initializer_list<const char*> ids, const char* fallback) {
        std::string token = fallback;
        for (const char* id : ids) {
            if (const auto at = metadata_.find_integer(id, 0, (Index{1} << 31) - 1)) token = token_of(*at, id);
        }
        json[key] = token;
        others.erase(std::remove(others.begin(), others.end(), token), others.end());
    };
    name("cls_token", {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.cls_token_id"}, "[CLS]");
    name("sep_token", {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.seperator_token_id"}, "[SEP]");
    name("pad_token", {"tokenizer.ggml.padding_token_id"}, "[PAD]");
    name("unk_token", {"tokenizer.ggml.unknown_token_id"}, "[UNK]");
    name("mask_token", {"tokenizer.ggml.mask_token_id"}, "[MASK]");
    json["additional_special_tokens"] = others;
    return json;
}

BERT_INLINE std::vector<std::int32_t> GgufVocabulary::token_types(std::size_t count) const {
    const char* const key = "tokenizer.ggml.token_type";
    const auto array = metadata_.find_value<GgufArray>(key, "a list");
    if (!array) fail(ErrorKind::format, metadata_.path(), ": \"", key, "\" is missing");
    const bool is_int = array->type == GgufType::int32 || array->type == GgufType::uint32;
    if (!is_int || array->count != count) {
        fail(ErrorKind::format, metadata_.path(), ": \"", key, "\" should be a list of ", count, " 32-bit integers");
    }
    std::vector<std::int32_t> types(count);
    if (count > 0) std::memcpy(types.data(), array->data, count * sizeof(std::int32_t));
    return types;
}

BERT_INLINE std::string GgufVocabulary::original(std::string_view text, const std::unordered_set<std::string>& known) {
    constexpr std::string_view space = "\xE2\x96\x81";
    if (text.size() > space.size() && text.substr(0, space.size()) == space) {
        std::string word(text.substr(space.size()));
        if (known.count(word) == 0) return word;
    }
    return "##" + std::string(text);  // also of a continuing piece that begins with U+2581 itself
}

BERT_INLINE bool GgufVocabulary::has_capitals() const {
    return std::any_of(entries_.begin(), entries_.end(), [](const auto& entry) {
        const bool bracketed = !entry.token.empty() && entry.token.front() == '[' && entry.token.back() == ']';
        return !bracketed &&
               std::any_of(entry.token.begin(), entry.token.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    });
}

BERT_INLINE std::string GgufVocabulary::token_of(Index id, const char* key) const {
    for (const auto& entry : entries_) {
        if (entry.id == id) return entry.token;
    }
    fail(ErrorKind::vocabulary, metadata_.path(), ": \"", key, "\" is ", id, ", which no token has");
}

/// The published name of a tensor that llama.cpp calls `name`; nothing for those that are none of an encoder's.
BERT_INLINE std::optional<std::string> published_name(std::string_view name) {
    static constexpr std::pair<std::string_view, std::string_view> model[] = {
        {"token_embd.", "embeddings.word_embeddings."},
        {"token_types.", "embeddings.token_type_embeddings."},
        {"position_embd.", "embeddings.position_embeddings."},
        {"token_embd_norm.", "embeddings.LayerNorm."}};
    static constexpr std::pair<std::string_view, std::string_view> layer[] = {
        {"attn_q.", "attention.self.query."},
        {"attn_k.", "attention.self.key."},
        {"attn_v.", "attention.self.value."},
        {"attn_output.", "attention.output.dense."},
        {"attn_output_norm.", "attention.output.LayerNorm."},
        {"ffn_up.", "intermediate.dense."},
        {"ffn_down.", "output.dense."},
        {"layer_output_norm.", "output.LayerNorm."}};
    const auto renamed = [](std::string_view text, const auto& names) -> std::optional<std::string> {
        for (const auto& [from, to] : names) {
            if (text.substr(0, from.size()) == from) return std::string(to).append(text.substr(from.size()));
        }
        return std::nullopt;
    };
    if (auto result = renamed(name, model)) return result;
    constexpr std::string_view block = "blk.";
    if (name.substr(0, block.size()) != block) return std::nullopt;
    const std::size_t dot = name.find('.', block.size());
    if (dot == std::string_view::npos) return std::nullopt;
    const auto rest = renamed(name.substr(dot + 1), layer);
    if (!rest) return std::nullopt;
    return "encoder.layer." + std::string(name.substr(block.size(), dot - block.size())) + "." + *rest;
}

/// config.json.
BERT_INLINE JsonDocument gguf_config(const GgufMetadata& metadata, const std::map<std::string, TensorView>& tensors) {
    constexpr Index limit = Index{1} << 28;
    const auto rows = [&](const char* name) {
        const auto it = tensors.find(name);
        if (it == tensors.end() || it->second.shape.size() != 2) {
            fail(ErrorKind::format, metadata.path(), ": there is no matrix of the name that stands for ", name);
        }
        return it->second.shape[0];
    };
    const auto epsilon = metadata.find_value<double>("bert.attention.layer_norm_epsilon", "a number");
    if (!epsilon || !(*epsilon >= 0 && *epsilon < 1)) {
        fail(ErrorKind::format, metadata.path(),
             ": \"bert.attention.layer_norm_epsilon\" should be a number in [0, 1)");
    }
    if (metadata.find_value<bool>("bert.attention.causal", "true or false").value_or(false)) {
        fail(ErrorKind::unsupported, metadata.path(), ": \"bert.attention.causal\" is true: this is no encoder");
    }
    JsonDocument json;
    json["model_type"] = "bert";
    json["hidden_act"] = "gelu";
    json["vocab_size"] = rows("embeddings.word_embeddings.weight");
    json["type_vocab_size"] = rows("embeddings.token_type_embeddings.weight");
    json["max_position_embeddings"] = rows("embeddings.position_embeddings.weight");
    json["hidden_size"] = metadata.integer("bert.embedding_length", 1, limit);
    json["num_hidden_layers"] = metadata.integer("bert.block_count", 1, limit);
    json["num_attention_heads"] = metadata.integer("bert.attention.head_count", 1, limit);
    json["intermediate_size"] = metadata.integer("bert.feed_forward_length", 1, limit);
    json["layer_norm_eps"] = *epsilon;
    json["architectures"] = std::vector<std::string>{"BertModel"};
    return json;
}

/// The files of sentence-transformers for the pooling that the file names: vectors are scaled to unit length, as
/// llama.cpp's own tools do it. Without a pooling there are none.
BERT_INLINE void add_pooling(const GgufMetadata& metadata, std::map<std::string, std::string>& files) {
    constexpr const char* modes[] = {nullptr, "mean", "cls", "lasttoken"};
    const Index pooling = metadata.find_integer("bert.pooling_type", 0, 255).value_or(0);
    if (pooling == 0) return;
    if (pooling > 3) {
        fail(ErrorKind::unsupported, metadata.path(), ": \"bert.pooling_type\" ", pooling,
             "; supported are 0 (none), 1 (mean), 2 (cls) and 3 (last)");
    }
    files["modules.json"] = R"([{"type": "sentence_transformers.models.Transformer", "path": ""},)"
                            R"({"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},)"
                            R"({"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"}])";
    files["1_Pooling/config.json"] = R"({"pooling_mode": ")" + std::string(modes[pooling]) + R"("})";
}

}  // namespace detail

BERT_INLINE ModelArchive read_gguf_model(const std::filesystem::path& path, bool map) {
    GgufFile file = read_gguf(path, map);
    const detail::GgufMetadata metadata(file);
    const auto architecture = metadata.find_value<std::string_view>("general.architecture", "a text");
    if (architecture != std::string_view("bert")) {
        detail::fail(ErrorKind::unsupported, path, ": \"general.architecture\" should be \"bert\", given \"",
                     architecture.value_or("nothing"), "\"");
    }
    ModelArchive archive;
    archive.path = path;
    for (TensorView& tensor : file.tensors) {
        const auto name = detail::published_name(tensor.name);
        if (!name) continue;  // of heads, which llama.cpp has its own way with
        if (tensor.dtype == DType::other) {
            detail::fail(ErrorKind::unsupported, path, ": tensor \"", tensor.name, "\" is of ", tensor.dtype_name,
                         "; supported are F32, F16, BF16 and Q8_0");
        }
        tensor.name = *name;
        if (!archive.tensors.emplace(*name, tensor).second) {
            detail::fail(ErrorKind::format, path, ": tensor \"", *name, "\" is given twice");
        }
    }
    archive.files["config.json"] = detail::gguf_config(metadata, archive.tensors).dump();
    detail::add_pooling(metadata, archive.files);
    const detail::GgufVocabulary vocabulary(metadata);
    archive.files["vocab.txt"] = "";
    archive.files["tokenizer_config.json"] =
        vocabulary.settings().dump(-1, ' ', false, detail::Json::error_handler_t::replace);
    archive.files["added_tokens.json"] =
        vocabulary.added_tokens().dump(-1, ' ', false, detail::Json::error_handler_t::replace);
    const auto packed = std::make_shared<const std::string>(detail::pack_vocabulary(vocabulary.entries(), path));
    archive.vocabulary = *packed;
    archive.vocabulary_owner = packed;
    return archive;
}

BERT_NAMESPACE_END
