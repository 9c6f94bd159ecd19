// Searching a store: exactly or by its graph, by words, or both, among all documents or those with certain metadata.
#pragma once

#include "encoder_options.hpp"
#include "store.hpp"
#include "text_index.hpp"

#include <bert/bert.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

enum class SearchMode {
    dense,   ///< by the vectors
    bm25,    ///< by the words
    hybrid,  ///< by both, fused
};

struct StoreSearchOptions {
    std::string model;  ///< instead of the folder that the store remembers
    bert::SentenceEncoderOptions encoder;
    SearchMode mode = SearchMode::dense;
    std::size_t top_k = 10;
    bool approximate = false;
    std::size_t ef = 100;            ///< candidates of approximate search
    std::vector<std::string> where;  ///< "key=value", all of which have to hold
};

/// A document that was found.
struct StoreHit {
    bert::Index row = 0;
    float score = 0;
    /// Of hybrid search: places in the two lists, from 1; 0 where it is in one list only.
    std::size_t dense_rank = 0;
    std::size_t bm25_rank = 0;
};

/// What approximate search gives up and gains.
struct RecallReport {
    double recall = 0;               ///< mean share of the exact hits that are found
    double exact_seconds = 0;        ///< a query, all of them at once
    double approximate_seconds = 0;  ///< a query, one after another
};

class StoreSearcher {
public:
    /// Errors: file, format (a damaged store), input (another model, a filter without "=" or of an unknown field),
    /// unsupported (what the store or the tool was made without).
    StoreSearcher(const std::string& store, StoreSearchOptions options);

    /// The hits of each query, best first.
    std::vector<std::vector<StoreHit>> search(const std::vector<std::string>& queries) const;

    /// Compares approximate search with exact. Errors: input (no queries).
    RecallReport measure_recall(const std::vector<std::string>& queries) const;

    const Store& store() const noexcept { return store_; }

private:
    using Hits = std::vector<StoreHit>;

    void open_filter();
    bool accepts(bert::Index row) const { return !filtered_ || accepted_[static_cast<std::size_t>(row)] != 0; }
    std::vector<Hits> exact(const bert::Matrix& queries, std::size_t k) const;
    std::vector<Hits> approximate(const bert::Matrix& queries, std::size_t k) const;
    Hits by_words(const std::string& query, std::size_t k) const;

    Store store_;
    StoreSearchOptions options_;
    std::optional<bert::SentenceEncoder> encoder_;
    std::optional<NeighbourGraph> graph_;
    std::optional<TextIndex> words_;
    mutable bert::ThreadPool threads_;
    bool filtered_ = false;
    std::vector<unsigned char> accepted_;  // by row
};
