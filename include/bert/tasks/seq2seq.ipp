// Definitions of tasks/seq2seq.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/decoder_steps.hpp>
#include <bert/tasks/seq2seq.hpp>

#include <algorithm>

BERT_NAMESPACE_BEGIN

BERT_INLINE Seq2Seq::Seq2Seq(const ModelPath& folder, const Seq2SeqOptions& options)
    : Seq2Seq(folder, options,
              load_encoder_decoder_config(detail::generator_folder(folder, Task::text2text_generation)),
              Checkpoint(folder, options.load.memory_map)) {}

BERT_INLINE Seq2SeqResult Seq2Seq::generate(const std::vector<std::string>& sources,
                                            const GenerationOptions& options) const {
    const Tokenizer& tokenizer = detail::require_tokenizer(tokenizer_);
    const auto limit = static_cast<std::size_t>(encoder_.config().max_position_embeddings);
    EncodeOptions encode_options;
    encode_options.max_length = std::min(limit, tokenizer.model_max_length().value_or(limit));
    Seq2SeqResult result;
    std::vector<std::vector<std::int32_t>> ids;
    TokenIds encoded;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        tokenizer.encode_ids(sources[i], encode_options, encoded);
        if (encoded.truncated && !truncate_) {
            detail::fail(ErrorKind::input, "source ", i, " has ", encoded.total_tokens, " tokens; at most ",
                         *encode_options.max_length, " fit");
        }
        result.sources.push_back({encoded.ids.size(), encoded.truncated});
        ids.push_back(encoded.ids);
    }
    result.sequences = generate_ids(ids, options);
    return result;
}

BERT_INLINE std::vector<std::vector<GeneratedSequence>> Seq2Seq::generate_ids(
    const std::vector<std::vector<std::int32_t>>& sources, const GenerationOptions& options) const {
    const auto start = merge(options, generation_config_);
    const auto start_token = start.decoder_start_token_id ? start.decoder_start_token_id : start.bos_token_id;
    if (!start_token) {
        detail::fail(ErrorKind::input,
                     "neither decoder_start_token_id nor bos_token_id is set: what should the "
                     "decoder begin with?");
    }
    const std::vector<std::vector<std::int32_t>> prompts(sources.size(), {*start_token});
    std::vector<std::size_t> source_tokens;
    source_tokens.reserve(sources.size());
    for (const auto& source : sources) source_tokens.push_back(source.size());
    check_sources(sources);

    const WorkspacePool::Loan workspace(*workspaces_);
    detail::DecoderSteps steps(decoder_, *workspace, [&](const std::vector<std::size_t>& wanted) {
        return read(sources, wanted, *workspace);
    });
    const ModelConfig& config = decoder_.config();
    const GenerationLimits limits{config.vocab_size, config.max_position_embeddings, std::nullopt};
    auto results = bert::generate(steps, prompts, options, generation_config_, limits, source_tokens);
    const auto& tokenizer = target_tokenizer_ ? target_tokenizer_ : tokenizer_;
    if (tokenizer) detail::add_texts(*tokenizer, results);
    return results;
}

BERT_INLINE Matrix Seq2Seq::encode(const Batch& batch, Workspace& workspace) const {
    Matrix states(batch.tokens(), encoder_.config().hidden_size);
    encoder_.forward(batch, states, workspace);
    if (!projection_) return states;
    Matrix projected(states.rows(), projection_->out_features());
    projection_->forward(states, projected, workspace);
    return projected;
}

BERT_INLINE Seq2Seq::Seq2Seq(const ModelPath& folder, const Seq2SeqOptions& options, const EncoderDecoderConfig& config,
                             const Checkpoint& checkpoint)
    : truncate_(options.truncate),
      generation_config_(load_generation_config(folder)),
      tokenizer_(detail::load_optional_tokenizer(folder, options)),
      encoder_(load_encoder(config.encoder, checkpoint, choose_weights(options.weights, folder), options.load)),
      decoder_(AnyDecoderModel::load(config.decoder, checkpoint, "decoder.", choose_weights(options.weights, folder),
                                     options.load.kernels)),
      workspaces_(std::make_unique<WorkspacePool>(options.threads, options.executor)) {
    if (config.encoder.hidden_size != config.decoder.hidden_size) {
        Weights weights(checkpoint, "", options.load.kernels);
        projection_.emplace(
            weights.linear<float>({"enc_to_dec_proj"}, config.encoder.hidden_size, config.decoder.hidden_size));
    }
    if (options.target_tokenizer) target_tokenizer_ = Tokenizer::load(*options.target_tokenizer);
    detail::check_generator_vocabulary(folder, tokenizer_, config.encoder);
    if (target_tokenizer_) {
        detail::check_generator_vocabulary(*options.target_tokenizer, target_tokenizer_, config.decoder);
    }
}

BERT_INLINE AnyBertModel Seq2Seq::load_encoder(const ModelConfig& config, const Checkpoint& checkpoint, WeightType type,
                                               const LoadOptions& load) {
    Weights weights(checkpoint, "encoder.", load.kernels);
    switch (type) {
        case WeightType::bfloat16: return AnyBertModel(BertModel<bfloat16>::load(config, weights));
        case WeightType::int8: return AnyBertModel(BertModel<std::int8_t>::load(config, weights));
        case WeightType::float32: break;
    }
    return AnyBertModel(BertModel<float>::load(config, weights));
}

BERT_INLINE void Seq2Seq::check_sources(const std::vector<std::vector<std::int32_t>>& sources) const {
    const ModelConfig& config = encoder_.config();
    for (std::size_t i = 0; i < sources.size(); ++i) {
        if (sources[i].empty() || static_cast<Index>(sources[i].size()) > config.max_position_embeddings) {
            detail::fail(ErrorKind::input, "source ", i, " has ", sources[i].size(),
                         " tokens; the encoder takes 1 "
                         "to ",
                         config.max_position_embeddings);
        }
        for (const std::int32_t id : sources[i]) {
            if (id < 0 || id >= config.vocab_size) {
                detail::fail(ErrorKind::input, "source ", i, ": id ", id, " is outside the encoder's vocabulary of ",
                             config.vocab_size);
            }
        }
    }
}

BERT_INLINE std::vector<KeyValueCache<float>> Seq2Seq::read(const std::vector<std::vector<std::int32_t>>& sources,
                                                            const std::vector<std::size_t>& wanted,
                                                            Workspace& workspace) const {
    Batch batch;
    for (const std::size_t i : wanted) batch.add(sources[i].data(), nullptr, sources[i].size());
    const Matrix states = encode(batch, workspace);
    std::vector<KeyValueCache<float>> result;
    for (Index i = 0; i < batch.texts(); ++i) {
        const auto rows = states.middleRows(batch.offsets[static_cast<std::size_t>(i)], batch.length(i));
        result.push_back(decoder_.read_source(rows, workspace));
    }
    return result;
}

BERT_NAMESPACE_END
