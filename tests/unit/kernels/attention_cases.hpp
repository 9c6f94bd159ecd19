// Tests of a kernel table's attention, layer norm and GELU against plain arithmetic in double. The including file says
// which tables are tested.
#pragma once

#include "kernel_cases.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

namespace {

struct AttentionCase {
    std::ptrdiff_t queries;
    std::ptrdiff_t keys;
    bool masked;
    bool causal;
};

/// A table's attention and how far its probabilities and outputs may be from exact ones.
struct CheckedAttention {
    std::string name;
    bert::AttentionKernel<float> kernel;
    double map_tolerance;
    double out_tolerance;
};

std::vector<CheckedAttention> attention_kernels(const Table& table) {
    std::vector<CheckedAttention> kernels = {{table.name, table.attention, 3e-6, 5e-6}};
    if (table.narrow_attention.run != table.attention.run) {
        // Products of numbers with 8 bits of mantissa.
        kernels.push_back({table.name + std::string(" narrow"), table.narrow_attention, 1e-2, 3e-2});
    }
    return kernels;
}

void expect_exact_attention(const CheckedAttention& attention, const AttentionCase& c, std::ptrdiff_t head_dim) {
    SCOPED_TRACE(attention.name + " " + std::to_string(c.queries) + " queries, " + std::to_string(c.keys) +
                 " keys, head of " + std::to_string(head_dim) + (c.masked ? ", masked" : "") +
                 (c.causal ? ", causal" : ""));
    const std::ptrdiff_t q_stride = head_dim + 3, k_stride = 2 * head_dim, v_stride = head_dim + 1;
    GuardedFloats q(random_values(static_cast<std::size_t>((c.queries - 1) * q_stride + head_dim), 8));
    GuardedFloats k(random_values(static_cast<std::size_t>((c.keys - 1) * k_stride + head_dim), 18));
    GuardedFloats v(random_values(static_cast<std::size_t>((c.keys - 1) * v_stride + head_dim), 28));
    std::vector<std::uint8_t> mask(static_cast<std::size_t>(c.keys), 1);
    for (std::size_t i = 1; i < mask.size(); i += 3) mask[i] = 0;
    GuardedFloats scratch(attention.kernel.scratch_size(c.keys, head_dim));
    GuardedFloats out(static_cast<std::size_t>(c.queries * head_dim));
    GuardedFloats map(static_cast<std::size_t>(c.queries * c.keys));
    const float scale = 1.7f / std::sqrt(static_cast<float>(head_dim));
    attention.kernel.run({q.data(), q_stride, c.queries, k.data(), k_stride, v.data(), v_stride, c.keys, head_dim,
                          scale, c.masked ? mask.data() : nullptr, c.causal, scratch.data(), map.data(), out.data(),
                          head_dim});
    for (std::ptrdiff_t row = 0; row < c.queries; ++row) {
        std::vector<double> weights(static_cast<std::size_t>(c.keys));
        double sum = 0;
        for (std::ptrdiff_t key = 0; key < c.keys; ++key) {
            double score = 0;
            for (std::ptrdiff_t d = 0; d < head_dim; ++d) {
                score += static_cast<double>(q[row * q_stride + d]) * static_cast<double>(k[key * k_stride + d]);
            }
            const auto at = static_cast<std::size_t>(key);
            const bool seen = (!c.masked || mask[at]) && (!c.causal || key <= c.keys - c.queries + row);
            weights[at] = seen ? std::exp(score * static_cast<double>(scale)) : 0.0;
            sum += weights[at];
        }
        for (std::ptrdiff_t key = 0; key < c.keys; ++key) {
            ASSERT_NEAR(static_cast<double>(map[row * c.keys + key]), weights[static_cast<std::size_t>(key)] / sum,
                        attention.map_tolerance);
        }
        for (std::ptrdiff_t d = 0; d < head_dim; ++d) {
            double expected = 0;
            for (std::ptrdiff_t key = 0; key < c.keys; ++key) {
                expected += weights[static_cast<std::size_t>(key)] / sum * static_cast<double>(v[key * v_stride + d]);
            }
            ASSERT_NEAR(static_cast<double>(out[row * head_dim + d]), expected, attention.out_tolerance)
                << row << " " << d;
        }
    }
}

TEST_P(Kernels, AttentionEqualsDoubleArithmetic) {
    for (const CheckedAttention& attention : attention_kernels(*GetParam())) {
        for (const std::ptrdiff_t head_dim : {1, 7, 20, 32, 33, 64, 80}) {
            for (const bool masked : {false, true}) {
                for (const std::ptrdiff_t tokens : {1, 2, 5, 6, 7, 13, 16, 33, 64, 130}) {
                    expect_exact_attention(attention, {tokens, tokens, masked, false}, head_dim);
                    expect_exact_attention(attention, {tokens, tokens, masked, true}, head_dim);
                }
                for (const std::ptrdiff_t keys : {1, 8, 41}) {
                    expect_exact_attention(attention, {11, keys, masked, false}, head_dim);
                }
                for (const std::ptrdiff_t queries : {1, 3, 15}) {
                    expect_exact_attention(attention, {queries, 41, masked, true}, head_dim);
                }
            }
        }
    }
}

TEST_P(Kernels, CausalAttentionGivesTheSameBitsTokenByToken) {
    const std::ptrdiff_t tokens = 61, head_dim = 20, stride = 3 * head_dim;
    const std::vector<float> qkv = random_values(static_cast<std::size_t>(tokens * stride), 8);
    for (const CheckedAttention& attention : attention_kernels(*GetParam())) {
        std::vector<float> scratch(attention.kernel.scratch_size(tokens, head_dim));
        const auto run = [&](std::ptrdiff_t first, std::ptrdiff_t last) {
            std::vector<float> out(static_cast<std::size_t>((last - first) * head_dim));
            attention.kernel.run({qkv.data() + first * stride, stride, last - first, qkv.data() + head_dim, stride,
                                  qkv.data() + 2 * head_dim, stride, last, head_dim, 0.3f, nullptr, true,
                                  scratch.data(), nullptr, out.data(), head_dim});
            return out;
        };
        const auto whole = run(0, tokens);
        for (std::ptrdiff_t token = 0; token < tokens; ++token) {
            const auto alone = run(token, token + 1);
            ASSERT_TRUE(std::equal(alone.begin(), alone.end(), whole.begin() + token * head_dim))
                << attention.name << " token " << token;
        }
    }
}

TEST_P(Kernels, AttentionSurvivesExtremeScores) {
    const std::ptrdiff_t tokens = 9, head_dim = 4;
    for (const CheckedAttention& attention : attention_kernels(*GetParam())) {
        for (const float size : {0.0f, 1e-30f, 1e4f, 1e15f}) {
            std::vector<float> qkv(static_cast<std::size_t>(tokens * 3 * head_dim), size);
            for (std::size_t i = 0; i < qkv.size(); i += 5) qkv[i] = -size;
            std::vector<float> scratch(attention.kernel.scratch_size(tokens, head_dim));
            std::vector<float> out(static_cast<std::size_t>(tokens * head_dim), std::nanf(""));
            attention.kernel.run({qkv.data(), 3 * head_dim, tokens, qkv.data() + head_dim, 3 * head_dim,
                                  qkv.data() + 2 * head_dim, 3 * head_dim, tokens, head_dim, 0.5f, nullptr, false,
                                  scratch.data(), nullptr, out.data(), head_dim});
            for (const float value : out) {
                ASSERT_TRUE(std::isfinite(value)) << attention.name << " " << size;
                ASSERT_LE(std::abs(value), size * (1.0f + static_cast<float>(attention.out_tolerance)));
            }
        }
    }
}

TEST_P(Kernels, AttentionAndLayerNormShowInfinitiesAndNaNs) {
    const std::ptrdiff_t tokens = 37, head_dim = 20, stride = 3 * head_dim, spoilt = 5;
    const auto values = random_values(static_cast<std::size_t>(tokens * stride), 3);
    const float infinity = std::numeric_limits<float>::infinity();
    for (const CheckedAttention& attention : attention_kernels(*GetParam())) {
        for (const float value : {std::nanf(""), infinity, -infinity}) {
            for (const std::ptrdiff_t part : {0, 1, 2}) {  // query, key, value
                SCOPED_TRACE(attention.name + " " + std::to_string(value) + " in part " + std::to_string(part));
                // A key of which all queries turn away weighs nothing, be it at infinity.
                if (part == 1 && !std::isnan(value)) continue;
                auto qkv = values;
                qkv[static_cast<std::size_t>(spoilt * stride + part * head_dim)] = value;
                std::vector<float> scratch(attention.kernel.scratch_size(tokens, head_dim));
                std::vector<float> out(static_cast<std::size_t>(tokens * head_dim));
                attention.kernel.run({qkv.data(), stride, tokens, qkv.data() + head_dim, stride,
                                      qkv.data() + 2 * head_dim, stride, tokens, head_dim, 0.5f, nullptr, false,
                                      scratch.data(), nullptr, out.data(), head_dim});
                for (std::ptrdiff_t i = 0; i < tokens * head_dim; ++i) {
                    const bool shows = part == 0 ? i / head_dim == spoilt : part == 1 || i % head_dim == 0;
                    ASSERT_EQ(std::isfinite(out[static_cast<std::size_t>(i)]), !shows) << "at " << i;
                }
            }
        }
    }
    for (const float value : {std::nanf(""), infinity, -infinity}) {
        std::vector<float> x(values.begin(), values.begin() + 2 * stride), ones(static_cast<std::size_t>(stride), 1.0f);
        x[17] = value;
        GetParam()->layer_norm(x.data(), stride, 2, stride, ones.data(), ones.data(), 1e-12f);
        for (std::ptrdiff_t i = 0; i < 2 * stride; ++i) {
            ASSERT_EQ(std::isnan(x[static_cast<std::size_t>(i)]), i < stride) << value << " at " << i;
        }
    }
}

TEST_P(Kernels, AttentionOfEqualScoresIsTheMeanAndOfOneFarAboveItsValue) {
    const std::ptrdiff_t tokens = 21, head_dim = 8;
    const auto values = random_values(static_cast<std::size_t>(tokens * head_dim), 17);
    for (const CheckedAttention& attention : attention_kernels(*GetParam())) {
        for (const float size : {0.0f, 1e-20f, 1.0f, 1e4f, 1e15f}) {
            for (const bool one_above : {false, true}) {
                const std::vector<float> queries(values.size(), size);
                std::vector<float> keys(values.size(), 1.0f);
                const std::ptrdiff_t highest = 13;
                if (one_above) std::fill_n(keys.begin() + highest * head_dim, head_dim, 1e3f);
                std::vector<float> scratch(attention.kernel.scratch_size(tokens, head_dim));
                std::vector<float> out(values.size(), std::nanf(""));
                attention.kernel.run({queries.data(), head_dim, tokens, keys.data(), head_dim, values.data(), head_dim,
                                      tokens, head_dim, 0.5f, nullptr, false, scratch.data(), nullptr, out.data(),
                                      head_dim});
                for (std::ptrdiff_t row = 0; row < tokens; ++row) {
                    for (std::ptrdiff_t d = 0; d < head_dim; ++d) {
                        double expected = 0;
                        for (std::ptrdiff_t key = 0; key < tokens; ++key) {
                            const double share = one_above && size >= 1.0f ? key == highest : 1.0 / 21;
                            expected +=
                                share * static_cast<double>(values[static_cast<std::size_t>(key * head_dim + d)]);
                        }
                        ASSERT_NEAR(static_cast<double>(out[static_cast<std::size_t>(row * head_dim + d)]), expected,
                                    attention.out_tolerance)
                            << attention.name << ", queries of " << size << (one_above ? ", one above" : "");
                    }
                }
            }
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
    for (const float value : {0.0f, 0.25f, 0.1f, -3.7e4f, 1e15f, 1e-40f}) {
        for (const std::ptrdiff_t n : {1, 7, 37, 384, 768}) {
            std::vector<float> x(static_cast<std::size_t>(n), value);
            const std::vector<float> weight(x.size(), 2.0f);
            std::vector<float> bias(x.size());
            std::iota(bias.begin(), bias.end(), 0.0f);
            table.layer_norm(x.data(), n, 1, n, weight.data(), bias.data(), 1e-12f);
            EXPECT_EQ(x, bias) << table.name << ", " << n << " times " << value;
        }
    }
}

TEST_P(Kernels, GeluIsExactOverItsWholeRange) {
    const Table& table = *GetParam();
    std::vector<float> x;
    for (float v = -15.0f; v <= 15.0f; v += 1e-3f) x.push_back(v);
    for (const float v : {0.0f, -0.0f, 1e-30f, -1e-30f, 1e-38f, 100.0f, -100.0f, 1e10f, -1e10f, 3e38f, -3e38f})
        x.push_back(v);
    // A layer of one input and one output with weight 1: every value is a row.
    Layer<float> layer(table, 1, 1, {1.0f});
    std::fill(layer.bias.begin(), layer.bias.end(), 0.0f);
    std::vector<float> y(x.size());
    layer.run(x.data(), static_cast<std::ptrdiff_t>(x.size()), Activation::gelu, nullptr, 0, 1, y.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double v = static_cast<double>(x[i]);
        const double expected = v * 0.5 * std::erfc(-v / std::sqrt(2.0));
        ASSERT_NEAR(static_cast<double>(y[i]), expected, 2.5e-7 + 1.2e-7 * std::abs(v)) << table.name << " at " << v;
    }
}

}  // namespace
