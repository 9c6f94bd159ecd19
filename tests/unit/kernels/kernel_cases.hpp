// Tests of a kernel table against plain arithmetic in double: odd sizes, tails, unaligned rows, and memory that ends
// where the data ends. The including file says which tables are tested.
#pragma once

#include <bert/kernels/dispatch.hpp>
#include <bert/kernels/table.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#if defined(__unix__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace {

using bert::Activation;
using Table = bert::KernelTable<float>;

std::vector<float> random_values(std::size_t count, unsigned seed, float scale = 1.0f) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0.0f, scale);
    std::vector<float> values(count);
    for (float& value : values) value = normal(generator);
    return values;
}

/// Values whose last one is the last thing before an unmapped page, and that start at any alignment.
template <class T>
class Guarded {
public:
    explicit Guarded(const std::vector<T>& values) : size_(values.size()) {
#if defined(__unix__)
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        bytes_ = (size_ * sizeof(T) + page - 1) / page * page + page;
        void* const memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) std::abort();
        memory_ = static_cast<std::byte*>(memory);
        if (mprotect(memory_ + bytes_ - page, page, PROT_NONE) != 0) std::abort();
        data_ = reinterpret_cast<T*>(memory_ + bytes_ - page) - size_;
#else
        storage_ = values;
        data_ = storage_.data();
#endif
        std::copy(values.begin(), values.end(), data_);
    }
    explicit Guarded(std::size_t size) : Guarded(std::vector<T>(size)) {}
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;
    ~Guarded() {
#if defined(__unix__)
        munmap(memory_, bytes_);
#endif
    }

    T* data() {
        return data_;
    }
    const T& operator[](std::ptrdiff_t i) const {
        return data_[i];
    }

private:
    std::size_t size_;
    T* data_ = nullptr;
#if defined(__unix__)
    std::byte* memory_ = nullptr;
    std::size_t bytes_ = 0;
#else
    std::vector<T> storage_;
#endif
};

using GuardedFloats = Guarded<float>;

class Kernels : public testing::TestWithParam<const Table*> {};

/// A dense layer with weights of type W and everything it reads and writes.
template <class W>
struct Layer {
    Layer(const Table& table_, std::ptrdiff_t in_, std::ptrdiff_t out_, const std::vector<float>& weights_)
        : table(table_),
          kernel(bert::linear_kernel<W>(table_)),
          in(in_),
          out(out_),
          weights(weights_),
          bias(random_values(static_cast<std::size_t>(bert::padded_size(kernel, out_)), 3)),
          packed(kernel.packed_size(out_, in_)) {
        bert::pack_weights<float>(kernel, weights.data(), out, in, packed.data());
    }

    /// The outputs [first, last) of `rows` rows at x, into y (rows x out).
    void run(float* x, std::ptrdiff_t rows, Activation activation, const float* residual, std::ptrdiff_t first,
             std::ptrdiff_t last, float* y) {
        Guarded<std::byte> scratch((kernel.scratch_size(rows, in) + 63) / 64 * 64);
        bert::LinearArguments<float, W> a{};
        a.x = x;
        a.x_stride = in;
        a.rows = rows;
        a.in_features = in;
        a.packed = packed.data();
        a.bias = bias.data();
        a.activation = activation;
        a.residual = residual;
        a.residual_stride = out;
        a.first = first;
        a.last = last;
        a.y = y;
        a.y_stride = out;
        a.scratch = scratch.data();
        kernel.run(a);
    }

    const Table& table;
    const bert::LinearKernel<float, W>& kernel;
    std::ptrdiff_t in, out;
    std::vector<float> weights;
    std::vector<float> bias;
    Guarded<W> packed;
};

double rounded_to_bfloat16(double value) {
    return static_cast<double>(static_cast<float>(bert::bfloat16::from_float(static_cast<float>(value))));
}

/// The product of a row of inputs and a row of weights as a layer of type W should have it, in double.
template <class W>
double product(const Table& table, const float* x, const float* w, std::ptrdiff_t in) {
    double sum = 0;
    if constexpr (std::is_same_v<W, std::int8_t>) {
        for (std::ptrdiff_t first = 0; first < in; first += bert::int8_block) {
            double largest = 0;
            for (std::ptrdiff_t k = first; k < std::min(in, first + bert::int8_block); k += 2) {
                const double pair =
                    std::abs(static_cast<double>(w[k])) + (k + 1 < in ? std::abs(static_cast<double>(w[k + 1])) : 0.0);
                largest = std::max(largest, pair);
            }
            const double scale = largest / 127;
            const float* const end = x + std::min(in, first + bert::int8_block);
            const double low = std::min(0.0, static_cast<double>(*std::min_element(x + first, end)));
            const double high = std::max(0.0, static_cast<double>(*std::max_element(x + first, end)));
            const double step = (high - low) / 255;
            const double zero = std::floor(0.5 - low / step);
            for (const float* value = x + first; step > 0 && value < end; ++value) {
                const double q = std::clamp(std::nearbyint(static_cast<double>(*value) / step) + zero, 0.0, 255.0);
                sum += (q - zero) * step * std::round(static_cast<double>(w[value - x]) / scale) * scale;
            }
        }
    } else {
        for (std::ptrdiff_t k = 0; k < in; ++k) {
            double value = static_cast<double>(x[k]);
            double weight = static_cast<double>(w[k]);
            if (std::is_same_v<W, bert::bfloat16>) {
                weight = rounded_to_bfloat16(weight);
                const std::string name = table.name;
                if (name == "avx512_bf16" || name == "avx512_amx" || name == "neon_bf16")
                    value = rounded_to_bfloat16(value);
            }
            sum += value * weight;
        }
    }
    return sum;
}

template <class W>
void expect_double_arithmetic(const Table& table, double tolerance) {
    struct Case {
        std::ptrdiff_t rows, in, out;
    };
    const Case cases[] = {{1, 1, 1},    {1, 20, 60},  {2, 7, 5},    {3, 100, 100}, {5, 33, 49},
                          {6, 384, 48}, {7, 64, 97},  {8, 60, 180}, {9, 130, 384}, {13, 17, 16},
                          {17, 50, 33}, {48, 96, 31}, {49, 40, 95}, {64, 8, 144},  {4, 500, 30}};
    for (const Activation activation : {Activation::identity, Activation::gelu, Activation::relu, Activation::tanh}) {
        for (const auto& c : cases) {
            const bool add = c.rows % 2 == 1;
            SCOPED_TRACE(std::string(table.name) + " " + std::to_string(c.rows) + " x " + std::to_string(c.in) +
                         " -> " + std::to_string(c.out));
            GuardedFloats x(random_values(static_cast<std::size_t>(c.rows * c.in), 1));
            Layer<W> layer(
                table, c.in, c.out,
                random_values(static_cast<std::size_t>(c.out * c.in), 2, 1.0f / std::sqrt(static_cast<float>(c.in))));
            GuardedFloats residual(random_values(static_cast<std::size_t>(c.rows * c.out), 4));
            GuardedFloats y(static_cast<std::size_t>(c.rows * c.out));
            layer.run(x.data(), c.rows, activation, add ? residual.data() : nullptr, 0, c.out, y.data());
            for (std::ptrdiff_t r = 0; r < c.rows; ++r) {
                for (std::ptrdiff_t o = 0; o < c.out; ++o) {
                    const double sum = product<W>(table, x.data() + r * c.in, layer.weights.data() + o * c.in, c.in);
                    double expected =
                        bert::activate(activation, sum + static_cast<double>(layer.bias[static_cast<std::size_t>(o)]));
                    if (add) expected += static_cast<double>(residual[r * c.out + o]);
                    ASSERT_NEAR(static_cast<double>(y[r * c.out + o]), expected, tolerance)
                        << "row " << r << " output " << o;
                }
            }
        }
    }
}

TEST_P(Kernels, LinearEqualsDoubleArithmetic) {
    expect_double_arithmetic<float>(*GetParam(), 4e-6);
}

TEST_P(Kernels, LinearWithBfloat16WeightsEqualsDoubleArithmetic) {
    expect_double_arithmetic<bert::bfloat16>(*GetParam(), 2e-5);  // GELU within 1.5e-5 is enough for such weights
}

TEST_P(Kernels, LinearWithInt8WeightsEqualsDoubleArithmetic) {
    // A value or weight halfway between two steps may go either way here: as much as one step of either.
    expect_double_arithmetic<std::int8_t>(*GetParam(), 0.02);
}

TEST_P(Kernels, Int8SumsAreExact) {
    // Steps of 1 for values and weights: what comes out is the whole number that the reference arithmetic gives.
    const std::ptrdiff_t rows = 11, in = 300, out = 70;
    std::mt19937 generator(12);
    std::uniform_int_distribution<int> any_value(-100, 155);
    std::vector<float> values(static_cast<std::size_t>(rows * in));
    for (float& value : values) value = static_cast<float>(any_value(generator));
    for (std::ptrdiff_t row = 0; row < rows; ++row) {
        for (std::ptrdiff_t first = 0; first < in; first += bert::int8_block) {
            values[static_cast<std::size_t>(row * in + first)] = -100.0f;
            values[static_cast<std::size_t>(row * in + first + 1)] = 155.0f;
        }
    }
    std::vector<float> weights(static_cast<std::size_t>(out * in));
    for (std::size_t i = 0; i < weights.size(); i += 2) {
        // Two weights that are scaled together are 127 at most. Every block starts with such a pair.
        const int pair = static_cast<int>(i) % in % bert::int8_block == 0
                             ? 127
                             : std::uniform_int_distribution<int>(0, 127)(generator);
        const int first = std::uniform_int_distribution<int>(0, pair)(generator);
        weights[i] = static_cast<float>(generator() % 2 ? first : -first);
        weights[i + 1] = static_cast<float>(generator() % 2 ? pair - first : first - pair);
    }
    // The extremes: sums that 16 bits just hold.
    for (std::ptrdiff_t k = 0; k < in; ++k) {
        weights[static_cast<std::size_t>(k)] = k % 2 ? 63.0f : 64.0f;
        weights[static_cast<std::size_t>(in + k)] = k % 2 ? -63.0f : -64.0f;
    }
    std::fill_n(values.begin() + 2, in - 2, 155.0f);
    values[static_cast<std::size_t>(bert::int8_block)] = -100.0f;
    values[static_cast<std::size_t>(2 * bert::int8_block)] = -100.0f;

    Layer<std::int8_t> layer(*GetParam(), in, out, weights);
    std::fill(layer.bias.begin(), layer.bias.end(), 0.0f);
    std::vector<float> y(static_cast<std::size_t>(rows * out));
    layer.run(values.data(), rows, Activation::identity, nullptr, 0, out, y.data());
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        for (std::ptrdiff_t o = 0; o < out; ++o) {
            const float expected = std::inner_product(values.begin() + r * in, values.begin() + (r + 1) * in,
                                                      weights.begin() + o * in, 0.0f);
            ASSERT_EQ(y[static_cast<std::size_t>(r * out + o)], expected) << "row " << r << " output " << o;
        }
    }
}

TEST_P(Kernels, Int8ProductsEqualThoseOfPlainCode) {
    // One block of features is one product of integers. The sums of several are added up in floats.
    const Table& plain = *bert::available_kernels<float>().back();
    ASSERT_EQ(plain.name, std::string("scalar"));
    std::mt19937 generator(19);
    for (unsigned round = 0; round < 60; ++round) {
        const auto rows = static_cast<std::ptrdiff_t>(1 + generator() % 20);
        const auto in = static_cast<std::ptrdiff_t>(1 + generator() % static_cast<unsigned>(bert::int8_block));
        const auto out = static_cast<std::ptrdiff_t>(1 + generator() % 70);
        auto x = random_values(static_cast<std::size_t>(rows * in), 100 + round,
                               std::pow(10.0f, static_cast<float>(round % 7) - 3.0f));
        const auto weights = random_values(static_cast<std::size_t>(out * in), 200 + round, 0.1f);
        const auto outputs = [&](const Table& table) {
            std::vector<float> y(static_cast<std::size_t>(rows * out));
            Layer<std::int8_t> layer(table, in, out, weights);
            layer.run(x.data(), rows, Activation::identity, nullptr, 0, out, y.data());
            return y;
        };
        ASSERT_EQ(outputs(*GetParam()), outputs(plain)) << rows << " rows, " << in << " features, " << out;
    }
}

TEST_P(Kernels, Int8TakesZerosAndExtremes) {
    const std::ptrdiff_t in = 20, out = 9;
    std::vector<float> weights = random_values(static_cast<std::size_t>(out * in), 13);
    std::fill_n(weights.begin() + 3 * in, in, 0.0f);
    Layer<std::int8_t> layer(*GetParam(), in, out, weights);
    for (const float size : {0.0f, 1e-44f, 1e-35f, 1.0f, 1e30f}) {
        std::vector<float> x(static_cast<std::size_t>(in), size);
        x[4] = -size;
        std::vector<float> y(static_cast<std::size_t>(out));
        layer.run(x.data(), 1, Activation::identity, nullptr, 0, out, y.data());
        EXPECT_EQ(y[3], layer.bias[3]) << size;
        for (std::ptrdiff_t o = 0; o < out; ++o) {
            const auto at = static_cast<std::size_t>(o);
            const double expected =
                static_cast<double>(layer.bias[at]) +
                (size < 1e-30f ? 0.0 : product<float>(*GetParam(), x.data(), weights.data() + o * in, in));
            ASSERT_NEAR(static_cast<double>(y[at]), expected, 0.1 * static_cast<double>(size) + 1e-6) << size;
        }
    }
}

/// What overflowed before must not come out as if nothing had happened.
template <class W>
void expect_infinities_to_show(const Table& table) {
    const std::ptrdiff_t rows = 9, in = 300, out = 50, spoilt = 4;
    Layer<W> layer(table, in, out, random_values(static_cast<std::size_t>(out * in), 6));
    auto values = random_values(static_cast<std::size_t>(rows * in), 5);
    std::vector<float> expected(static_cast<std::size_t>(rows * out)), given = expected;
    const float infinity = std::numeric_limits<float>::infinity();
    for (const Activation activation : {Activation::identity, Activation::gelu, Activation::relu, Activation::tanh}) {
        layer.run(values.data(), rows, activation, nullptr, 0, out, expected.data());
        for (const float value : {std::nanf(""), infinity, -infinity}) {
            // Of infinities, activations may make numbers, as 0 of GELU(-infinity).
            if (activation != Activation::identity && !std::isnan(value)) continue;
            for (const std::ptrdiff_t place : {std::ptrdiff_t{0}, std::ptrdiff_t{17}, in - 1}) {
                SCOPED_TRACE(std::string(table.name) + " " + std::to_string(value) + " at " + std::to_string(place) +
                             " activation " + std::to_string(static_cast<int>(activation)));
                auto x = values;
                x[static_cast<std::size_t>(spoilt * in + place)] = value;
                layer.run(x.data(), rows, activation, nullptr, 0, out, given.data());
                for (std::ptrdiff_t i = 0; i < rows * out; ++i) {
                    const auto at = static_cast<std::size_t>(i);
                    if (i / out == spoilt) ASSERT_FALSE(std::isfinite(given[at])) << "output " << i % out;
                    else ASSERT_EQ(given[at], expected[at]) << "row " << i / out << " output " << i % out;
                }
            }
        }
    }
}

TEST_P(Kernels, LinearShowsInfinitiesAndNaNs) {
    expect_infinities_to_show<float>(*GetParam());
    expect_infinities_to_show<bert::bfloat16>(*GetParam());
    expect_infinities_to_show<std::int8_t>(*GetParam());
}

template <class W>
void expect_the_same_bits_in_any_block(const Table& table) {
    const std::ptrdiff_t rows = 53, in = 277, out = 101;
    auto x = random_values(static_cast<std::size_t>(rows * in), 5);
    Layer<W> layer(table, in, out, random_values(static_cast<std::size_t>(out * in), 6));
    std::vector<float> whole(static_cast<std::size_t>(rows * out));
    layer.run(x.data(), rows, Activation::gelu, nullptr, 0, out, whole.data());
    for (std::ptrdiff_t row = 0; row < rows; ++row) {
        std::vector<float> alone(static_cast<std::size_t>(out));
        // Split in columns as well, as the threads do.
        float* const from = x.data() + row * in;
        layer.run(from, 1, Activation::gelu, nullptr, 0, layer.kernel.panel_width, alone.data());
        layer.run(from, 1, Activation::gelu, nullptr, layer.kernel.panel_width, out, alone.data());
        for (std::ptrdiff_t o = 0; o < out; ++o) {
            ASSERT_EQ(alone[static_cast<std::size_t>(o)], whole[static_cast<std::size_t>(row * out + o)])
                << table.name << " row " << row << " output " << o;
        }
    }
}

TEST_P(Kernels, LinearGivesARowTheSameBitsInAnyBlock) {
    expect_the_same_bits_in_any_block<float>(*GetParam());
    expect_the_same_bits_in_any_block<bert::bfloat16>(*GetParam());
    expect_the_same_bits_in_any_block<std::int8_t>(*GetParam());
}

}  // namespace
