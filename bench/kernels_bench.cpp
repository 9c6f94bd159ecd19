// Speed of the kernels by themselves on one thread, for every table this machine runs: dense products at the shapes of
// BERT, beside Eigen's and the peaks of arithmetic and memory; attention, layer normalisation and GELU. Depends on
// kernels alone.
#include <bert/core/buffer.hpp>
#include <bert/core/float16.hpp>
#include <bert/kernels/dispatch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "eigen_product.hpp"
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
    state.counters["ops"] = Counter(flops, Counter::kIsIterationInvariantRate, Counter::kIs1000);
    if (peak > 0) state.counters["of_peak"] = Counter(flops / peak, Counter::kIsIterationInvariantRate);
}

template <class W>
void linear(benchmark::State& state, const Table& table, const Product& product, double peak) {
    const auto& kernel = bert::linear_kernel<W>(table);
    const std::ptrdiff_t rows = state.range(0);
    const std::ptrdiff_t in = product.in_features;
    const std::ptrdiff_t out = product.out_features;
    const Floats weights = values(out * in);
    const Floats x = values(rows * in);
    const Floats bias = values(bert::padded_size(kernel, out));
    const Floats residual = values(rows * out);
    Floats y(static_cast<std::size_t>(rows * out));
    bert::AlignedBuffer<std::byte> scratch(kernel.scratch_size(rows, in));
    // Each call takes the weights of another layer, as a model does: a short text finds none of them in a near cache.
    const std::size_t size = kernel.packed_size(out, in);
    const auto layers = static_cast<std::size_t>(product.layers);
    bert::AlignedBuffer<W> packed(size * layers);
    bert::pack_weights(kernel, weights.data(), out, in, packed.data());
    for (std::size_t layer = 1; layer < layers; ++layer) {
        std::copy_n(packed.data(), size, packed.data() + layer * size);
    }

    bert::LinearArguments<float, W> arguments{};
    arguments.x = x.data();
    arguments.x_stride = in;
    arguments.rows = rows;
    arguments.in_features = in;
    arguments.bias = bias.data();
    arguments.activation = product.activation;
    arguments.residual = product.residual ? residual.data() : nullptr;
    arguments.residual_stride = out;
    arguments.first = 0;
    arguments.last = out;
    arguments.y = y.data();
    arguments.y_stride = out;
    arguments.scratch = scratch.data();
    std::size_t layer = 0;
    for (auto _ : state) {
        arguments.packed = packed.data() + layer * size;
        kernel.run(arguments);
        benchmark::ClobberMemory();
        layer = (layer + 1) % layers;
    }
    report(state, 2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out), peak);
}

/// The same product by Eigen, without bias, activation and residual. `peak` is that of the best table.
void eigen(benchmark::State& state, const Product& product, double peak) {
    const std::ptrdiff_t rows = state.range(0);
    const std::ptrdiff_t size = product.in_features * product.out_features;
    const Floats weights = values(size * product.layers);
    const Floats x = values(rows * product.in_features);
    Floats y(static_cast<std::size_t>(rows * product.out_features));
    int layer = 0;
    for (auto _ : state) {
        bench::eigen_product(x.data(), weights.data() + layer * size, y.data(), rows, product.in_features,
                             product.out_features);
        benchmark::ClobberMemory();
        layer = (layer + 1) % product.layers;
    }
    report(state, 2.0 * static_cast<double>(rows) * static_cast<double>(size), peak);
}

/// What one core can read from memory: more than any cache holds, in the order of addresses.
void read_memory(benchmark::State& state) {
    constexpr std::size_t count = std::size_t{1} << 25;
    bert::AlignedBuffer<std::uint64_t> memory(count);
    std::fill_n(memory.data(), count, std::uint64_t{1});
    for (auto _ : state) {
        std::uint64_t sums[8] = {};
        for (std::size_t i = 0; i < count; i += 8) {
            for (std::size_t j = 0; j < 8; ++j) sums[j] += memory.data()[i + j];
        }
        for (const std::uint64_t sum : sums) benchmark::DoNotOptimize(sum);
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(count * sizeof(std::uint64_t)));
}

/// All 12 heads of one text.
void attention(benchmark::State& state, const bert::AttentionKernel<float>& kernel, std::ptrdiff_t head_dim,
               double peak) {
    constexpr std::ptrdiff_t heads = 12;
    const std::ptrdiff_t tokens = state.range(0);
    const std::ptrdiff_t hidden = heads * head_dim;
    const Floats qkv = values(tokens * 3 * hidden);
    Floats scratch(kernel.scratch_size(tokens, head_dim));
    Floats context(static_cast<std::size_t>(tokens * hidden));
    const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
    for (auto _ : state) {
        for (std::ptrdiff_t head = 0; head < heads; ++head) {
            const float* const q = qkv.data() + head * head_dim;
            kernel.run({q, 3 * hidden, tokens, q + hidden, 3 * hidden, q + 2 * hidden, 3 * hidden, tokens, head_dim,
                        scale, nullptr, false, scratch.data(), nullptr, context.data() + head * head_dim, hidden});
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

/// GELU has no entry of its own in the table: a product with one input feature is little else.
void gelu(benchmark::State& state, const Table& table) {
    constexpr std::ptrdiff_t inner = 1536;
    const std::ptrdiff_t rows = state.range(0);
    const auto& kernel = table.linear;
    const Floats weights = values(inner);
    const Floats x = values(rows);
    const Floats bias = values(bert::padded_size(kernel, inner));
    Floats y(static_cast<std::size_t>(rows * inner));
    Floats packed(kernel.packed_size(inner, 1));
    kernel.pack(weights.data(), inner, 1, packed.data());
    bert::AlignedBuffer<std::byte> scratch(kernel.scratch_size(rows, 1));
    bert::LinearArguments<float, float> arguments{};
    arguments.x = x.data();
    arguments.x_stride = 1;
    arguments.rows = rows;
    arguments.in_features = 1;
    arguments.packed = packed.data();
    arguments.bias = bias.data();
    arguments.activation = Activation::gelu;
    arguments.last = inner;
    arguments.y = y.data();
    arguments.y_stride = inner;
    arguments.scratch = scratch.data();
    for (auto _ : state) {
        kernel.run(arguments);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * rows * inner);
}

/// The products of a table with weights of type W, called `weights`. Returns their peak, 0 where it is not known.
template <class W>
double register_products(const Table& table, const std::string& weights) {
    const std::string name = table.name + ("/" + weights);
    double peak = 0;
    if (const bench::Peak* const loop = bench::find_peak<W>(table.name)) {
        peak = bench::measure_peak(*loop);
        benchmark::AddCustomContext("peak of " + name, std::to_string(peak / 1e9) + " G/s");
    }
    for (const Product& product : products) {
        benchmark::RegisterBenchmark(("linear/" + name + "/" + product.name).c_str(), linear<W>, table, product, peak)
            ->RangeMultiplier(2)
            ->Range(1, 512);
    }
    return peak;
}

/// Returns the peak of the table's products in float.
double register_table(const Table& table) {
    const std::string kernels = std::string("/") + table.name + "/";
    const double peak = register_products<float>(table, "f32");
    const double narrow_peak = register_products<bert::bfloat16>(table, "bf16");
    register_products<std::int8_t>(table, "int8");
    for (const std::ptrdiff_t head_dim : {32, 64}) {
        const std::string name = "attention" + kernels + "head_dim:" + std::to_string(head_dim);
        benchmark::RegisterBenchmark(name.c_str(), attention, table.attention, head_dim, peak)
            ->RangeMultiplier(2)
            ->Range(8, 512);
        if (table.narrow_attention.run == table.attention.run) continue;
        benchmark::RegisterBenchmark(("narrow_" + name).c_str(), attention, table.narrow_attention, head_dim,
                                     narrow_peak)
            ->RangeMultiplier(2)
            ->Range(8, 512);
    }
    for (const std::ptrdiff_t hidden : {384, 768}) {
        benchmark::RegisterBenchmark(("layer_norm" + kernels + "hidden:" + std::to_string(hidden)).c_str(), layer_norm,
                                     table, hidden)
            ->Arg(1)
            ->Arg(128);
    }
    benchmark::RegisterBenchmark(("gelu" + kernels + "inner:1536").c_str(), gelu, table)->Arg(1)->Arg(128);
    return peak;
}

void register_yardsticks(double peak) {
    benchmark::RegisterBenchmark("read_memory", read_memory);
    for (const Product& product : products) {
        benchmark::RegisterBenchmark(("linear/eigen/f32/" + std::string(product.name)).c_str(), eigen, product, peak)
            ->RangeMultiplier(2)
            ->Range(1, 512);
    }
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    double peak = 0;
    for (const Table* const table : bert::available_kernels<float>()) peak = std::max(peak, register_table(*table));
    register_yardsticks(peak);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
}
