// Definitions of io/colbert_config.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/colbert_config.hpp>
#include <bert/io/model_json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE std::vector<std::string> ascii_punctuation() {
    std::vector<std::string> marks;
    for (const char c : std::string("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")) marks.emplace_back(1, c);
    return marks;
}

BERT_INLINE std::optional<std::size_t> get_length(const Json& json, const char* key,
                                                  const std::filesystem::path& path) {
    const auto value = get_integer(json, key, path, 1, std::int64_t{1} << 28);
    return value ? std::optional(static_cast<std::size_t>(*value)) : std::nullopt;
}

/// A prompt's marker: all of it, or its first word; the vocabulary decides which of them is a token.
BERT_INLINE void add_markers(const std::string& prompt, std::vector<std::string>& markers) {
    const std::size_t begin = prompt.find_first_not_of(" \t\n");
    if (begin == std::string::npos) return;
    markers.push_back(prompt);
    markers.push_back(prompt.substr(begin, prompt.find_first_of(" \t\n", begin) - begin));
}

/// artifact.metadata of the ColBERT authors.
BERT_INLINE void read_colbert_metadata(const ModelPath& folder, ColbertConfig& config) {
    const auto path = folder / "artifact.metadata";
    config.skiplist = ascii_punctuation();
    if (is_there(path)) {
        const JsonDocument json = read_json_object(path);
        if (const auto token = get_string(json, "query_token_id", path)) config.query_prompt = *token + " ";
        if (const auto token = get_string(json, "doc_token_id", path)) config.document_prompt = *token + " ";
        config.attend_to_expansion = get_bool(json, "attend_to_mask_tokens", path).value_or(false);
        config.expansion_length = get_length(json, "query_maxlen", path).value_or(32);
        config.document_length = get_length(json, "doc_maxlen", path);
        if (!get_bool(json, "mask_punctuation", path).value_or(true)) config.skiplist.clear();
    }
    add_markers(config.query_prompt, config.markers);
    add_markers(config.document_prompt, config.markers);
}

BERT_INLINE void read_skiplist(const Json& json, const std::filesystem::path& path, ColbertConfig& config) {
    const Json* const words = find(json, "skiplist_words");
    if (!words) return;
    if (!words->is_array()) wrong_type(path, "skiplist_words", "a list of words", *words);
    config.skiplist.clear();
    for (const Json& word : *words) {
        if (!word.is_string()) wrong_type(path, "skiplist_words", "a list of words", word);
        config.skiplist.push_back(word.get<std::string>());
    }
}

/// config_sentence_transformers.json as PyLate writes it, and the prompts that both write.
BERT_INLINE void read_colbert_settings(const ModelPath& folder, ColbertConfig& config) {
    SentenceConfig sentence;
    sentence.transformer_folder = config.transformer_folder;
    read_sentence_settings(folder, sentence);
    read_limits(sentence);
    config.max_seq_length = sentence.max_seq_length;
    config.do_lower_case = sentence.do_lower_case;
    config.query_prompt.clear();
    config.document_prompt.clear();
    if (const auto it = sentence.prompts.find("query"); it != sentence.prompts.end()) config.query_prompt = it->second;
    for (const char* name : {"corpus", "passage", "document"}) {
        if (const auto it = sentence.prompts.find(name); it != sentence.prompts.end()) {
            config.document_prompt = it->second;
        }
    }
    config.expand_queries = false;
    config.normalize = false;
    const auto path = folder / "config_sentence_transformers.json";
    if (!is_there(path)) return;
    const JsonDocument json = read_json_object(path);
    config.mean_max_sim = get_string(json, "similarity_fn_name", path).value_or("") == "meanmaxsim";
    const auto prefixed = [&](const char* key, std::string& prompt) {
        const auto prefix = get_string(json, key, path);
        if (!prefix) return;
        if (prompt.compare(0, prefix->size(), *prefix) != 0) prompt.insert(0, *prefix);
        add_markers(*prefix, config.markers);
    };
    prefixed("query_prefix", config.query_prompt);
    prefixed("document_prefix", config.document_prompt);
    for (const char* key : {"query_length", "document_length", "do_query_expansion", "attend_to_expansion_tokens",
                            "query_prefix", "document_prefix", "skiplist_words"}) {
        config.expand_queries = config.expand_queries || find(json, key);
    }
    config.expand_queries = config.expand_queries && get_bool(json, "do_query_expansion", path).value_or(true);
    config.attend_to_expansion = get_bool(json, "attend_to_expansion_tokens", path).value_or(false);
    config.query_length = get_length(json, "query_length", path);
    config.expansion_length = config.query_length.value_or(32);
    config.document_length = get_length(json, "document_length", path);
    if (get_string(json, "model_type", path).value_or("") == "ColBERT") {
        // PyLate 3, which does without modules for this.
        config.normalize = true;
        config.skiplist = ascii_punctuation();
    }
    read_skiplist(json, path, config);
}

/// sentence_bert_config.json as sentence-transformers writes it for multi-vector encoders.
BERT_INLINE void read_transformer_settings(ColbertConfig& config) {
    const auto path = config.transformer_folder / "sentence_bert_config.json";
    if (!is_there(path)) return;
    const JsonDocument json = read_json_object(path);
    if (const auto length = get_length(json, "query_length", path)) config.query_length = length;
    if (const auto length = get_length(json, "document_length", path)) config.document_length = length;
    const Json* const expansion = find(json, "query_expansion");
    if (!expansion) return;
    if (!expansion->is_object()) wrong_type(path, "query_expansion", "an object", *expansion);
    config.expand_queries = true;
    config.fixed_length = get_string(*expansion, "strategy", path).value_or("fixed") == "fixed";
    config.attend_to_expansion = get_bool(*expansion, "attend", path).value_or(false);
    config.expansion_length = get_length(*expansion, "length", path).value_or(32);
    config.expansion_token = get_string(*expansion, "token", path);
}

BERT_INLINE void read_mask_module(const ModelPath& folder, ColbertConfig& config) {
    const auto path = folder / "config.json";
    if (!is_there(path)) return;
    const JsonDocument json = read_json_object(path);
    read_skiplist(json, path, config);
    if (find(json, "keep_only_token_ids")) {
        fail(ErrorKind::unsupported, path, ": \"keep_only_token_ids\", made for images, is not supported");
    }
    const Json* const tasks = find(json, "skiplist_tasks");
    if (!tasks) return;
    const JsonDocument list = tasks->is_array() ? Json(*tasks) : Json::array({*tasks});
    const auto names = [&](const char* task) { return std::find(list.begin(), list.end(), task) != list.end(); };
    config.skip_in_queries = names("query");
    config.skip_in_documents = names("document");
}

BERT_INLINE void read_colbert_modules(const ModelPath& folder, ColbertConfig& config) {
    const auto path = folder / "modules.json";
    const auto modules = read_module_list(folder);
    config.transformer_folder = modules.front().folder;
    read_colbert_settings(folder, config);
    read_transformer_settings(config);
    config.projections.emplace();
    std::set<std::filesystem::path> dense;
    for (std::size_t i = 0; i < modules.size(); ++i) {
        const auto& [type, name, module_folder] = modules[i];
        if ((name == "Transformer") != (i == 0)) {
            fail(ErrorKind::unsupported, path, ": the first module, and no other, should be a Transformer",
                 served_by(modules));
        }
        if (name == "Dense") {
            check_once(module_folder, dense, path);
            config.projections->push_back(read_dense(module_folder, "token_embeddings"));
        } else if (name == "MultiVectorMask") {
            read_mask_module(module_folder, config);
        } else if (name == "Normalize") {
            config.normalize = true;
        } else if (name != "Transformer") {
            fail(ErrorKind::unsupported, path, ": module type \"", type, "\" is not supported", served_by(modules));
        }
    }
    if (module_layout(modules) != ModuleLayout::multi_vector_encoder) {
        fail(ErrorKind::unsupported, path, ": no module is for late interaction, such as Dense or MultiVectorMask",
             served_by(modules));
    }
}

}  // namespace detail

BERT_INLINE ColbertConfig load_colbert_config(const ModelPath& folder) {
    detail::check_folder(folder);
    ColbertConfig config;
    config.transformer_folder = folder;
    if (detail::is_there(folder / "modules.json")) detail::read_colbert_modules(folder, config);
    else detail::read_colbert_metadata(folder, config);
    return config;
}

BERT_NAMESPACE_END
