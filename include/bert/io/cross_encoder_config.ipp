// Definitions of io/cross_encoder_config.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/cross_encoder_config.hpp>
#include <bert/io/model_config.hpp>
#include <bert/io/model_json.hpp>

BERT_NAMESPACE_BEGIN

BERT_INLINE CrossEncoderConfig load_cross_encoder_config(const ModelPath& folder) {
    detail::check_folder(folder);
    SentenceConfig sentence;
    sentence.transformer_folder = folder;
    const auto modules = folder / "modules.json";
    if (detail::is_there(modules)) {
        const auto list = detail::read_module_list(folder);
        if (list.size() != 1 || list.front().name != "Transformer") {
            detail::fail(ErrorKind::unsupported, modules, ": a cross-encoder should be one Transformer; module ",
                         list.size() - 1, " is ", list.back().type, detail::served_by(list));
        }
        sentence.transformer_folder = list.front().folder;
    }
    detail::read_sentence_settings(folder, sentence);
    detail::read_limits(sentence);

    const ModelConfig model = load_model_config(sentence.transformer_folder);
    std::optional<std::string> name = model.cross_encoder_activation;
    ModelPath source = sentence.transformer_folder / "config.json";
    const auto settings = folder / "config_sentence_transformers.json";
    if (detail::is_there(settings)) {
        if (const auto own = detail::get_string(detail::read_json_object(settings), "activation_fn", settings)) {
            name = own;
            source = settings;
        }
    }
    CrossEncoderConfig config;
    config.transformer_folder = sentence.transformer_folder;
    config.max_seq_length = sentence.max_seq_length;
    config.do_lower_case = sentence.do_lower_case;
    config.prompts = sentence.prompts;
    config.default_prompt_name = sentence.default_prompt_name;
    config.activation = model.num_labels == 1 ? Activation::sigmoid : Activation::identity;
    if (name && name->rfind("torch.", 0) == 0) config.activation = detail::dense_activation(*name, source);
    return config;
}

BERT_NAMESPACE_END
