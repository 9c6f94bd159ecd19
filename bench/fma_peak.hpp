// What one core can do at best: multiply-adds in registers, timed for each instruction set. The roofline of the dense
// products. Depends on kernels.
#pragma once

#include <bert/kernels/dispatch.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string_view>

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
inline constexpr int chains = 24;
#include "fma_peak.inl"
}  // namespace avx512
BERT_TARGET_END

BERT_TARGET_BEGIN("avx2,fma")
namespace avx2 {
using vec = bert::avx2::vec;
inline constexpr int chains = 12;
#include "fma_peak.inl"
}  // namespace avx2
BERT_TARGET_END

BERT_TARGET_BEGIN("sse2")
namespace sse2 {
using vec = bert::sse2::vec;
inline constexpr int chains = 12;
#include "fma_peak.inl"
}  // namespace sse2
BERT_TARGET_END

#elif defined(BERT_ARM64)

namespace neon {
using vec = bert::neon::vec;
inline constexpr int chains = 24;
#include "fma_peak.inl"
}  // namespace neon

#endif

/// The peak loop for a table of kernels by its name; null where there is none.
inline const Peak* find_peak(std::string_view kernels) {
#if defined(BERT_X86)
    if (kernels == "avx512") return &avx512::peak;
    if (kernels == "avx2") return &avx2::peak;
    if (kernels == "sse2") return &sse2::peak;
#elif defined(BERT_ARM64)
    if (kernels == "neon") return &neon::peak;
#endif
    (void)kernels;
    return nullptr;
}

/// Floating point operations per second of this core: the best of several short runs, since others may use the machine.
inline double measure_peak(const Peak& peak) {
    constexpr std::ptrdiff_t steps = 1 << 18;
    constexpr std::size_t room = 512;  // floats: more than any set's chains or factors
    float factors[room];
    float out[room];
    std::fill_n(factors, room, 0.5f);
    double best = 0;
    for (int run = 0; run < 40; ++run) {
        const auto start = std::chrono::steady_clock::now();
        peak.run(factors, steps, out);
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
        best = std::max(best, static_cast<double>(steps) * peak.flops_per_step / time.count());
    }
    return best;
}

}  // namespace bench
