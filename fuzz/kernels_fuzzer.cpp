// Every kernel table that this machine runs, on odd sizes and numbers from denormal to huge: what float kernels give is
// what arithmetic in double gives, within their rounding, and 8-bit products are the same with every table.
#include "fuzz.hpp"

#include <bert/core/activation.hpp>
#include <bert/core/buffer.hpp>
#include <bert/kernels/dispatch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using bert_fuzz::Input;
using bert_fuzz::require;
using Table = bert::KernelTable<float>;

/// Numbers of one magnitude, with outliers, zeros and denormals where the input says so.
std::vector<float> values(Input& input, std::ptrdiff_t count, int lowest_exponent, int highest_exponent) {
    const int exponent =
        lowest_exponent +
        static_cast<int>(input.below(static_cast<std::size_t>(highest_exponent - lowest_exponent + 1)));
    std::mt19937 generator(input.byte());
    std::vector<float> result(static_cast<std::size_t>(count));
    for (float& value : result) {
        const float one =
            static_cast<float>(static_cast<int>(generator() >> 8) - (1 << 23)) / static_cast<float>(1 << 23);
        value = std::ldexp(one, exponent);
    }
    for (std::size_t specials = input.below(5); specials > 0; --specials) {
        const std::size_t at = input.below(65536) % result.size();
        const float special[] = {0.0f, -0.0f, 1e-45f, -1e-42f, std::ldexp(1.0f, highest_exponent), result.front()};
        result[at] = special[input.below(std::size(special))];
    }
    return result;
}

/// What a call of a dense layer is about; `weights` is out x in, `residual` empty or rows x out.
struct Layer {
    std::ptrdiff_t rows, in, out;
    std::vector<float> x, weights, bias, residual;
    bert::Activation activation;
};

/// A buffer of exactly `size` values, which the sanitizer watches both ends of.
template <class T>
T* exact(bert::AlignedBuffer<T>& buffer, std::size_t size) {
    buffer = bert::AlignedBuffer<T>(std::max<std::size_t>(size, 1));
    return buffer.data();
}

/// The layer's output by a table, computed in two parts as threads do.
template <class W>
std::vector<float> run(const Table& table, const Layer& l, std::ptrdiff_t split) {
    const auto& kernel = bert::linear_kernel<W>(table);
    bert::AlignedBuffer<W> packed_buffer;
    W* const packed = exact(packed_buffer, kernel.packed_size(l.out, l.in));
    bert::pack_weights(kernel, l.weights.data(), l.out, l.in, packed);
    std::vector<float> bias(static_cast<std::size_t>(bert::padded_size(kernel, l.out)));
    std::copy(l.bias.begin(), l.bias.end(), bias.begin());
    bert::AlignedBuffer<std::byte> scratch;
    std::vector<float> y(static_cast<std::size_t>(l.rows * l.out));
    const std::ptrdiff_t middle = std::min(split * kernel.panel_width, l.out);
    for (const auto& [first, last] : {std::pair(std::ptrdiff_t{0}, middle), std::pair(middle, l.out)}) {
        if (first == last) continue;
        bert::LinearArguments<float, W> a{};
        a.x = l.x.data();
        a.x_stride = a.in_features = l.in;
        a.rows = l.rows;
        a.packed = packed;
        a.bias = bias.data();
        a.activation = l.activation;
        a.residual = l.residual.empty() ? nullptr : l.residual.data();
        a.residual_stride = a.y_stride = l.out;
        a.first = first;
        a.last = last;
        a.y = y.data();
        a.scratch = exact(scratch, kernel.scratch_size(l.rows, l.in));
        kernel.run(a);
    }
    return y;
}

template <class W>
double widened(float value, bool rounds) {
    return static_cast<double>(rounds ? static_cast<float>(bert::bfloat16::from_float(value)) : value);
}

/// Float and bfloat16 weights, against sums in double.
template <class W>
void check_sums(const Table& table, const Layer& l, std::ptrdiff_t split) {
    const std::vector<float> y = run<W>(table, l, split);
    const bool narrow_weights = std::is_same_v<W, bert::bfloat16>;
    const std::string name = table.name;
    const bool narrow_inputs = narrow_weights && (name == "avx512_bf16" || name == "avx512_amx" || name == "neon_bf16");
    const auto smallest = static_cast<double>(std::numeric_limits<float>::min());
    for (std::ptrdiff_t row = 0; row < l.rows; ++row) {
        for (std::ptrdiff_t o = 0; o < l.out; ++o) {
            double sum = static_cast<double>(l.bias[static_cast<std::size_t>(o)]);
            double magnitude = std::abs(sum);
            double flushed = 0;
            for (std::ptrdiff_t k = 0; k < l.in; ++k) {
                const float input = l.x[static_cast<std::size_t>(row * l.in + k)];
                const double x = widened<W>(input, narrow_inputs);
                const double w = widened<W>(l.weights[static_cast<std::size_t>(o * l.in + k)], narrow_weights);
                sum += x * w;
                magnitude += std::abs(x * w);
                const double before = std::abs(static_cast<double>(input));  // denormal inputs may round up to normal
                if (std::min({before, std::abs(x), std::abs(w)}) < smallest) flushed += std::abs(x * w);
            }
            // Each addition rounds by half a unit; bf16 instructions flush denormals, of inputs and of products.
            double allowed = magnitude * 6e-8 * static_cast<double>(l.in + 4) + 1e-36 * static_cast<double>(l.in);
            if (narrow_inputs) allowed += flushed;
            double expected = bert::activate(l.activation, sum);
            if (l.activation == bert::Activation::gelu) {
                allowed = 1.2 * allowed + (narrow_weights ? 1.6e-5 : 3e-7) + 2e-7 * std::abs(sum);
            }
            if (!l.residual.empty()) {
                const auto residual = static_cast<double>(l.residual[static_cast<std::size_t>(row * l.out + o)]);
                expected += residual;
                allowed += 1.2e-7 * (std::abs(residual) + std::abs(expected));
            }
            const auto given = static_cast<double>(y[static_cast<std::size_t>(row * l.out + o)]);
            require(std::isfinite(given), "sums of finite numbers are finite");
            require(std::abs(given - expected) <= allowed, "sums are those of arithmetic in double");
        }
    }
}

void check_linear(Input& input) {
    Layer l;
    l.rows = static_cast<std::ptrdiff_t>(1 + input.below(52));
    l.in = static_cast<std::ptrdiff_t>(1 + input.below(400));
    l.out = static_cast<std::ptrdiff_t>(1 + input.below(80));
    const auto split = static_cast<std::ptrdiff_t>(input.below(4));
    const bert::Activation activations[] = {bert::Activation::identity, bert::Activation::gelu, bert::Activation::relu};
    l.activation = activations[input.below(std::size(activations))];
    const bool add = input.flag();
    l.x = values(input, l.rows * l.in, -126, 50);
    l.weights = values(input, l.out * l.in, -126, 50);
    l.bias = values(input, l.out, -60, 60);
    if (add) l.residual = values(input, l.rows * l.out, -60, 60);
    for (const Table* table : bert::available_kernels<float>()) {
        check_sums<float>(*table, l, split);
        check_sums<bert::bfloat16>(*table, l, split);
    }

    // One block of features is one product of integers, so that nothing may differ; several are added up in floats.
    Layer block = l;
    block.activation = bert::Activation::identity;
    block.residual.clear();
    block.in = std::min(l.in, bert::int8_block);
    const auto copy_columns = [&](const std::vector<float>& from, std::ptrdiff_t rows) {
        std::vector<float> to;
        for (std::ptrdiff_t row = 0; row < rows; ++row) {
            to.insert(to.end(), from.begin() + row * l.in, from.begin() + row * l.in + block.in);
        }
        return to;
    };
    block.x = copy_columns(l.x, l.rows);
    block.weights = copy_columns(l.weights, l.out);
    const auto& scalar = *bert::available_kernels<float>().back();
    const std::vector<float> expected = run<std::int8_t>(scalar, block, 0);
    for (const Table* table : bert::available_kernels<float>()) {
        const std::vector<float> given = run<std::int8_t>(*table, block, split);
        // But for the sign of zeros: a sum of nothing and a bias of -0 is either.
        require(given == expected, "8-bit products are the same with every table");
        for (const float value : run<std::int8_t>(*table, l, split)) {
            require(std::isfinite(value), "8-bit products of finite numbers are finite");
        }
    }
}

void check_attention(Input& input) {
    const auto keys = static_cast<std::ptrdiff_t>(1 + input.below(150));
    const bool causal = input.flag();
    const auto queries = static_cast<std::ptrdiff_t>(1 + input.below(causal ? static_cast<std::size_t>(keys) : 60));
    const auto head_dim = static_cast<std::ptrdiff_t>(1 + input.below(80));
    const auto extra = static_cast<std::ptrdiff_t>(input.below(3));
    const std::ptrdiff_t stride = head_dim + extra;
    const std::vector<float> q = values(input, (queries - 1) * stride + head_dim, -40, 30);
    const std::vector<float> k = values(input, (keys - 1) * stride + head_dim, -40, 30);
    const std::vector<float> v = values(input, (keys - 1) * stride + head_dim, -40, 60);
    std::vector<std::uint8_t> mask(static_cast<std::size_t>(keys), 1);
    const bool masked = input.flag();
    // The first key stays: it is the one that every query sees.
    for (std::size_t i = 1; masked && i < mask.size(); ++i) mask[i] = input.flag();
    const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));

    // Narrow attention may round queries, keys, values and weights to bfloat16, by 2^-9 at most, and take denormal
    // numbers for zero; any rounds products that are denormal to whole multiples of the smallest.
    const auto check = [&](const bert::AttentionKernel<float>& kernel, double rounding) {
        using Limits = std::numeric_limits<float>;
        const double flushed = rounding > 0 ? static_cast<double>(Limits::min())
                                            : static_cast<double>(keys) * static_cast<double>(Limits::denorm_min());
        std::vector<float> scratch(kernel.scratch_size(keys, head_dim));
        std::vector<float> map(static_cast<std::size_t>(queries * keys));
        std::vector<float> out(static_cast<std::size_t>(queries * head_dim));
        kernel.run({q.data(), stride, queries, k.data(), stride, v.data(), stride, keys, head_dim, scale,
                    masked ? mask.data() : nullptr, causal, scratch.data(), map.data(), out.data(), head_dim});
        for (std::ptrdiff_t row = 0; row < queries; ++row) {
            std::vector<double> scores(static_cast<std::size_t>(keys));
            double largest = -std::numeric_limits<double>::infinity(), error = 0;
            const auto seen = [&](std::ptrdiff_t key) {
                return mask[static_cast<std::size_t>(key)] && (!causal || key <= keys - queries + row);
            };
            for (std::ptrdiff_t key = 0; key < keys; ++key) {
                double sum = 0, magnitude = 0;
                for (std::ptrdiff_t d = 0; d < head_dim; ++d) {
                    const double product = static_cast<double>(q[static_cast<std::size_t>(row * stride + d)]) *
                                           static_cast<double>(k[static_cast<std::size_t>(key * stride + d)]);
                    sum += product;
                    magnitude += std::abs(product);
                }
                scores[static_cast<std::size_t>(key)] = sum * static_cast<double>(scale);
                if (!seen(key)) continue;
                largest = std::max(largest, scores[static_cast<std::size_t>(key)]);
                error = std::max(error, magnitude * static_cast<double>(scale) *
                                            (6e-8 * static_cast<double>(head_dim + 4) + 2 * rounding));
            }
            // Rounding of a score changes its weight by as much; from about 1 on, weights may be anyone's.
            const bool comparable = error < 0.1;
            double total = 0;
            for (std::ptrdiff_t key = 0; key < keys; ++key) {
                double& score = scores[static_cast<std::size_t>(key)];
                score = seen(key) ? std::exp(score - largest) : 0.0;
                total += score;
            }
            const double allowed = 4 * error + 3e-6 + 4 * rounding;
            double weights = 0;
            for (std::ptrdiff_t key = 0; key < keys; ++key) {
                const auto weight = static_cast<double>(map[static_cast<std::size_t>(row * keys + key)]);
                require(weight >= 0 && weight <= 1.00001 + rounding, "weights are from 0 to 1");
                require(seen(key) || weight == 0, "what is masked has no weight");
                if (comparable) {
                    require(std::abs(weight - scores[static_cast<std::size_t>(key)] / total) <= allowed,
                            "weights are those of arithmetic in double");
                }
                weights += weight;
            }
            require(std::abs(weights - 1) < 1e-4 + 2 * rounding, "weights add up to 1");
            for (std::ptrdiff_t d = 0; d < head_dim; ++d) {
                double expected = 0, magnitude = 0;
                for (std::ptrdiff_t key = 0; key < keys; ++key) {
                    const auto value = static_cast<double>(v[static_cast<std::size_t>(key * stride + d)]);
                    expected += scores[static_cast<std::size_t>(key)] / total * value;
                    if (seen(key)) magnitude = std::max(magnitude, std::abs(value));
                }
                const auto given = static_cast<double>(out[static_cast<std::size_t>(row * head_dim + d)]);
                require(std::abs(given) <= magnitude * (1.0001 + 3 * rounding), "a mean lies among its values");
                if (comparable) {
                    require(std::abs(given - expected) <= magnitude * static_cast<double>(keys) * allowed + flushed,
                            "means are those of arithmetic in double");
                }
            }
        }
    };
    for (const Table* table : bert::available_kernels<float>()) {
        check(table->attention, 0);
        check(table->narrow_attention, 1.0 / 512);
    }
}

void check_layer_norm(Input& input) {
    const auto rows = static_cast<std::ptrdiff_t>(1 + input.below(5));
    const auto n = static_cast<std::ptrdiff_t>(1 + input.below(800));
    const std::vector<float> x = values(input, rows * n, -126, 55);
    const std::vector<float> weight = values(input, n, -20, 20);
    const std::vector<float> bias = values(input, n, -20, 20);
    const float epsilon = std::ldexp(1.0f, -static_cast<int>(input.below(41)));  // down to 1e-12
    for (const Table* table : bert::available_kernels<float>()) {
        std::vector<float> y = x;
        table->layer_norm(y.data(), n, rows, n, weight.data(), bias.data(), epsilon);
        for (std::ptrdiff_t row = 0; row < rows; ++row) {
            const float* const from = x.data() + row * n;
            const double mean = std::accumulate(from, from + n, 0.0) / static_cast<double>(n);
            double squares = 0, largest = 0;
            for (std::ptrdiff_t i = 0; i < n; ++i) {
                squares += std::pow(static_cast<double>(from[i]) - mean, 2);
                largest = std::max(largest, std::abs(static_cast<double>(from[i])));
            }
            const double deviation = std::sqrt(squares / static_cast<double>(n) + static_cast<double>(epsilon));
            for (std::ptrdiff_t i = 0; i < n; ++i) {
                const auto w = static_cast<double>(weight[static_cast<std::size_t>(i)]);
                const auto b = static_cast<double>(bias[static_cast<std::size_t>(i)]);
                const double unit = (static_cast<double>(from[i]) - mean) / deviation;
                // The mean is as exact as a sum of n floats; what it is off, all values are shifted by, and the
                // deviation is changed by at most as much.
                const double shift = 6e-8 * static_cast<double>(n + 4) * largest / deviation;
                const double allowed =
                    std::abs(w) *
                        (2 * shift * (1 + std::abs(unit)) + 1e-6 * std::abs(unit) * std::sqrt(double(n)) + 1e-6) +
                    1e-6 * std::abs(b) + 2 * static_cast<double>(std::numeric_limits<float>::denorm_min());
                const auto given = static_cast<double>(y[static_cast<std::size_t>(row * n + i)]);
                require(std::isfinite(given), "normalised rows are finite");
                require(std::abs(given - (unit * w + b)) <= allowed, "rows are normalised as in double");
            }
        }
    }
}

}  // namespace

BERT_FUZZ_TARGET(kernels) {
    Input input(data, size);
    switch (input.below(3)) {
        case 0: check_linear(input); break;
        case 1: check_attention(input); break;
        default: check_layer_norm(input); break;
    }
}
