// How well documents fit a query, by a cross-encoder. Depends on io and tasks/pooled_classifier.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/cross_encoder_config.hpp>
#include <bert/io/model_path.hpp>
#include <bert/tasks/pooled_classifier.hpp>
#include <bert/tasks/scores.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Options of one call of Reranker.
struct RerankOptions {
    std::optional<std::size_t> top_k;      ///< most documents to return; all where not set
    std::optional<Activation> activation;  ///< instead of the folder's
    bool softmax = false;                  ///< of the scores of a pair, where there are several
    std::optional<std::string> prompt;     ///< put before the query; the folder's default where not set, "" for none
};

/// Scores of pairs.
struct PairScores {
    Matrix scores;                ///< pairs x labels
    std::vector<bool> truncated;  ///< per pair: whether tokens were left out to respect the model's limit
};

/// A cross-encoder (BertForSequenceClassification with one label or more): query and document are read together, with
/// the token types of a pair, as sentence-transformers' CrossEncoder does it. Const calls may be made from several
/// threads at once.
class Reranker {
public:
    /// Errors: file, format, shape, vocabulary, unsupported (no such head in the folder).
    explicit Reranker(const ModelPath& folder, const TaskOptions& options = {})
        : Reranker(load_cross_encoder_config(folder), options) {}

    /// One row of scores per pair. Errors: input.
    PairScores score(const std::vector<TextPair>& pairs, const RerankOptions& options = {}) const {
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

    /// The documents in the order in which they fit the query, best first; of equal scores the earlier comes first.
    /// Errors: input (no documents), unsupported (a model with several labels).
    std::vector<RankedDocument> rank(const std::string& query, const std::vector<std::string>& documents,
                                     const RerankOptions& options = {}) const {
        if (documents.empty()) detail::fail(ErrorKind::input, "there are no documents to rank");
        if (labels() != 1) {
            detail::fail(ErrorKind::unsupported, task().folder(),
                         ": ranking needs one score a pair, but this model has ", labels(), " labels");
        }
        const std::string prompted = prompt_of(options) + query;
        std::vector<PooledClassifier::Input> inputs;
        for (const std::string& document : documents) inputs.push_back({prompted, document});
        const PairScores scores = score_inputs(inputs, options);
        return rank_documents(scores.scores.data(), scores.truncated, options.top_k);
    }

    Index labels() const noexcept { return classifier_.labels(); }
    const CrossEncoderConfig& config() const noexcept { return config_; }
    const TaskModel& task() const noexcept { return classifier_.task(); }

private:
    Reranker(CrossEncoderConfig config, const TaskOptions& options)
        : config_(std::move(config)),
          classifier_(config_.transformer_folder, Task::reranking, "classifier", std::nullopt,
                      with_length_limit(options, config_.max_seq_length, config_.transformer_folder),
                      {config_.do_lower_case, {}}) {}

    std::string prompt_of(const RerankOptions& options) const {
        if (options.prompt) return *options.prompt;
        if (!config_.default_prompt_name) return {};
        return config_.prompts.at(*config_.default_prompt_name);
    }

    PairScores score_inputs(const std::vector<PooledClassifier::Input>& inputs, const RerankOptions& options) const {
        PooledClassifier::Logits logits = classifier_.compute(inputs);
        activate_all(options.activation.value_or(config_.activation), logits.values);
        if (options.softmax && labels() > 1) softmax_rows(logits.values);
        return {std::move(logits.values), std::move(logits.truncated)};
    }

    CrossEncoderConfig config_;
    PooledClassifier classifier_;
};

BERT_NAMESPACE_END
