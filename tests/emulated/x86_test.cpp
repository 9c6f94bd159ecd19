// The kernels for processors that few machines have, on any machine: their intrinsics replaced by SIMDe's portable
// ones. What runs on the real processor is the same source; this shows that the source is right, not that the compiler
// is.
#include <bert/core/activation.hpp>
#include <bert/kernels/table.hpp>
#include <bert/kernels/target.hpp>

#include <immintrin.h>

#undef BERT_TARGET_BEGIN
#undef BERT_TARGET_END
#undef BERT_GCC_ASM
#define BERT_TARGET_BEGIN(isa)
#define BERT_TARGET_END
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

// What SIMDe 0.7 lacks, and masked accesses that touch nothing else.
namespace emulated {

inline __m512 maskz_loadu_ps(unsigned mask, const float* p) {
    float values[16] = {};
    for (unsigned i = 0; i < 16; ++i) {
        if ((mask >> i) & 1u) values[i] = p[i];
    }
    return _mm512_loadu_ps(values);
}

inline void mask_storeu_ps(float* p, unsigned mask, __m512 v) {
    float values[16];
    _mm512_storeu_ps(values, v);
    for (unsigned i = 0; i < 16; ++i) {
        if ((mask >> i) & 1u) p[i] = values[i];
    }
}

inline __m256 maskload_ps(const float* p, __m256i mask) {
    float values[8] = {};
    std::int32_t lanes[8];
    std::memcpy(lanes, &mask, sizeof lanes);
    for (int i = 0; i < 8; ++i) {
        if (lanes[i] < 0) values[i] = p[i];
    }
    return _mm256_loadu_ps(values);
}

inline void maskstore_ps(float* p, __m256i mask, __m256 v) {
    float values[8];
    std::int32_t lanes[8];
    std::memcpy(lanes, &mask, sizeof lanes);
    _mm256_storeu_ps(values, v);
    for (int i = 0; i < 8; ++i) {
        if (lanes[i] < 0) p[i] = values[i];
    }
}

inline __m512i cvtps_epi32(__m512 v) {
    float values[16];
    std::int32_t rounded[16];
    _mm512_storeu_ps(values, v);
    for (int i = 0; i < 16; ++i) rounded[i] = static_cast<std::int32_t>(std::nearbyint(values[i]));
    return _mm512_loadu_si512(rounded);
}

inline __m512 cvtepi32_ps(__m512i v) {
    std::int32_t values[16];
    float converted[16];
    _mm512_storeu_si512(values, v);
    for (int i = 0; i < 16; ++i) converted[i] = static_cast<float>(values[i]);
    return _mm512_loadu_ps(converted);
}

inline __m128i cvtusepi32_epi8(__m512i v) {
    std::uint32_t values[16];
    std::uint8_t narrow[16];
    _mm512_storeu_si512(values, v);
    for (int i = 0; i < 16; ++i) narrow[i] = static_cast<std::uint8_t>(std::min(values[i], 255u));
    __m128i result;
    std::memcpy(&result, narrow, sizeof result);
    return result;
}

template <int Control>
__m512 shuffle_quarters(__m512 a, __m512 b) {
    float from[2][16];
    float to[16];
    _mm512_storeu_ps(from[0], a);
    _mm512_storeu_ps(from[1], b);
    for (int i = 0; i < 16; ++i) to[i] = from[i / 8][4 * ((Control >> (2 * (i / 4))) & 3) + i % 4];
    return _mm512_loadu_ps(to);
}

inline __m512i madd_epi16(__m512i a, __m512i b) {
    std::int16_t x[32];
    std::int16_t y[32];
    std::int32_t sums[16];
    _mm512_storeu_si512(x, a);
    _mm512_storeu_si512(y, b);
    for (int i = 0; i < 16; ++i) sums[i] = x[2 * i] * y[2 * i] + x[2 * i + 1] * y[2 * i + 1];
    return _mm512_loadu_si512(sums);
}

template <int Lanes>
void dpbusd(std::int32_t* sums, const std::uint8_t* values, const std::int8_t* weights) {
    for (int i = 0; i < 4 * Lanes; ++i) sums[i / 4] += values[i] * weights[i];
}

inline __m512i dpbusd_512(__m512i sum, __m512i a, __m512i b) {
    std::int32_t sums[16];
    std::uint8_t values[64];
    std::int8_t weights[64];
    _mm512_storeu_si512(sums, sum);
    _mm512_storeu_si512(values, a);
    _mm512_storeu_si512(weights, b);
    dpbusd<16>(sums, values, weights);
    return _mm512_loadu_si512(sums);
}

inline __m256i dpbusd_256(__m256i sum, __m256i a, __m256i b) {
    std::int32_t sums[8];
    std::uint8_t values[32];
    std::int8_t weights[32];
    std::memcpy(sums, &sum, sizeof sums);
    std::memcpy(values, &a, sizeof values);
    std::memcpy(weights, &b, sizeof weights);
    dpbusd<8>(sums, values, weights);
    std::memcpy(&sum, sums, sizeof sums);
    return sum;
}

/// A vector of 32 bfloat16.
struct bfloat16s {
    std::uint16_t bits[32];
    float operator[](int i) const { return static_cast<float>(bert::bfloat16{bits[i]}); }
};

/// To nearest, ties to even, as bfloat16::from_float does.
inline void round_to_bfloat16(__m512 v, std::uint16_t* bits) {
    float values[16];
    _mm512_storeu_ps(values, v);
    for (int i = 0; i < 16; ++i) bits[i] = bert::bfloat16::from_float(values[i]).bits;
}

inline bfloat16s cvtne2ps(__m512 upper, __m512 lower) {
    bfloat16s result;
    round_to_bfloat16(lower, result.bits);
    round_to_bfloat16(upper, result.bits + 16);
    return result;
}

struct bfloat16s_256 {
    std::uint16_t bits[16];
};

inline bfloat16s_256 cvtneps(__m512 v) {
    bfloat16s_256 result;
    round_to_bfloat16(v, result.bits);
    return result;
}

inline __m512 scalef(__m512 v, __m512 exponents) {
    float values[16];
    float powers[16];
    _mm512_storeu_ps(values, v);
    _mm512_storeu_ps(powers, exponents);
    for (int i = 0; i < 16; ++i) values[i] = std::ldexp(values[i], static_cast<int>(std::floor(powers[i])));
    return _mm512_loadu_ps(values);
}

inline __m512i permute_words(__m512i order, __m512i v) {
    std::uint16_t indices[32];
    std::uint16_t words[32];
    std::uint16_t result[32];
    _mm512_storeu_si512(indices, order);
    _mm512_storeu_si512(words, v);
    for (int i = 0; i < 32; ++i) result[i] = words[indices[i] % 32];
    return _mm512_loadu_si512(result);
}

inline __m512 dpbf16(__m512 sum, bfloat16s a, bfloat16s b) {
    float sums[16];
    _mm512_storeu_ps(sums, sum);
    for (int i = 0; i < 16; ++i) {
        sums[i] += a[2 * i + 1] * b[2 * i + 1];
        sums[i] += a[2 * i] * b[2 * i];
    }
    return _mm512_loadu_ps(sums);
}

// Tiles of AMX, of 16 rows of 64 bytes as the kernels use them.
struct Tile {
    std::byte bytes[16][64];
};
inline thread_local Tile tiles[8];
inline thread_local bool configured = false;

inline void tile_loadconfig(const void* config) {
    const auto* bytes = static_cast<const unsigned char*>(config);
    bool expected = bytes[0] == 1;
    for (int tile = 0; tile < 8; ++tile) {
        expected = expected && bytes[16 + 2 * tile] == 64 && bytes[17 + 2 * tile] == 0 && bytes[48 + tile] == 16;
    }
    if (!expected) std::abort();
    configured = true;
}

inline Tile& tile(int number) {
    if (!configured) std::abort();
    return tiles[number];
}

inline void tile_loadd(int number, const void* base, std::ptrdiff_t stride) {
    for (int row = 0; row < 16; ++row) {
        std::memcpy(tile(number).bytes[row], static_cast<const std::byte*>(base) + row * stride, 64);
    }
}

inline void tile_stored(int number, void* base, std::ptrdiff_t stride) {
    for (int row = 0; row < 16; ++row) {
        std::memcpy(static_cast<std::byte*>(base) + row * stride, tile(number).bytes[row], 64);
    }
}

template <class T>
T tile_element(int number, int row, int i) {
    T value;
    std::memcpy(&value, tile(number).bytes[row] + static_cast<std::size_t>(i) * sizeof value, sizeof value);
    return value;
}

inline void tile_dpbusd(int sums, int values, int weights) {
    for (int m = 0; m < 16; ++m) {
        for (int n = 0; n < 16; ++n) {
            auto sum = tile_element<std::int32_t>(sums, m, n);
            for (int k = 0; k < 16; ++k) {
                for (int i = 0; i < 4; ++i) {
                    sum += tile_element<std::uint8_t>(values, m, 4 * k + i) *
                           tile_element<std::int8_t>(weights, k, 4 * n + i);
                }
            }
            std::memcpy(tile(sums).bytes[m] + 4 * n, &sum, sizeof sum);
        }
    }
}

inline void tile_dpbf16ps(int sums, int values, int weights) {
    for (int m = 0; m < 16; ++m) {
        for (int n = 0; n < 16; ++n) {
            auto sum = tile_element<float>(sums, m, n);
            for (int k = 0; k < 16; ++k) {
                for (int i = 0; i < 2; ++i) {
                    sum += static_cast<float>(tile_element<bert::bfloat16>(values, m, 2 * k + i)) *
                           static_cast<float>(tile_element<bert::bfloat16>(weights, k, 2 * n + i));
                }
            }
            std::memcpy(tile(sums).bytes[m] + 4 * n, &sum, sizeof sum);
        }
    }
}

}  // namespace emulated

#undef _mm512_maskz_loadu_ps
#undef _mm512_mask_storeu_ps
#undef _mm256_maskload_ps
#undef _mm256_maskstore_ps
#undef _mm512_cvtps_epi32
#undef _mm512_cvtepi32_ps
#undef _mm512_cvtusepi32_epi8
#undef _mm512_shuffle_f32x4
#undef _mm512_cvtne2ps_pbh
#undef _mm512_cvtneps_pbh
#undef _mm512_scalef_ps
#undef _mm512_permutexvar_epi16
#undef _mm512_madd_epi16
#undef _mm512_dpbusd_epi32
#undef _mm256_dpbusd_avx_epi32
#undef _mm512_dpbf16_ps
#undef __m512bh
#undef __m256bh
#define _mm512_maskz_loadu_ps(mask, p) emulated::maskz_loadu_ps(mask, p)
#define _mm512_mask_storeu_ps(p, mask, v) emulated::mask_storeu_ps(p, mask, v)
#define _mm256_maskload_ps(p, mask) emulated::maskload_ps(p, mask)
#define _mm256_maskstore_ps(p, mask, v) emulated::maskstore_ps(p, mask, v)
#define _mm512_cvtps_epi32(v) emulated::cvtps_epi32(v)
#define _mm512_cvtepi32_ps(v) emulated::cvtepi32_ps(v)
#define _mm512_cvtusepi32_epi8(v) emulated::cvtusepi32_epi8(v)
#define _mm512_cvtne2ps_pbh(upper, lower) emulated::cvtne2ps(upper, lower)
#define _mm512_cvtneps_pbh(v) emulated::cvtneps(v)
#define _mm512_scalef_ps(v, exponents) emulated::scalef(v, exponents)
#define _mm512_permutexvar_epi16(order, v) emulated::permute_words(order, v)
#define _mm512_shuffle_f32x4(a, b, control) emulated::shuffle_quarters<control>(a, b)
#define _mm512_madd_epi16(a, b) emulated::madd_epi16(a, b)
#define _mm512_dpbusd_epi32(sum, a, b) emulated::dpbusd_512(sum, a, b)
#define _mm256_dpbusd_avx_epi32(sum, a, b) emulated::dpbusd_256(sum, a, b)
#define _mm512_dpbf16_ps(sum, a, b) emulated::dpbf16(sum, a, b)
#define __m512bh emulated::bfloat16s
#define __m256bh emulated::bfloat16s_256

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbusd
#undef _tile_dpbf16ps
#define _tile_loadconfig(config) emulated::tile_loadconfig(config)
#define _tile_release() (emulated::configured = false)
#define _tile_loadd(tile, base, stride) emulated::tile_loadd(tile, base, stride)
#define _tile_stored(tile, base, stride) emulated::tile_stored(tile, base, stride)
#define _tile_zero(number) (emulated::tile(number) = {})
#define _tile_dpbusd(sums, values, weights) emulated::tile_dpbusd(sums, values, weights)
#define _tile_dpbf16ps(sums, values, weights) emulated::tile_dpbf16ps(sums, values, weights)

#include "../unit/kernels/attention_cases.hpp"

#include <bert/kernels/avx2_vnni.hpp>
#include <bert/kernels/avx512.hpp>
#include <bert/kernels/avx512_amx.hpp>
#include <bert/kernels/avx512_bf16.hpp>
#include <bert/kernels/avx512_vnni.hpp>

namespace {

INSTANTIATE_TEST_SUITE_P(Emulated, Kernels,
                         testing::Values(&bert::avx2_vnni::table, &bert::avx512::table, &bert::avx512_vnni::table,
                                         &bert::avx512_bf16::table, &bert::avx512_amx::table),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
