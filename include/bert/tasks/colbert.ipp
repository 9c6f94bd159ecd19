// Definitions of tasks/colbert.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/model/task_heads.hpp>
#include <bert/nn/pooling.hpp>
#include <bert/tasks/colbert.hpp>
#include <bert/tasks/similarity.hpp>

#include <algorithm>
#include <utility>

BERT_NAMESPACE_BEGIN

BERT_INLINE double max_sim(const ConstRows<float>& query, const ConstRows<float>& document) {
    const Matrix products = similarity(query, document, Similarity::dot);
    if (products.cols() == 0) return 0;
    return products.rowwise().maxCoeff().cast<double>().sum();
}

BERT_INLINE Colbert::Colbert(const ModelPath& folder, const TaskOptions& options)
    : Colbert(load_colbert_config(folder), options) {}

BERT_INLINE std::vector<TokenVectors> Colbert::encode_query(const std::vector<std::string>& queries) const {
    EncodeOptions limit;
    limit.max_length = task_.max_length();
    if (config_.expand_queries && config_.fixed_length) limit.max_length = config_.expansion_length;
    else if (config_.query_length) limit.max_length = std::min(*config_.query_length, task_.max_length());
    return encode(queries, config_.query_prompt, limit, true);
}

BERT_INLINE std::vector<TokenVectors> Colbert::encode_document(const std::vector<std::string>& documents) const {
    EncodeOptions limit;
    limit.max_length = std::min(config_.document_length.value_or(task_.max_length()), task_.max_length());
    return encode(documents, config_.document_prompt, limit, false);
}

BERT_INLINE Matrix Colbert::scores(const std::vector<TokenVectors>& queries,
                                   const std::vector<TokenVectors>& documents) const {
    Matrix result(static_cast<Index>(queries.size()), static_cast<Index>(documents.size()));
    for (Index q = 0; q < result.rows(); ++q) {
        const Matrix& query = queries[static_cast<std::size_t>(q)].vectors;
        const double divisor = config_.mean_max_sim ? static_cast<double>(std::max<Index>(query.rows(), 1)) : 1.0;
        for (Index d = 0; d < result.cols(); ++d) {
            const double score = max_sim(query, documents[static_cast<std::size_t>(d)].vectors);
            result(q, d) = static_cast<float>(score / divisor);
        }
    }
    return result;
}

BERT_INLINE std::vector<RankedDocument> Colbert::rank(const std::string& query,
                                                      const std::vector<std::string>& documents,
                                                      const std::optional<std::size_t>& top_k) const {
    if (documents.empty()) detail::fail(ErrorKind::input, "there are no documents to rank");
    const auto vectors = encode_document(documents);
    std::vector<bool> truncated;
    truncated.reserve(vectors.size());
    for (const TokenVectors& document : vectors) truncated.push_back(document.truncated);
    return rank_documents(scores(encode_query({query}), vectors).data(), truncated, top_k);
}

BERT_INLINE Index Colbert::dimension() const noexcept {
    return projections_.empty() ? task_.config().hidden_size : projections_.back().out_features();
}

BERT_INLINE Colbert::Colbert(ColbertConfig config, const TaskOptions& options)
    : config_(std::move(config)),
      projections_(load_projections(config_, options.load)),
      task_(config_.transformer_folder, with_length_limit(options, config_.max_seq_length, config_.transformer_folder),
            {config_.do_lower_case, config_.markers}) {
    const Tokenizer& tokenizer = task_.tokenizer();
    const auto positions = static_cast<std::size_t>(task_.config().max_position_embeddings);
    if (config_.expand_queries && config_.expansion_length > positions) {
        detail::fail(ErrorKind::shape, config_.transformer_folder, ": queries are to be filled up to ",
                     config_.expansion_length, " tokens, but the model takes at most ", positions);
    }
    expansion_id_ = config_.expansion_token ? tokenizer.token_to_id(*config_.expansion_token) : tokenizer.mask_id();
    if (config_.expand_queries && !expansion_id_) {
        detail::fail(ErrorKind::vocabulary, config_.transformer_folder, ": queries are to be filled up with ",
                     config_.expansion_token.value_or("mask tokens"), ", which the tokenizer does not have");
    }
    for (const std::string& word : config_.skiplist) {
        if (const auto id = tokenizer.token_to_id(word)) skiplist_.insert(*id);
    }
}

BERT_INLINE std::vector<Dense> Colbert::load_projections(const ColbertConfig& config, const LoadOptions& options) {
    std::vector<Dense> layers;
    Index size = load_model_config(config.transformer_folder).hidden_size;
    if (!config.projections) {
        const HeadFolder heads(config.transformer_folder, Task::late_interaction, options);
        const TensorView* const weight = heads.checkpoint().find("linear.weight");
        const Index outputs = weight && weight->shape.size() == 2 ? weight->shape[0] : 128;
        layers.emplace_back(heads.linear_without_bias("linear", outputs), Activation::identity);
        return layers;
    }
    for (const DenseConfig& dense : *config.projections) {
        if (dense.in_features != size) {
            detail::fail(ErrorKind::shape, dense.folder, ": \"in_features\" should be ", size, ", given ",
                         dense.in_features);
        }
        layers.push_back(load_dense(dense, options));
        size = dense.out_features;
    }
    return layers;
}

BERT_INLINE std::vector<TokenVectors> Colbert::encode(const std::vector<std::string>& texts, const std::string& prompt,
                                                      const EncodeOptions& limit, bool query) const {
    const bool skips = query ? config_.skip_in_queries : config_.skip_in_documents;
    std::vector<TokenVectors> results(texts.size());
    TaskRun run(task_, [&](const TaskStep& step) {
        for (Index i = 0; i < step.batch.texts(); ++i) {
            const auto begin = static_cast<std::size_t>(step.batch.offsets[static_cast<std::size_t>(i)]);
            results[step.first + static_cast<std::size_t>(i)].vectors =
                project(step.rows(i), skips ? step.batch.ids.data() + begin : nullptr, step.workspace);
        }
    });
    for (std::size_t i = 0; i < texts.size(); ++i) {
        Encoding encoding = task_.tokenizer().encode(prompt + texts[i], limit);
        results[i].truncated = encoding.truncated;
        if (query && config_.expand_queries && encoding.size() < config_.expansion_length) {
            encoding.ids.resize(config_.expansion_length, *expansion_id_);
            encoding.type_ids.resize(config_.expansion_length, 0);
            encoding.attention_mask.resize(config_.expansion_length, config_.attend_to_expansion ? 1 : 0);
        }
        run.add(encoding);
        if (run.full()) run.compute();
    }
    run.compute();
    return results;
}

BERT_INLINE Matrix Colbert::project(const ConstRows<float>& hidden, const std::int32_t* ids,
                                    Workspace& workspace) const {
    Matrix rows(hidden.rows(), hidden.cols());
    Index kept = 0;
    for (Index i = 0; i < hidden.rows(); ++i) {
        if (!ids || skiplist_.count(ids[i]) == 0) rows.row(kept++) = hidden.row(i);
    }
    rows.conservativeResize(kept, Eigen::NoChange);
    for (const Dense& layer : projections_) rows = layer.forward(rows, workspace);
    if (config_.normalize) normalize_rows(rows);
    return rows;
}

BERT_NAMESPACE_END
