// Definitions of tasks/causal_lm.hpp.
#pragma once

#include <bert/io/decoder_config.hpp>
#include <bert/tasks/causal_lm.hpp>
#include <bert/tasks/decoder_steps.hpp>

BERT_NAMESPACE_BEGIN

BERT_INLINE CausalLM::CausalLM(const ModelPath& folder, const LanguageModelOptions& options)
    : generation_config_(load_generation_config(detail::generator_folder(folder, Task::text_generation))),
      tokenizer_(detail::load_optional_tokenizer(folder, options)),
      model_(load(folder, options)),
      workspaces_(std::make_unique<WorkspacePool>(options.threads, options.executor)) {
    detail::check_generator_vocabulary(folder, tokenizer_, model_.config());
}

BERT_INLINE std::vector<std::vector<GeneratedSequence>> CausalLM::generate(const std::vector<std::string>& prompts,
                                                                           const GenerationOptions& options,
                                                                           bool add_special_tokens) const {
    const Tokenizer& tokenizer = detail::require_tokenizer(tokenizer_);
    EncodeOptions encode_options;
    encode_options.add_special_tokens = add_special_tokens;
    std::vector<std::vector<std::int32_t>> ids;
    TokenIds encoded;
    for (const std::string& prompt : prompts) {
        tokenizer.encode_ids(prompt, encode_options, encoded);
        ids.push_back(encoded.ids);
        const auto bos = merge(options, generation_config_).bos_token_id;
        if (encoded.ids.empty() && bos) ids.back() = {*bos};
    }
    return generate_ids(ids, options);
}

BERT_INLINE std::vector<std::vector<GeneratedSequence>> CausalLM::generate_ids(
    const std::vector<std::vector<std::int32_t>>& prompts, const GenerationOptions& options) const {
    const WorkspacePool::Loan workspace(*workspaces_);
    detail::DecoderSteps steps(model_, *workspace);
    const ModelConfig& config = model_.config();
    const GenerationLimits limits{config.vocab_size, config.max_position_embeddings, config.max_position_embeddings};
    auto results = bert::generate(steps, prompts, options, generation_config_, limits);
    if (tokenizer_) detail::add_texts(*tokenizer_, results);
    return results;
}

BERT_INLINE AnyDecoderModel CausalLM::load(const ModelPath& folder, const LanguageModelOptions& options) {
    const ModelConfig config = load_decoder_config(folder);
    const Checkpoint checkpoint(folder, options.load.memory_map);
    return AnyDecoderModel::load(config, checkpoint, "", choose_weights(options.weights, folder), options.load.kernels);
}

BERT_NAMESPACE_END
