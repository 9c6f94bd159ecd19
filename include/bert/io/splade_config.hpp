// What sentence-transformers writes beside a model of sparse embeddings (SPLADE) as a plain struct. Depends on core and
// io. Semantics follow sentence-transformers 6.
#pragma once

#include <bert/error.hpp>
#include <bert/io/json.hpp>
#include <bert/io/sentence_config.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

BERT_NAMESPACE_BEGIN

/// How word scores of tokens become one sparse vector. A plain folder of `transformers` gives the defaults.
struct SpladeConfig {
    ModelPath transformer_folder;                ///< where config.json, weights and tokenizer are
    std::optional<std::size_t> max_seq_length;   ///< of sentence_bert_config.json, in tokens
    bool do_lower_case = false;                  ///< of sentence_bert_config.json
    bool sum = false;                            ///< add the scores of all tokens instead of taking the highest
    bool log_twice = false;                      ///< log(1 + log(1 + relu(x))) instead of log(1 + relu(x))
    std::optional<std::size_t> max_active_dims;  ///< most entries of a vector
    std::map<std::string, std::string> prompts;  ///< text put before each text, by name
    std::optional<std::string> default_prompt_name;
};

/// Reads it. Errors: file, format, unsupported (other modules than a Transformer and a SpladePooling).
inline SpladeConfig load_splade_config(const ModelPath& folder) {
    detail::check_folder(folder);
    SentenceConfig sentence;
    sentence.transformer_folder = folder;
    SpladeConfig config;
    const auto modules = folder / "modules.json";
    if (detail::is_there(modules)) {
        const auto list = detail::read_module_list(folder);
        const bool starts = list.front().name == "Transformer" || list.front().name == "MLMTransformer";
        if (list.size() != 2 || !starts || list.back().name != "SpladePooling") {
            std::string names;
            for (const auto& module : list) names += (names.empty() ? "" : ", ") + module.name;
            detail::fail(ErrorKind::unsupported, modules,
                         ": modules should be a Transformer and a SpladePooling, given: ", names,
                         detail::served_by(list));
        }
        sentence.transformer_folder = list.front().folder;
        const auto path = list.back().folder / "config.json";
        const detail::JsonDocument json = detail::read_json_object(path);
        const auto pooling = detail::get_string(json, "pooling_strategy", path).value_or("max");
        const auto activation = detail::get_string(json, "activation_function", path).value_or("relu");
        if ((pooling != "max" && pooling != "sum") || (activation != "relu" && activation != "log1p_relu")) {
            detail::fail(ErrorKind::unsupported, path, ": unknown \"pooling_strategy\" \"", pooling,
                         "\" or \"activation_function\" \"", activation, "\"");
        }
        config.sum = pooling == "sum";
        config.log_twice = activation == "log1p_relu";
    }
    detail::read_sentence_settings(folder, sentence);
    detail::read_limits(sentence);
    const auto settings = folder / "config_sentence_transformers.json";
    if (detail::is_there(settings)) {
        if (const auto most = detail::get_integer(detail::read_json_object(settings), "max_active_dims", settings, 1,
                                                  std::int64_t{1} << 40)) {
            config.max_active_dims = static_cast<std::size_t>(*most);
        }
    }
    config.transformer_folder = sentence.transformer_folder;
    config.max_seq_length = sentence.max_seq_length;
    config.do_lower_case = sentence.do_lower_case;
    config.prompts = sentence.prompts;
    config.default_prompt_name = sentence.default_prompt_name;
    return config;
}

BERT_NAMESPACE_END
