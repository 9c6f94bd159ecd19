// Approximate search: a graph of near neighbours (HNSW, Malkov and Yashunin 2018, https://arxiv.org/abs/1603.09320), by
// hnswlib where the tool was built with it.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/io/sentence_config.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

/// How a graph is built. Higher values find more and take longer.
struct GraphOptions {
    std::size_t links = 16;             ///< per point and layer, twice as many in the lowest ("M")
    std::size_t ef_construction = 200;  ///< candidates looked at for a new point
};

/// Points of a store by key. Not for use from several threads, except that add() may be given some.
class NeighbourGraph {
public:
    /// Whether the tool was built with hnswlib. Without it, constructors throw an Error of kind unsupported.
    static bool available();

    /// An empty graph for `capacity` points. `measure`: cosine or dot; others are unsupported.
    NeighbourGraph(bert::Index dimension, bert::Similarity measure, const GraphOptions& options, std::size_t capacity);

    /// Reads a file of save(), which must have been checked to be unchanged since. There is room for `more` points.
    NeighbourGraph(const std::filesystem::path& file, bert::Index dimension, bert::Similarity measure,
                   std::size_t more = 0);

    ~NeighbourGraph();

    void add(const bert::ConstRows<float>& rows, const std::uint64_t* keys, bert::ThreadPool& threads);

    /// Points stay in the graph as ways to others, and are not found any more.
    void remove(std::uint64_t key);

    std::size_t points() const;  ///< with the removed ones
    std::size_t removed() const;

    /// Errors: file (the disk is full).
    void save(const std::filesystem::path& file) const;

    /// Keys and scores of about the `k` nearest to a query, best first; `ef`: candidates looked at.
    std::vector<std::pair<std::uint64_t, float>> search(const bert::ConstRows<float>& query, std::size_t k,
                                                        std::size_t ef) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};
