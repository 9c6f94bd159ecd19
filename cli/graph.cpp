// Neighbour graphs by hnswlib.
#include "graph.hpp"

#include <bert/error.hpp>
#include <bert/nn/pooling.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <string>

#ifdef BERT_CLI_HNSWLIB

// Its own vector code depends on the compiler's flags; the distance below is chosen at run time. And what it prefetches
// with that code, it finds by reading a number behind the end of a list.
#define NO_MANUAL_VECTORIZATION
#include <hnswlib/hnswlib.h>

#include <sys/mman.h>
#include <unistd.h>

namespace {

/// Asks for large pages where the system has them: searching reads all over this memory.
void use_large_pages([[maybe_unused]] char* memory, [[maybe_unused]] std::size_t size) {
#ifdef MADV_HUGEPAGE
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const std::uintptr_t rest = reinterpret_cast<std::uintptr_t>(memory) % page;
    const std::uintptr_t before = rest == 0 ? 0 : page - rest;
    if (size > before) (void)madvise(memory + before, size - before, MADV_HUGEPAGE);
#endif
}

// One minus the product of two vectors, in lanes of `BYTES`.
#define BERT_CLI_DISTANCE(NAME, TARGET, BYTES)                                           \
    TARGET float NAME(const void* a_bytes, const void* b_bytes, const void* dimension) { \
        using Lanes __attribute__((vector_size(BYTES))) = float;                         \
        constexpr std::size_t lanes = (BYTES) / sizeof(float);                           \
        const auto* a = static_cast<const float*>(a_bytes);                              \
        const auto* b = static_cast<const float*>(b_bytes);                              \
        const std::size_t size = *static_cast<const std::size_t*>(dimension);            \
        Lanes sums[2] = {};                                                              \
        std::size_t i = 0;                                                               \
        for (; i + 2 * lanes <= size; i += 2 * lanes) {                                  \
            Lanes x[2];                                                                  \
            Lanes y[2];                                                                  \
            std::memcpy(x, a + i, sizeof x);                                             \
            std::memcpy(y, b + i, sizeof y);                                             \
            sums[0] += x[0] * y[0];                                                      \
            sums[1] += x[1] * y[1];                                                      \
        }                                                                                \
        sums[0] += sums[1];                                                              \
        float sum = 0;                                                                   \
        for (std::size_t lane = 0; lane < lanes; ++lane) sum += sums[0][lane];           \
        for (; i < size; ++i) sum += a[i] * b[i];                                        \
        return 1.0f - sum;                                                               \
    }

BERT_CLI_DISTANCE(product_distance, , 16)
#if defined(__x86_64__)
BERT_CLI_DISTANCE(product_distance_avx2, __attribute__((target("avx2,fma"))), 32)
BERT_CLI_DISTANCE(product_distance_avx512, __attribute__((target("avx512f"))), 64)
#endif

}  // namespace

class ProductSpace : public hnswlib::SpaceInterface<float> {
public:
    explicit ProductSpace(std::size_t dimension) : dimension_(dimension), function_(product_distance) {
#if defined(__x86_64__)
        if (__builtin_cpu_supports("avx512f")) function_ = product_distance_avx512;
        else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) function_ = product_distance_avx2;
#endif
    }

    size_t get_data_size() override {
        return dimension_ * sizeof(float);
    }
    hnswlib::DISTFUNC<float> get_dist_func() override {
        return function_;
    }
    void* get_dist_func_param() override {
        return &dimension_;
    }

private:
    std::size_t dimension_;
    hnswlib::DISTFUNC<float> function_;
};

struct NeighbourGraph::State {
    State(bert::Index dimension, bert::Similarity measure)
        : space(static_cast<std::size_t>(dimension)), unit(measure == bert::Similarity::cosine) {
        if (measure != bert::Similarity::cosine && measure != bert::Similarity::dot) {
            throw bert::Error(bert::ErrorKind::unsupported,
                              "approximate search compares by cosine or dot; the store's measure is a distance");
        }
    }

    bert::Matrix prepared(const bert::ConstRows<float>& rows) const {
        bert::Matrix result = rows;
        if (unit) bert::normalize_rows(result);
        return result;
    }

    ProductSpace space;
    bool unit;
    std::unique_ptr<hnswlib::HierarchicalNSW<float>> graph;
};

bool NeighbourGraph::available() {
    return true;
}

NeighbourGraph::NeighbourGraph(bert::Index dimension, bert::Similarity measure, const GraphOptions& options,
                               std::size_t capacity)
    : state_(std::make_unique<State>(dimension, measure)) {
    state_->graph = std::make_unique<hnswlib::HierarchicalNSW<float>>(&state_->space, capacity, options.links,
                                                                      options.ef_construction);
    use_large_pages(state_->graph->data_level0_memory_, capacity * state_->graph->size_data_per_element_);
}

NeighbourGraph::NeighbourGraph(const std::filesystem::path& file, bert::Index dimension, bert::Similarity measure,
                               std::size_t more)
    : state_(std::make_unique<State>(dimension, measure)) {
    try {
        state_->graph = std::make_unique<hnswlib::HierarchicalNSW<float>>(&state_->space, file.string());
        if (more > 0) state_->graph->resizeIndex(points() + more);
    } catch (const std::runtime_error& error) {
        throw bert::Error(bert::ErrorKind::format, file.string() + ": " + error.what());
    }
}

void NeighbourGraph::add(const bert::ConstRows<float>& rows, const std::uint64_t* keys, bert::ThreadPool& threads) {
    const bert::Matrix prepared = state_->prepared(rows);
    threads.run(static_cast<std::size_t>(prepared.rows()), [&](std::size_t task, std::size_t) {
        state_->graph->addPoint(prepared.row(static_cast<bert::Index>(task)).data(), keys[task]);
    });
}

void NeighbourGraph::remove(std::uint64_t key) {
    state_->graph->markDelete(key);
}

std::size_t NeighbourGraph::points() const {
    return state_->graph->cur_element_count;
}

std::size_t NeighbourGraph::removed() const {
    return state_->graph->num_deleted_;
}

void NeighbourGraph::save(const std::filesystem::path& file) const {
    auto& graph = *state_->graph;
    graph.saveIndex(file.string());
    // hnswlib does not look whether its writes succeed, so the length tells.
    std::uintmax_t expected = 9 * sizeof(std::size_t) + sizeof(int) + sizeof(hnswlib::tableint) + sizeof(double) +
                              sizeof(std::size_t) + graph.cur_element_count * graph.size_data_per_element_;
    for (std::size_t i = 0; i < graph.cur_element_count; ++i) {
        expected += sizeof(unsigned) +
                    static_cast<std::size_t>(std::max(graph.element_levels_[i], 0)) * graph.size_links_per_element_;
    }
    std::error_code ec;
    const auto size = std::filesystem::file_size(file, ec);
    if (ec || size != expected) {
        throw bert::Error(
            bert::ErrorKind::file,
            file.string() + ": could not be written: " +
                (ec ? ec.message() : std::to_string(size) + " of " + std::to_string(expected) + " bytes"));
    }
}

std::vector<std::pair<std::uint64_t, float>> NeighbourGraph::search(const bert::ConstRows<float>& query, std::size_t k,
                                                                    std::size_t ef) const {
    const bert::Matrix prepared = state_->prepared(query);
    state_->graph->setEf(std::max(ef, k));
    auto found = state_->graph->searchKnn(prepared.data(), k);
    std::vector<std::pair<std::uint64_t, float>> result;
    for (; !found.empty(); found.pop()) result.emplace_back(found.top().second, 1.0f - found.top().first);
    std::reverse(result.begin(), result.end());
    return result;
}

#else

struct NeighbourGraph::State {};

namespace {

[[noreturn]] void without_hnswlib() {
    throw bert::Error(bert::ErrorKind::unsupported, "approximate search: this tool was built without hnswlib");
}

}  // namespace

bool NeighbourGraph::available() {
    return false;
}
NeighbourGraph::NeighbourGraph(bert::Index, bert::Similarity, const GraphOptions&, std::size_t) {
    without_hnswlib();
}
NeighbourGraph::NeighbourGraph(const std::filesystem::path&, bert::Index, bert::Similarity, std::size_t) {
    without_hnswlib();
}
void NeighbourGraph::add(const bert::ConstRows<float>&, const std::uint64_t*, bert::ThreadPool&) {
    without_hnswlib();
}
void NeighbourGraph::remove(std::uint64_t) {
    without_hnswlib();
}
std::size_t NeighbourGraph::points() const {
    without_hnswlib();
}
std::size_t NeighbourGraph::removed() const {
    without_hnswlib();
}
void NeighbourGraph::save(const std::filesystem::path&) const {
    without_hnswlib();
}
std::vector<std::pair<std::uint64_t, float>> NeighbourGraph::search(const bert::ConstRows<float>&, std::size_t,
                                                                    std::size_t) const {
    without_hnswlib();
}

#endif

NeighbourGraph::~NeighbourGraph() = default;
