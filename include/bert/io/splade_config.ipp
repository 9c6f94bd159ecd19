// Definitions of io/splade_config.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/model_json.hpp>
#include <bert/io/splade_config.hpp>

#include <cstdint>

BERT_NAMESPACE_BEGIN

BERT_INLINE SpladeConfig load_splade_config(const ModelPath& folder) {
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
