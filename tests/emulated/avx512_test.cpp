// The AVX-512 kernels on any machine: their intrinsics replaced by SIMDe's portable ones. What a machine with AVX-512
// runs is the same source; this shows that the source is right, not that the compiler is.
#include <bert/core/activation.hpp>
#include <bert/kernels/table.hpp>
#include <bert/kernels/target.hpp>

#include <immintrin.h>

#undef BERT_TARGET_BEGIN
#undef BERT_TARGET_END
#define BERT_TARGET_BEGIN(isa)
#define BERT_TARGET_END
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

// The masked accesses, which SIMDe 0.7 does not have.
inline __m512 emulated_maskz_loadu(unsigned mask, const float* p) {
    float values[16] = {};
    for (unsigned i = 0; i < 16; ++i) {
        if ((mask >> i) & 1u) values[i] = p[i];
    }
    return _mm512_loadu_ps(values);
}
inline void emulated_mask_storeu(float* p, unsigned mask, __m512 v) {
    float values[16];
    _mm512_storeu_ps(values, v);
    for (unsigned i = 0; i < 16; ++i) {
        if ((mask >> i) & 1u) p[i] = values[i];
    }
}
#define _mm512_maskz_loadu_ps(mask, p) emulated_maskz_loadu(mask, p)
#define _mm512_mask_storeu_ps(p, mask, v) emulated_mask_storeu(p, mask, v)

#include "../unit/kernels/kernel_cases.hpp"

#include <bert/kernels/avx512.hpp>

namespace {

INSTANTIATE_TEST_SUITE_P(Emulated, Kernels, testing::Values(&bert::avx512::table),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
