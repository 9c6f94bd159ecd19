// Definitions of tasks/reranker.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/reranker.hpp>

#include <utility>

BERT_NAMESPACE_BEGIN

BERT_INLINE Reranker::Reranker(const ModelPath& folder, const TaskOptions& options)
    : Reranker(load_cross_encoder_config(folder), options) {}

BERT_INLINE PairScores Reranker::score(const std::vector<TextPair>& pairs, const RerankOptions& options) const {
    std::vector<PooledClassifier::Input> inputs;
    std::vector<std::string> prompted;
    const std::string prompt = prompt_of(options);
    prompted.reserve(pairs.size());
    for (const TextPair& pair : pairs) {
        prompted.push_back(prompt + pair.first);
        inputs.push_back({prompted.back(), pair.second});
    }
    return score_inputs(inputs, options);
}

BERT_INLINE std::vector<RankedDocument> Reranker::rank(const std::string& query,
                                                       const std::vector<std::string>& documents,
                                                       const RerankOptions& options) const {
    if (documents.empty()) detail::fail(ErrorKind::input, "there are no documents to rank");
    if (labels() != 1) {
        detail::fail(ErrorKind::unsupported, task().folder(), ": ranking needs one score a pair, but this model has ",
                     labels(), " labels");
    }
    const std::string prompted = prompt_of(options) + query;
    std::vector<PooledClassifier::Input> inputs;
    inputs.reserve(documents.size());
    for (const std::string& document : documents) inputs.push_back({prompted, document});
    const PairScores scores = score_inputs(inputs, options);
    return rank_documents(scores.scores.data(), scores.truncated, options.top_k);
}

BERT_INLINE Reranker::Reranker(CrossEncoderConfig config, const TaskOptions& options)
    : config_(std::move(config)),
      classifier_(config_.transformer_folder, Task::reranking, "classifier", std::nullopt,
                  with_length_limit(options, config_.max_seq_length, config_.transformer_folder),
                  {config_.do_lower_case, {}}) {}

BERT_INLINE std::string Reranker::prompt_of(const RerankOptions& options) const {
    if (options.prompt) return *options.prompt;
    if (!config_.default_prompt_name) return {};
    return config_.prompts.at(*config_.default_prompt_name);
}

BERT_INLINE PairScores Reranker::score_inputs(const std::vector<PooledClassifier::Input>& inputs,
                                              const RerankOptions& options) const {
    PooledClassifier::Logits logits = classifier_.compute(inputs);
    activate_all(options.activation.value_or(config_.activation), logits.values);
    if (options.softmax && labels() > 1) softmax_rows(logits.values);
    return {std::move(logits.values), std::move(logits.truncated)};
}

BERT_NAMESPACE_END
