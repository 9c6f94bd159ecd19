// What the folders of ColBERT models say about queries and documents, in the layouts of the ColBERT authors, of PyLate
// and of sentence-transformers, as a plain struct. Depends on core and io.
#pragma once

#include <bert/io/sentence_config.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// How queries and documents become token vectors. The defaults are those of a checkpoint of the ColBERT authors.
struct ColbertConfig {
    ModelPath transformer_folder;                ///< where config.json, weights and tokenizer are
    std::optional<std::size_t> max_seq_length;   ///< of sentence_bert_config.json, in tokens
    bool do_lower_case = false;                  ///< of sentence_bert_config.json
    std::string query_prompt = "[unused0] ";     ///< put before queries
    std::string document_prompt = "[unused1] ";  ///< put before documents
    std::vector<std::string> markers;            ///< tokens of the prompts that are read as one special token each
    bool expand_queries = true;                  ///< fill queries up with a token whose vectors count too
    std::optional<std::string> expansion_token;  ///< that token; the tokenizer's [MASK] where not set
    bool fixed_length = true;                    ///< cut queries to expansion_length, or let them be longer
    std::size_t expansion_length = 32;           ///< tokens of an expanded query
    bool attend_to_expansion = false;            ///< whether the query's tokens see the tokens it is filled up with
    std::optional<std::size_t> query_length;     ///< most tokens of a query that is not cut to expansion_length
    std::optional<std::size_t> document_length;  ///< most tokens of a document
    std::vector<std::string> skiplist;           ///< tokens whose vectors are left out
    bool skip_in_queries = false;                ///< leave those of the skiplist out of queries
    bool skip_in_documents = true;               ///< and out of documents
    std::optional<std::vector<DenseConfig>> projections;  ///< unset: "linear.weight" beside the encoder
    bool normalize = true;                                ///< vectors of unit length
    bool mean_max_sim = false;                            ///< divide scores by the query's number of vectors
};

/// Reads what `folder` says. Errors: file, format, unsupported (other modules).
ColbertConfig load_colbert_config(const ModelPath& folder);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/colbert_config.ipp>
#endif
