// Texts to one vector per token, compared by late interaction (ColBERT). Depends on io, model and tasks/task_model.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/colbert_config.hpp>
#include <bert/model/dense.hpp>
#include <bert/tasks/scores.hpp>
#include <bert/tasks/task_model.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// The vectors of a text.
struct TokenVectors {
    Matrix vectors;          ///< tokens that count x dimension
    bool truncated = false;  ///< whether tokens of the text were left out to respect a limit
};

/// sum over the query's vectors of the highest dot product with any of the document's (Khattab and Zaharia 2020,
/// section 3.3). Errors: shape.
double max_sim(const ConstRows<float>& query, const ConstRows<float>& document);

/// Late interaction, ColBERT (Khattab and Zaharia 2020, https://arxiv.org/abs/2004.12832): a query's tokens each look
/// for the most alike token of a document.
///
/// Opens checkpoints of the ColBERT authors (class HF_ColBERT: projection "linear.weight", settings in
/// artifact.metadata), folders of PyLate and of sentence-transformers' MultiVectorEncoder, and follows the latter:
/// queries begin with [CLS] and a marker, and are filled up with [MASK] tokens that others do not attend to; documents
/// begin with another marker and lose the vectors of the skiplist's tokens, which are punctuation. Const calls may be
/// made from several threads at once.
class Colbert {
public:
    /// Errors: file, format, shape, vocabulary (no mask token), unsupported (no such head in the folder, other
    /// modules).
    explicit Colbert(const ModelPath& folder, const TaskOptions& options = {});

    /// The vectors of each query, in order, with the folder's prompt for queries and their expansion.
    std::vector<TokenVectors> encode_query(const std::vector<std::string>& queries) const;

    /// The vectors of each document, in order, with the folder's prompt for documents.
    std::vector<TokenVectors> encode_document(const std::vector<std::string>& documents) const;

    /// The score of every query (rows) with every document (columns), by max_sim(). Errors: shape.
    Matrix scores(const std::vector<TokenVectors>& queries, const std::vector<TokenVectors>& documents) const;

    /// The documents in the order in which they fit the query, best first; of equal scores the earlier comes first.
    /// top_k: most documents to return, all where not set. Errors: input (no documents).
    std::vector<RankedDocument> rank(const std::string& query, const std::vector<std::string>& documents,
                                     const std::optional<std::size_t>& top_k = std::nullopt) const;

    /// Length of a token's vector.
    Index dimension() const noexcept;

    const ColbertConfig& config() const noexcept { return config_; }  ///< as the folder has it
    const TaskModel& task() const noexcept { return task_; }          ///< model and tokenizer

private:
    Colbert(ColbertConfig config, const TaskOptions& options);

    static std::vector<Dense> load_projections(const ColbertConfig& config, const LoadOptions& options);

    std::vector<TokenVectors> encode(const std::vector<std::string>& texts, const std::string& prompt,
                                     const EncodeOptions& limit, bool query) const;

    /// hidden: tokens x hidden; `ids`, where given, are the tokens, of which those of the skiplist are left out.
    Matrix project(const ConstRows<float>& hidden, const std::int32_t* ids, Workspace& workspace) const;

    ColbertConfig config_;
    std::vector<Dense> projections_;
    TaskModel task_;
    std::optional<std::int32_t> expansion_id_;  // of what queries are filled up with
    std::set<std::int32_t> skiplist_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/colbert.ipp>
#endif
