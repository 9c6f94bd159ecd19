// What one core can do at best: multiply-adds in registers, timed for each instruction set. The roofline of the dense
// products. Depends on kernels.
#pragma once

#include <bert/kernels/dispatch.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace bench {

/// A loop of multiply-adds for one instruction set.
struct Peak {
    void (*run)(const float* factors, std::ptrdiff_t steps, float* out);
    double flops_per_step;
};

#if defined(BERT_X86)

BERT_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
namespace avx512 {
using vec = bert::avx512::vec;
inline constexpr int chains = 12;
inline constexpr double operations = 2;
#include "fma_peak.inl"
}  // namespace avx512
BERT_TARGET_END

BERT_TARGET_BEGIN("avx2,fma")
namespace avx2 {
using vec = bert::avx2::vec;
inline constexpr int chains = 12;
inline constexpr double operations = 2;
#include "fma_peak.inl"
}  // namespace avx2
BERT_TARGET_END

// Dot products of pairs of bfloat16 and of fours of 8-bit integers, added to 32 bits.

BERT_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")
namespace avx512_bf16 {
struct vec : bert::avx512::vec {
    vec(bert::avx512::vec a) : bert::avx512::vec(a) {}
    vec() = default;
    static BERT_ALWAYS_INLINE vec fma(vec a, vec b, vec c) {
        return bert::avx512::vec{_mm512_dpbf16_ps(c.v, (__m512bh)a.v, (__m512bh)b.v)};
    }
};
inline constexpr int chains = 12;
inline constexpr double operations = 4;
#include "fma_peak.inl"
}  // namespace avx512_bf16
BERT_TARGET_END

BERT_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")
namespace avx512_vnni {
struct vec : bert::avx512::vec {
    vec(bert::avx512::vec a) : bert::avx512::vec(a) {}
    vec() = default;
    static BERT_ALWAYS_INLINE vec fma(vec a, vec b, vec c) {
        return bert::avx512::vec{_mm512_castsi512_ps(
            bert::avx512_vnni::dot::add(_mm512_castps_si512(c.v), _mm512_castps_si512(a.v), _mm512_castps_si512(b.v)))};
    }
};
inline constexpr int chains = 12;
inline constexpr double operations = 8;
#include "fma_peak.inl"
}  // namespace avx512_vnni
BERT_TARGET_END

BERT_TARGET_BEGIN("avx2,fma,avxvnni")
namespace avx2_vnni {
struct vec : bert::avx2::vec {
    vec(bert::avx2::vec a) : bert::avx2::vec(a) {}
    vec() = default;
    static BERT_ALWAYS_INLINE vec fma(vec a, vec b, vec c) {
        return bert::avx2::vec{_mm256_castsi256_ps(
            bert::avx2_vnni::dot::add(_mm256_castps_si256(c.v), _mm256_castps_si256(a.v), _mm256_castps_si256(b.v)))};
    }
};
inline constexpr int chains = 12;
inline constexpr double operations = 8;
#include "fma_peak.inl"
}  // namespace avx2_vnni
BERT_TARGET_END

#if defined(BERT_AMX)

// Products of tiles of 16 rows of 64 bytes, added to six tiles of sums.

BERT_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,amx-tile,amx-int8,amx-bf16,avx2,fma")
namespace avx512_amx {

template <class Tiles>
void multiply_tiles(const float*, std::ptrdiff_t steps, float*) {
    const bert::avx512_amx::Session session;
    for (std::ptrdiff_t step = 0; step < steps; ++step) {
        Tiles::template add<0>();
        Tiles::template add<1>();
        Tiles::template add<2>();
        Tiles::template add<3>();
        Tiles::template add<4>();
        Tiles::template add<5>();
    }
}

inline constexpr double tile_operations = 2 * 16 * 16;  // for each feature of a row
inline constexpr Peak bfloat16_peak{multiply_tiles<bert::avx512_amx::Bfloat16Tiles>, 6 * 32 * tile_operations};
inline constexpr Peak int8_peak{multiply_tiles<bert::avx512_amx::Int8Tiles>, 6 * 64 * tile_operations};

}  // namespace avx512_amx
BERT_TARGET_END

#endif

BERT_TARGET_BEGIN("sse2")
namespace sse2 {
using vec = bert::sse2::vec;
inline constexpr int chains = 12;
inline constexpr double operations = 2;
#include "fma_peak.inl"
}  // namespace sse2
BERT_TARGET_END

#elif defined(BERT_ARM64)

namespace neon {
using vec = bert::neon::vec;
inline constexpr int chains = 12;
inline constexpr double operations = 2;
#include "fma_peak.inl"
}  // namespace neon

#endif

/// The peak loop for the products of a table of kernels, by its name, with weights of type W; null where the table has
/// no instruction of its own for them.
template <class W>
const Peak* find_peak(std::string_view kernels) {
#if defined(BERT_X86)
#if defined(BERT_AMX)
    if (kernels == "avx512_amx" && std::is_same_v<W, std::int8_t>) return &avx512_amx::int8_peak;
    if (kernels == "avx512_amx" && std::is_same_v<W, bert::bfloat16>) return &avx512_amx::bfloat16_peak;
#endif
    if constexpr (std::is_same_v<W, std::int8_t>) {
        if (kernels == "avx512_bf16" || kernels == "avx512_vnni") return &avx512_vnni::peak;
        if (kernels == "avx2_vnni") return &avx2_vnni::peak;
    } else {
        if (std::is_same_v<W, bert::bfloat16> && kernels == "avx512_bf16") return &avx512_bf16::peak;
        if (kernels.substr(0, 6) == "avx512") return &avx512::peak;
        if (kernels.substr(0, 4) == "avx2") return &avx2::peak;
        if (kernels == "sse2") return &sse2::peak;
    }
#elif defined(BERT_ARM64)
    if (!std::is_same_v<W, std::int8_t> && kernels == "neon") return &neon::peak;
#endif
    (void)kernels;
    return nullptr;
}

/// Operations per second of this core: the best of several short runs, since others may use the machine.
inline double measure_peak(const Peak& peak) {
    constexpr std::ptrdiff_t steps = 1 << 16;
    constexpr std::size_t room = 512;  // floats: more than any set's chains or factors
    float factors[room];
    float out[room];
    std::fill_n(factors, room, 0.5f);
    double best = 0;
    for (int run = 0; run < 160; ++run) {
        const auto start = std::chrono::steady_clock::now();
        peak.run(factors, steps, out);
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
        best = std::max(best, static_cast<double>(steps) * peak.flops_per_step / time.count());
    }
    return best;
}

}  // namespace bench
