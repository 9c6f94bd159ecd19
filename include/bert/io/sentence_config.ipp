// Definitions of io/sentence_config.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/model_json.hpp>
#include <bert/io/sentence_config.hpp>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <set>
#include <system_error>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE PoolingMode pooling_mode(const std::string& name, const std::filesystem::path& path) {
    for (const auto& known : pooling_names) {
        if (known.name == name) return known.mode;
    }
    fail(ErrorKind::unsupported, path, ": unknown \"pooling_mode\" \"", name, "\"");
}

BERT_INLINE void read_pooling(const ModelPath& folder, SentenceConfig& config) {
    const auto path = folder / "config.json";
    const JsonDocument json = read_json_object(path);
    config.pooling.clear();
    if (const Json* const modes = find(json, "pooling_mode")) {
        const auto add = [&](const Json& mode) {
            if (!mode.is_string()) wrong_type(path, "pooling_mode", "the name of a mode or a list of names", mode);
            config.pooling.push_back(pooling_mode(mode.get<std::string>(), path));
        };
        // Each makes embeddings longer by a hidden size.
        constexpr std::size_t most = 64;
        if (modes->is_array() && modes->size() > most) {
            fail(ErrorKind::unsupported, path, ": ", modes->size(), " modes of pooling; at most ", most,
                 " are supported");
        }
        if (modes->is_array()) std::for_each(modes->begin(), modes->end(), add);
        else add(*modes);
    } else {
        for (const auto& known : pooling_names) {
            if (get_bool(json, known.legacy_key, path).value_or(false)) config.pooling.push_back(known.mode);
        }
    }
    if (config.pooling.empty()) config.pooling.push_back(PoolingMode::mean);
    config.include_prompt = get_bool(json, "include_prompt", path).value_or(true);
    for (const char* key : {"embedding_dimension", "word_embedding_dimension"}) {
        if (const auto size = get_integer(json, key, path, 1, 1 << 28)) {
            config.pooling_dimension = static_cast<Index>(*size);
        }
    }
}

BERT_INLINE Activation dense_activation(const std::string& class_name, const std::filesystem::path& path) {
    constexpr std::pair<std::string_view, Activation> names[] = {
        {"Tanh", Activation::tanh},          {"Identity", Activation::identity},    {"ReLU", Activation::relu},
        {"GELU", Activation::gelu},          {"Sigmoid", Activation::sigmoid},      {"SiLU", Activation::silu},
        {"ReLU6", Activation::relu6},        {"LeakyReLU", Activation::leaky_relu}, {"Mish", Activation::mish},
        {"Hardswish", Activation::hardswish}};
    const std::string_view last = std::string_view(class_name).substr(class_name.rfind('.') + 1);
    for (const auto& [name, activation] : names) {
        if (name == last) return activation;
    }
    fail(ErrorKind::unsupported, path, ": \"activation_function\" \"", class_name, "\" is not a known activation");
}

BERT_INLINE DenseConfig read_dense(const ModelPath& folder, const char* features) {
    const auto path = folder / "config.json";
    const JsonDocument json = read_json_object(path);
    DenseConfig dense;
    dense.folder = folder;
    const auto size = [&](const char* key) {
        const auto value = get_integer(json, key, path, 1, 1 << 28);
        if (!value) fail(ErrorKind::format, path, ": \"", key, "\" is missing");
        return static_cast<Index>(*value);
    };
    dense.in_features = size("in_features");
    dense.out_features = size("out_features");
    dense.bias = get_bool(json, "bias", path).value_or(true);
    // A class of others' is not run by sentence-transformers either, which then takes its default.
    if (const auto name = get_string(json, "activation_function", path); name && name->rfind("torch.", 0) == 0)
        dense.activation = dense_activation(*name, path);
    dense.residual = get_bool(json, "use_residual", path).value_or(false);
    for (const char* key : {"module_input_name", "module_output_name"}) {
        if (const auto name = get_string(json, key, path); name && *name != features) {
            fail(ErrorKind::unsupported, path, ": \"", key, "\" should be \"", features, "\", given \"", *name, "\"");
        }
    }
    return dense;
}

BERT_INLINE std::vector<ModuleEntry> read_module_list(const ModelPath& folder) {
    const auto path = folder / "modules.json";
    const JsonDocument list = parse_json(read_model_file(path, 1 << 20), path);
    if (!list.is_array() || list.empty()) fail(ErrorKind::format, path, ": expected a list of modules");
    std::vector<ModuleEntry> modules;
    for (const Json& module : list) {
        const auto type = module.is_object() ? get_string(module, "type", path) : std::nullopt;
        if (!type) fail(ErrorKind::format, path, ": module ", modules.size(), " has no \"type\"");
        modules.push_back({*type, type->substr(type->rfind('.') + 1),
                           inside_folder(folder, get_string(module, "path", path).value_or(""), path)});
    }
    return modules;
}

BERT_INLINE ModuleLayout module_layout(const std::vector<ModuleEntry>& modules) {
    const auto rest_is_of = [&](std::size_t first, std::initializer_list<std::string_view> names) {
        return std::all_of(
            modules.begin() + static_cast<std::ptrdiff_t>(first), modules.end(),
            [&](const auto& module) { return std::find(names.begin(), names.end(), module.name) != names.end(); });
    };
    const std::string& first = modules.front().name;
    const std::string& second = modules.size() > 1 ? modules[1].name : first;
    if (modules.size() == 2 && second == "SpladePooling" && (first == "Transformer" || first == "MLMTransformer")) {
        return ModuleLayout::sparse_encoder;
    }
    if (first != "Transformer") return ModuleLayout::other;
    if (modules.size() == 1) return ModuleLayout::cross_encoder;
    if (second == "Pooling" && rest_is_of(2, {"Dense", "Normalize"})) return ModuleLayout::sentence_encoder;
    // A Transformer whose tokens are scaled to unit length, and no more, was not made for late interaction.
    const bool more_than_scaled = !rest_is_of(1, {"Normalize"});
    if (more_than_scaled && rest_is_of(1, {"Dense", "MultiVectorMask", "Normalize"})) {
        return ModuleLayout::multi_vector_encoder;
    }
    return ModuleLayout::other;
}

BERT_INLINE const char* served_by(const std::vector<ModuleEntry>& modules) {
    switch (module_layout(modules)) {
        case ModuleLayout::sentence_encoder: return "; it serves: sentence-embedding";
        case ModuleLayout::cross_encoder: return "; it serves: reranking";
        case ModuleLayout::sparse_encoder: return "; it serves: sparse-embedding";
        case ModuleLayout::multi_vector_encoder: return "; it serves: late-interaction";
        case ModuleLayout::other: break;
    }
    return "";
}

BERT_INLINE void check_once(const ModelPath& folder, std::set<std::filesystem::path>& known,
                            const std::filesystem::path& named_by) {
    std::error_code ec;
    const auto target = std::filesystem::canonical(folder, ec);
    if (!known.insert(ec ? std::filesystem::path(folder) : target).second) {
        fail(ErrorKind::unsupported, named_by, ": two modules have their weights in ", folder);
    }
}

BERT_INLINE void read_modules(const ModelPath& folder, SentenceConfig& config) {
    const auto path = folder / "modules.json";
    const std::vector<ModuleEntry> modules = read_module_list(folder);
    bool pooled = false;
    std::set<std::filesystem::path> dense;
    for (std::size_t i = 0; i < modules.size(); ++i) {
        const auto& [type, name, module_folder] = modules[i];
        const bool ours = type.rfind("sentence_transformers.", 0) == 0;
        if (!ours || (name != "Transformer" && name != "Pooling" && name != "Dense" && name != "Normalize")) {
            fail(ErrorKind::unsupported, path, ": module type \"", type, "\" is not supported", served_by(modules));
        }
        if ((name == "Transformer") != (i == 0) || (name == "Pooling") != (i == 1)) {
            fail(ErrorKind::unsupported, path,
                 ": modules should be one Transformer, one Pooling, then Dense or Normalize; module ", i, " is ", name,
                 served_by(modules));
        }
        if (name == "Transformer") {
            config.transformer_folder = module_folder;
        } else if (name == "Pooling") {
            read_pooling(module_folder, config);
            pooled = true;
        } else if (name == "Dense") {
            check_once(module_folder, dense, path);
            config.modules.emplace_back(read_dense(module_folder));
        } else {
            config.modules.emplace_back(NormalizeConfig{});
        }
    }
    if (!pooled) {
        fail(ErrorKind::unsupported, path, ": a model without a Pooling module gives no sentence embeddings",
             served_by(modules));
    }
}

BERT_INLINE void read_sentence_settings(const ModelPath& folder, SentenceConfig& config) {
    const auto path = folder / "config_sentence_transformers.json";
    if (!is_there(path)) return;
    const JsonDocument json = read_json_object(path);
    if (const Json* const prompts = find(json, "prompts")) {
        if (!prompts->is_object()) wrong_type(path, "prompts", "an object of texts by name", *prompts);
        for (const auto& [name, text] : prompts->items()) {
            if (text.is_null()) continue;
            if (!text.is_string()) wrong_type(path, "prompts", "an object of texts by name", text);
            config.prompts[name] = text.get<std::string>();
        }
    }
    config.default_prompt_name = get_string(json, "default_prompt_name", path);
    // These two are always there, empty where nothing is said of them.
    const bool standard = config.default_prompt_name == "query" || config.default_prompt_name == "document";
    if (standard) config.prompts.emplace(*config.default_prompt_name, "");
    if (config.default_prompt_name && config.prompts.count(*config.default_prompt_name) == 0) {
        fail(ErrorKind::format, path, ": \"default_prompt_name\" \"", *config.default_prompt_name,
             "\" is not one of \"prompts\"");
    }
    if (const auto size = get_integer(json, "truncate_dim", path, 1, 1 << 28)) {
        config.truncate_dim = static_cast<Index>(*size);
    }
    if (const auto name = get_string(json, "similarity_fn_name", path)) {
        if (*name == "cosine") config.similarity = Similarity::cosine;
        else if (*name == "dot") config.similarity = Similarity::dot;
        else if (*name == "euclidean") config.similarity = Similarity::euclidean;
        else if (*name == "manhattan") config.similarity = Similarity::manhattan;
        // Of models with several vectors a text; see ColbertConfig.
        else if (*name != "maxsim" && *name != "meanmaxsim")
            fail(ErrorKind::unsupported, path, ": unknown \"similarity_fn_name\" \"", *name, "\"");
    }
}

BERT_INLINE void read_limits(SentenceConfig& config) {
    for (const char* name : limit_files) {
        const auto path = config.transformer_folder / name;
        if (!is_there(path)) continue;
        const JsonDocument json = read_json_object(path);
        if (const auto length = get_integer(json, "max_seq_length", path, 1, std::int64_t{1} << 40)) {
            config.max_seq_length = static_cast<std::size_t>(*length);
        }
        config.do_lower_case = get_bool(json, "do_lower_case", path).value_or(false);
        // These change what the tokenizer's own files say.
        for (const char* arguments : {"tokenizer_args", "processor_kwargs"}) {
            const Json* const given = find(json, arguments);
            if (!given || !given->is_object()) continue;
            for (const char* key : {"do_lower_case", "max_length", "model_max_length", "strip_accents",
                                    "tokenize_chinese_chars", "truncation_side"}) {
                if (!given->contains(key)) continue;
                fail(ErrorKind::unsupported, path, ": \"", arguments, "\" with \"", key,
                     "\": it should stand in tokenizer_config.json");
            }
        }
        return;
    }
}

}  // namespace detail

BERT_INLINE ModelPath transformer_folder(const ModelPath& folder) {
    detail::check_folder(folder);
    return detail::is_there(folder / "modules.json") ? detail::read_module_list(folder).front().folder : folder;
}

BERT_INLINE SentenceConfig load_sentence_config(const ModelPath& folder) {
    detail::check_folder(folder);
    SentenceConfig config;
    config.transformer_folder = folder;
    if (detail::is_there(folder / "modules.json")) detail::read_modules(folder, config);
    detail::read_sentence_settings(folder, config);
    detail::read_limits(config);
    return config;
}

BERT_NAMESPACE_END
