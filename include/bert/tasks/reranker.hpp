// How well documents fit a query, by a cross-encoder. Depends on io and tasks/pooled_classifier.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/cross_encoder_config.hpp>
#include <bert/io/model_path.hpp>
#include <bert/tasks/pooled_classifier.hpp>
#include <bert/tasks/scores.hpp>

#include <cstddef>
#include <optional>
#include <string>
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
    explicit Reranker(const ModelPath& folder, const TaskOptions& options = {});

    /// One row of scores per pair. Errors: input.
    PairScores score(const std::vector<TextPair>& pairs, const RerankOptions& options = {}) const;

    /// The documents in the order in which they fit the query, best first; of equal scores the earlier comes first.
    /// Errors: input (no documents), unsupported (a model with several labels).
    std::vector<RankedDocument> rank(const std::string& query, const std::vector<std::string>& documents,
                                     const RerankOptions& options = {}) const;

    Index labels() const noexcept { return classifier_.labels(); }         ///< 1 for models that give one score a pair
    const CrossEncoderConfig& config() const noexcept { return config_; }  ///< as the folder has it
    const TaskModel& task() const noexcept { return classifier_.task(); }  ///< model and tokenizer

private:
    Reranker(CrossEncoderConfig config, const TaskOptions& options);

    std::string prompt_of(const RerankOptions& options) const;

    PairScores score_inputs(const std::vector<PooledClassifier::Input>& inputs, const RerankOptions& options) const;

    CrossEncoderConfig config_;
    PooledClassifier classifier_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/reranker.ipp>
#endif
