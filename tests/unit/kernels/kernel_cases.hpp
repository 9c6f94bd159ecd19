// Tests of a kernel table against plain arithmetic in double: odd sizes, tails, unaligned rows, and memory that ends
// where the data ends. The including file says which tables are tested.
#pragma once

#include <bert/kernels/table.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <random>
#include <string>
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

/// Floats whose last one is the last thing before an unmapped page, and that start at any alignment.
class GuardedFloats {
public:
    explicit GuardedFloats(const std::vector<float>& values) : size_(values.size()) {
#if defined(__unix__)
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        bytes_ = (size_ * sizeof(float) + page - 1) / page * page + page;
        memory_ =
            static_cast<std::byte*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (memory_ == MAP_FAILED || mprotect(memory_ + bytes_ - page, page, PROT_NONE) != 0) std::abort();
        data_ = reinterpret_cast<float*>(memory_ + bytes_ - page) - size_;
#else
        storage_ = values;
        data_ = storage_.data();
#endif
        std::copy(values.begin(), values.end(), data_);
    }
    explicit GuardedFloats(std::size_t size) : GuardedFloats(std::vector<float>(size, 0.0f)) {}
    GuardedFloats(const GuardedFloats&) = delete;
    GuardedFloats& operator=(const GuardedFloats&) = delete;
    ~GuardedFloats() {
#if defined(__unix__)
        munmap(memory_, bytes_);
#endif
    }

    float* data() {
        return data_;
    }
    float operator[](std::ptrdiff_t i) const {
        return data_[i];
    }
    std::size_t size() const {
        return size_;
    }

private:
    std::size_t size_;
    float* data_ = nullptr;
#if defined(__unix__)
    std::byte* memory_ = nullptr;
    std::size_t bytes_ = 0;
#else
    std::vector<float> storage_;
#endif
};

class Kernels : public testing::TestWithParam<const Table*> {};

struct LinearCase {
    std::ptrdiff_t rows, in, out;
};

TEST_P(Kernels, LinearEqualsDoubleArithmetic) {
    const Table& table = *GetParam();
    const LinearCase cases[] = {{1, 1, 1},    {1, 20, 60},  {2, 7, 5},    {3, 100, 100}, {5, 33, 49},
                                {6, 384, 48}, {7, 64, 97},  {8, 60, 180}, {9, 128, 384}, {13, 17, 16},
                                {17, 50, 33}, {48, 96, 31}, {49, 40, 95}, {64, 8, 144}};
    for (const Activation activation : {Activation::identity, Activation::gelu, Activation::relu, Activation::tanh}) {
        for (const auto& c : cases) {
            const bool add = c.rows % 2 == 1;
            SCOPED_TRACE(std::string(table.name) + " " + std::to_string(c.rows) + " x " + std::to_string(c.in) +
                         " -> " + std::to_string(c.out));
            GuardedFloats x(random_values(static_cast<std::size_t>(c.rows * c.in), 1));
            const auto w =
                random_values(static_cast<std::size_t>(c.out * c.in), 2, 1.0f / std::sqrt(static_cast<float>(c.in)));
            auto bias = random_values(static_cast<std::size_t>(bert::padded_size(table, c.out)), 3);
            GuardedFloats packed(bert::packed_size(table, c.out, c.in));
            table.pack(w.data(), c.out, c.in, packed.data());
            GuardedFloats residual(random_values(static_cast<std::size_t>(c.rows * c.out), 4));
            GuardedFloats y(static_cast<std::size_t>(c.rows * c.out));
            table.linear(x.data(), c.in, c.rows, c.in, packed.data(), bias.data(), activation,
                         add ? residual.data() : nullptr, c.out, 0, c.out, y.data(), c.out);
            for (std::ptrdiff_t r = 0; r < c.rows; ++r) {
                for (std::ptrdiff_t o = 0; o < c.out; ++o) {
                    double sum = static_cast<double>(bias[static_cast<std::size_t>(o)]);
                    for (std::ptrdiff_t k = 0; k < c.in; ++k) {
                        sum += static_cast<double>(x[r * c.in + k]) *
                               static_cast<double>(w[static_cast<std::size_t>(o * c.in + k)]);
                    }
                    double expected = bert::activate(activation, sum);
                    if (add) expected += static_cast<double>(residual[r * c.out + o]);
                    ASSERT_NEAR(static_cast<double>(y[r * c.out + o]), expected, 4e-6)
                        << "row " << r << " output " << o;
                }
            }
        }
    }
}

TEST_P(Kernels, LinearGivesARowTheSameBitsInAnyBlock) {
    const Table& table = *GetParam();
    const std::ptrdiff_t rows = 53, in = 77, out = 101;
    const auto x = random_values(static_cast<std::size_t>(rows * in), 5);
    const auto w = random_values(static_cast<std::size_t>(out * in), 6);
    const auto bias = random_values(static_cast<std::size_t>(bert::padded_size(table, out)), 7);
    std::vector<float> packed(bert::packed_size(table, out, in));
    table.pack(w.data(), out, in, packed.data());
    std::vector<float> whole(static_cast<std::size_t>(rows * out));
    table.linear(x.data(), in, rows, in, packed.data(), bias.data(), Activation::gelu, nullptr, 0, 0, out, whole.data(),
                 out);
    for (std::ptrdiff_t row = 0; row < rows; ++row) {
        std::vector<float> alone(static_cast<std::size_t>(out));
        // Split in columns as well, as the threads do.
        table.linear(x.data() + row * in, in, 1, in, packed.data(), bias.data(), Activation::gelu, nullptr, 0, 0,
                     table.panel_width, alone.data(), out);
        table.linear(x.data() + row * in, in, 1, in, packed.data(), bias.data(), Activation::gelu, nullptr, 0,
                     table.panel_width, out, alone.data(), out);
        for (std::ptrdiff_t o = 0; o < out; ++o) {
            ASSERT_EQ(alone[static_cast<std::size_t>(o)], whole[static_cast<std::size_t>(row * out + o)])
                << table.name << " row " << row << " output " << o;
        }
    }
}

TEST_P(Kernels, AttentionEqualsDoubleArithmetic) {
    const Table& table = *GetParam();
    for (const std::ptrdiff_t tokens : {1, 2, 5, 6, 7, 13, 16, 33, 64, 130}) {
        for (const std::ptrdiff_t head_dim : {1, 7, 20, 32, 33, 64, 80}) {
            for (const bool masked : {false, true}) {
                SCOPED_TRACE(std::string(table.name) + " " + std::to_string(tokens) + " tokens, head of " +
                             std::to_string(head_dim));
                const std::ptrdiff_t stride = 3 * head_dim;
                GuardedFloats qkv(random_values(static_cast<std::size_t>(tokens * stride), 8));
                std::vector<std::uint8_t> mask(static_cast<std::size_t>(tokens), 1);
                for (std::size_t i = 1; i < mask.size(); i += 3) mask[i] = 0;
                GuardedFloats scratch(table.attention_scratch(tokens, head_dim));
                GuardedFloats out(static_cast<std::size_t>(tokens * head_dim));
                GuardedFloats map(static_cast<std::size_t>(tokens * tokens));
                const float scale = 1.7f / std::sqrt(static_cast<float>(head_dim));
                table.attention(qkv.data(), qkv.data() + head_dim, qkv.data() + 2 * head_dim, stride, tokens, head_dim,
                                scale, masked ? mask.data() : nullptr, scratch.data(), map.data(), out.data(),
                                head_dim);
                for (std::ptrdiff_t row = 0; row < tokens; ++row) {
                    std::vector<double> weights(static_cast<std::size_t>(tokens));
                    double sum = 0;
                    for (std::ptrdiff_t key = 0; key < tokens; ++key) {
                        double score = 0;
                        for (std::ptrdiff_t d = 0; d < head_dim; ++d) {
                            score += static_cast<double>(qkv[row * stride + d]) *
                                     static_cast<double>(qkv[key * stride + head_dim + d]);
                        }
                        const auto at = static_cast<std::size_t>(key);
                        weights[at] = masked && !mask[at] ? 0.0 : std::exp(score * static_cast<double>(scale));
                        sum += weights[at];
                    }
                    for (std::ptrdiff_t key = 0; key < tokens; ++key) {
                        ASSERT_NEAR(static_cast<double>(map[row * tokens + key]),
                                    weights[static_cast<std::size_t>(key)] / sum, 3e-6);
                    }
                    for (std::ptrdiff_t d = 0; d < head_dim; ++d) {
                        double expected = 0;
                        for (std::ptrdiff_t key = 0; key < tokens; ++key) {
                            expected += weights[static_cast<std::size_t>(key)] / sum *
                                        static_cast<double>(qkv[key * stride + 2 * head_dim + d]);
                        }
                        ASSERT_NEAR(static_cast<double>(out[row * head_dim + d]), expected, 5e-6) << row << " " << d;
                    }
                }
            }
        }
    }
}

TEST_P(Kernels, AttentionSurvivesExtremeScores) {
    const Table& table = *GetParam();
    const std::ptrdiff_t tokens = 9, head_dim = 4;
    for (const float size : {0.0f, 1e-30f, 1e4f, 1e15f}) {
        std::vector<float> qkv(static_cast<std::size_t>(tokens * 3 * head_dim), size);
        for (std::size_t i = 0; i < qkv.size(); i += 5) qkv[i] = -size;
        std::vector<float> scratch(table.attention_scratch(tokens, head_dim));
        std::vector<float> out(static_cast<std::size_t>(tokens * head_dim), std::nanf(""));
        table.attention(qkv.data(), qkv.data() + head_dim, qkv.data() + 2 * head_dim, 3 * head_dim, tokens, head_dim,
                        0.5f, nullptr, scratch.data(), nullptr, out.data(), head_dim);
        for (const float value : out) {
            ASSERT_TRUE(std::isfinite(value)) << table.name << " " << size;
            ASSERT_LE(std::abs(value), size * 1.00001f);
        }
    }
}

TEST_P(Kernels, LayerNormEqualsDoubleArithmetic) {
    const Table& table = *GetParam();
    for (const std::ptrdiff_t n : {1, 2, 3, 8, 15, 16, 17, 20, 60, 100, 384, 768}) {
        const std::ptrdiff_t rows = 3;
        const auto values = random_values(static_cast<std::size_t>(rows * n), 9, 3.0f);
        GuardedFloats x(values);
        GuardedFloats weight(random_values(static_cast<std::size_t>(n), 10));
        GuardedFloats bias(random_values(static_cast<std::size_t>(n), 11));
        table.layer_norm(x.data(), n, rows, n, weight.data(), bias.data(), 1e-3f);
        for (std::ptrdiff_t r = 0; r < rows; ++r) {
            const float* const row = values.data() + r * n;
            const double mean = std::accumulate(row, row + n, 0.0) / static_cast<double>(n);
            double variance = 0;
            for (std::ptrdiff_t i = 0; i < n; ++i) variance += std::pow(static_cast<double>(row[i]) - mean, 2);
            const double scale = 1.0 / std::sqrt(variance / static_cast<double>(n) + 1e-3);
            for (std::ptrdiff_t i = 0; i < n; ++i) {
                const double expected = (static_cast<double>(row[i]) - mean) * scale * static_cast<double>(weight[i]) +
                                        static_cast<double>(bias[i]);
                ASSERT_NEAR(static_cast<double>(x[r * n + i]), expected, 4e-6)
                    << table.name << " n " << n << " at " << i;
            }
        }
    }
}

TEST_P(Kernels, LayerNormOfAConstantRowIsItsBias) {
    const Table& table = *GetParam();
    std::vector<float> x(37, 0.25f);
    const std::vector<float> weight(37, 2.0f);
    std::vector<float> bias(37);
    std::iota(bias.begin(), bias.end(), 0.0f);
    table.layer_norm(x.data(), 37, 1, 37, weight.data(), bias.data(), 1e-12f);
    EXPECT_EQ(x, bias) << table.name;
}

TEST_P(Kernels, GeluIsExactOverItsWholeRange) {
    const Table& table = *GetParam();
    std::vector<float> x;
    for (float v = -15.0f; v <= 15.0f; v += 1e-3f) x.push_back(v);
    for (const float v : {0.0f, -0.0f, 1e-30f, -1e-30f, 1e-38f, 100.0f, -100.0f, 1e10f, -1e10f, 3e38f, -3e38f})
        x.push_back(v);
    // A layer of one input and one output with weight 1: every value is a row.
    std::vector<float> packed(bert::packed_size(table, 1, 1));
    const float one = 1.0f;
    table.pack(&one, 1, 1, packed.data());
    const std::vector<float> bias(static_cast<std::size_t>(bert::padded_size(table, 1)), 0.0f);
    std::vector<float> y(x.size());
    table.linear(x.data(), 1, static_cast<std::ptrdiff_t>(x.size()), 1, packed.data(), bias.data(), Activation::gelu,
                 nullptr, 0, 0, 1, y.data(), 1);
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double v = static_cast<double>(x[i]);
        const double expected = v * 0.5 * std::erfc(-v / std::sqrt(2.0));
        ASSERT_NEAR(static_cast<double>(y[i]), expected, 2.5e-7 + 1.2e-7 * std::abs(v)) << table.name << " at " << v;
    }
}

}  // namespace
