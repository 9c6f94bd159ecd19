// Speed of the kernels by themselves on one thread, for every table this machine runs: dense products at the shapes of
// BERT, attention and layer normalisation. Depends on kernels alone.
#include <bert/core/buffer.hpp>
#include <bert/kernels/dispatch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "fma_peak.hpp"

namespace {

using bert::Activation;
using Table = bert::KernelTable<float>;
using Floats = bert::AlignedBuffer<float>;

/// A dense product of an encoder with `layers` layers.
struct Product {
    const char* name;
    std::ptrdiff_t in_features;
    std::ptrdiff_t out_features;
    Activation activation;
    bool residual;
    int layers;
};

constexpr Product products[] = {
    {"minilm/qkv", 384, 1152, Activation::identity, false, 6},
    {"minilm/output", 384, 384, Activation::identity, true, 6},
    {"minilm/up", 384, 1536, Activation::gelu, false, 6},
    {"minilm/down", 1536, 384, Activation::identity, true, 6},
    {"base/qkv", 768, 2304, Activation::identity, false, 12},
    {"base/output", 768, 768, Activation::identity, true, 12},
    {"base/up", 768, 3072, Activation::gelu, false, 12},
    {"base/down", 3072, 768, Activation::identity, true, 12},
};

/// Values of both signs that stay away from denormals.
Floats values(std::ptrdiff_t count) {
    Floats result(static_cast<std::size_t>(count));
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        result.data()[i] = 0.05f * static_cast<float>((i * 37 + 11) % 101 - 50) + 0.001f;
    }
    return result;
}

/// Sets the counters of a benchmark that does `flops` operations an iteration; `peak` in operations per second, 0 where
/// it is not known. of_peak is the share of the peak reached, though as a rate it is printed with "/s".
void report(benchmark::State& state, double flops, double peak) {
    using benchmark::Counter;
    state.counters["FLOP/s"] = Counter(flops, Counter::kIsIterationInvariantRate, Counter::kIs1000);
    if (peak > 0) state.counters["of_peak"] = Counter(flops / peak, Counter::kIsIterationInvariantRate);
}

void linear(benchmark::State& state, const Table& table, const Product& product, double peak) {
    const std::ptrdiff_t rows = state.range(0);
    const std::ptrdiff_t in = product.in_features;
    const std::ptrdiff_t out = product.out_features;
    const Floats weights = values(out * in);
    const Floats x = values(rows * in);
    const Floats bias = values(bert::padded_size(table, out));
    const Floats residual = values(rows * out);
    Floats y(static_cast<std::size_t>(rows * out));
    // Each call takes the weights of another layer, as a model does: a short text finds none of them in a near cache.
    const std::size_t size = bert::packed_size(table, out, in);
    Floats packed(size * static_cast<std::size_t>(product.layers));
    table.pack(weights.data(), out, in, packed.data());
    for (int layer = 1; layer < product.layers; ++layer) {
        std::copy_n(packed.data(), size, packed.data() + static_cast<std::size_t>(layer) * size);
    }

    std::size_t layer = 0;
    for (auto _ : state) {
        table.linear(x.data(), in, rows, in, packed.data() + layer * size, bias.data(), product.activation,
                     product.residual ? residual.data() : nullptr, out, 0, out, y.data(), out);
        benchmark::ClobberMemory();
        layer = (layer + 1) % static_cast<std::size_t>(product.layers);
    }
    report(state, 2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out), peak);
}

/// All 12 heads of one text.
void attention(benchmark::State& state, const Table& table, std::ptrdiff_t head_dim, double peak) {
    constexpr std::ptrdiff_t heads = 12;
    const std::ptrdiff_t tokens = state.range(0);
    const std::ptrdiff_t hidden = heads * head_dim;
    const Floats qkv = values(tokens * 3 * hidden);
    Floats scratch(table.attention_scratch(tokens, head_dim));
    Floats context(static_cast<std::size_t>(tokens * hidden));
    const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
    for (auto _ : state) {
        for (std::ptrdiff_t head = 0; head < heads; ++head) {
            const float* const q = qkv.data() + head * head_dim;
            table.attention(q, q + hidden, q + 2 * hidden, 3 * hidden, tokens, head_dim, scale, nullptr, scratch.data(),
                            nullptr, context.data() + head * head_dim, hidden);
        }
        benchmark::ClobberMemory();
    }
    report(state, 4.0 * static_cast<double>(tokens) * static_cast<double>(tokens) * static_cast<double>(hidden), peak);
}

void layer_norm(benchmark::State& state, const Table& table, std::ptrdiff_t hidden) {
    const std::ptrdiff_t rows = state.range(0);
    Floats x = values(rows * hidden);
    Floats weight(static_cast<std::size_t>(hidden));
    Floats bias(static_cast<std::size_t>(hidden));
    std::fill_n(weight.data(), hidden, 1.0f);
    std::fill_n(bias.data(), hidden, 0.0f);
    for (auto _ : state) {
        table.layer_norm(x.data(), hidden, rows, hidden, weight.data(), bias.data(), 1e-12f);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * rows * hidden);
}

void register_table(const Table& table) {
    const std::string kernels = std::string("/") + table.name + "/";
    double peak = 0;
    if (const bench::Peak* const loop = bench::find_peak(table.name)) {
        peak = bench::measure_peak(*loop);
        benchmark::AddCustomContext(std::string("peak_gflops_") + table.name, std::to_string(peak / 1e9));
    }
    for (const Product& product : products) {
        benchmark::RegisterBenchmark(("linear" + kernels + product.name).c_str(), linear, table, product, peak)
            ->RangeMultiplier(2)
            ->Range(1, 512);
    }
    for (const std::ptrdiff_t head_dim : {32, 64}) {
        benchmark::RegisterBenchmark(("attention" + kernels + "head_dim:" + std::to_string(head_dim)).c_str(),
                                     attention, table, head_dim, peak)
            ->RangeMultiplier(2)
            ->Range(8, 512);
    }
    for (const std::ptrdiff_t hidden : {384, 768}) {
        benchmark::RegisterBenchmark(("layer_norm" + kernels + "hidden:" + std::to_string(hidden)).c_str(), layer_norm,
                                     table, hidden)
            ->Arg(1)
            ->Arg(128);
    }
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    for (const Table* const table : bert::available_kernels<float>()) register_table(*table);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
}
