// What sentence-transformers writes beside a cross-encoder: the activation of its scores, prompts and limits.
// Depends on core and io. Semantics follow sentence-transformers 6.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/error.hpp>
#include <bert/io/model_config.hpp>
#include <bert/io/sentence_config.hpp>

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

BERT_NAMESPACE_BEGIN

/// What a folder says about scoring pairs. A plain folder of `transformers` gives the defaults.
struct CrossEncoderConfig {
    ModelPath transformer_folder;               ///< where config.json, weights and tokenizer are
    std::optional<std::size_t> max_seq_length;  ///< of sentence_bert_config.json, in tokens
    bool do_lower_case = false;                 ///< of sentence_bert_config.json
    /// Applied to the logits. Where nothing is named: sigmoid for a single label, nothing for several.
    Activation activation = Activation::identity;
    std::map<std::string, std::string> prompts;  ///< text put before the first text of a pair, by name
    std::optional<std::string> default_prompt_name;
};

/// Reads it. The activation is looked for in config_sentence_transformers.json, then in config.json, under the key of
/// today ("sentence_transformers") and that of old ("sbert_ce_default_activation_function"). A class that is not
/// PyTorch's counts as not named. Errors: file, format, unsupported (other modules, an activation with parameters).
inline CrossEncoderConfig load_cross_encoder_config(const ModelPath& folder) {
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
