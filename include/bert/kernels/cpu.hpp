// What the processor and the operating system let this process use. Depends on kernels/target.
#pragma once

#include <bert/kernels/target.hpp>

#include <cstdint>

#if defined(BERT_X86)
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(BERT_ARM64) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(BERT_ARM64) && defined(__APPLE__)
#include <sys/sysctl.h>

#include <cstddef>
#endif

BERT_NAMESPACE_BEGIN

/// Instruction sets that change what is computed with. Each is true only where the processor has it and the operating
/// system saves its registers.
struct CpuFeatures {
    bool avx2_fma = false;      ///< AVX2 and FMA
    bool avx_vnni = false;      ///< products of 8-bit integers in 256 bits
    bool avx512 = false;        ///< F, BW, DQ and VL
    bool avx512_vnni = false;   ///< products of 8-bit integers in 512 bits
    bool avx512_bf16 = false;   ///< products of bfloat16
    bool slow_bf16 = false;     ///< which take longer than those of floats, as on Intel's processors
    bool amx = false;           ///< tiles of 8-bit integers and bfloat16, beside all of AVX-512 above
    bool neon_dotprod = false;  ///< products of 8-bit integers, four at a time
    bool neon_i8mm = false;     ///< products of matrices of 8-bit integers
    bool neon_bf16 = false;     ///< products of matrices of bfloat16
};

#if defined(BERT_X86)

namespace detail {

struct CpuidResult {
    std::uint32_t eax, ebx, ecx, edx;
};

inline CpuidResult cpuid(std::uint32_t leaf, std::uint32_t subleaf) noexcept {
    CpuidResult r{};
#if defined(_MSC_VER)
    int words[4];
    __cpuidex(words, static_cast<int>(leaf), static_cast<int>(subleaf));
    r = {static_cast<std::uint32_t>(words[0]), static_cast<std::uint32_t>(words[1]),
         static_cast<std::uint32_t>(words[2]), static_cast<std::uint32_t>(words[3])};
#else
    __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
#endif
    return r;
}

/// XCR0: which register states the operating system saves. Only after CPUID has shown OSXSAVE.
inline std::uint64_t saved_states() noexcept {
#if defined(_MSC_VER)
    return _xgetbv(0);
#else
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (static_cast<std::uint64_t>(high) << 32) | low;
#endif
}

/// Whether the operating system lets this process use AMX, which on Linux has to be asked for
/// (https://docs.kernel.org/arch/x86/xstate.html).
inline bool may_use_tiles() noexcept {
#if defined(__linux__)
    constexpr long request_permission = 0x1023;  // ARCH_REQ_XCOMP_PERM
    constexpr long tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
    return false;
#endif
}

}  // namespace detail

/// Asks the processor.
inline CpuFeatures detect_cpu() noexcept {
    CpuFeatures features;
    const auto zero = detail::cpuid(0, 0);
    if (zero.eax < 7) return features;
    const auto one = detail::cpuid(1, 0);
    const auto seven = detail::cpuid(7, 0);
    const auto bit = [](std::uint32_t word, int index) { return ((word >> index) & 1u) != 0; };
    if (!bit(one.ecx, 27)) return features;  // OSXSAVE
    const std::uint64_t states = detail::saved_states();
    const bool saves_ymm = (states & 0x6) == 0x6;
    const bool saves_zmm = (states & 0xE6) == 0xE6;
    features.avx2_fma = saves_ymm && bit(one.ecx, 28) && bit(one.ecx, 12) && bit(seven.ebx, 5);
    features.avx512 = features.avx2_fma && saves_zmm && bit(seven.ebx, 16) && bit(seven.ebx, 17) &&
                      bit(seven.ebx, 30) && bit(seven.ebx, 31);
    features.avx512_vnni = features.avx512 && bit(seven.ecx, 11);
    if (seven.eax >= 1) {
        const auto seven_one = detail::cpuid(7, 1);
        features.avx_vnni = features.avx2_fma && bit(seven_one.eax, 4);
        features.avx512_bf16 = features.avx512 && bit(seven_one.eax, 5);
        constexpr std::uint32_t genu = 0x756E6547;  // the first letters of the vendor's name, "GenuineIntel"
        features.slow_bf16 = features.avx512_bf16 && zero.ebx == genu;
    }
    const bool saves_tiles = (states & 0x60000) == 0x60000;
    features.amx = features.avx512_vnni && features.avx512_bf16 && saves_tiles && bit(seven.edx, 22) &&
                   bit(seven.edx, 24) && bit(seven.edx, 25) && detail::may_use_tiles();
    return features;
}

#elif defined(BERT_ARM64) && defined(__linux__)

/// Asks the operating system: the bits of AT_HWCAP and AT_HWCAP2 are part of the kernel's interface.
inline CpuFeatures detect_cpu() noexcept {
    CpuFeatures features;
    features.neon_dotprod = (getauxval(AT_HWCAP) & (1ul << 20)) != 0;
    features.neon_i8mm = features.neon_dotprod && (getauxval(AT_HWCAP2) & (1ul << 13)) != 0;
    features.neon_bf16 = features.neon_i8mm && (getauxval(AT_HWCAP2) & (1ul << 14)) != 0;
    return features;
}

#elif defined(BERT_ARM64) && defined(__APPLE__)

/// Asks the operating system.
inline CpuFeatures detect_cpu() noexcept {
    const auto has = [](const char* name) {
        int value = 0;
        std::size_t size = sizeof value;
        return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
    };
    CpuFeatures features;
    features.neon_dotprod = has("hw.optional.arm.FEAT_DotProd");
    features.neon_i8mm = features.neon_dotprod && has("hw.optional.arm.FEAT_I8MM");
    features.neon_bf16 = features.neon_i8mm && has("hw.optional.arm.FEAT_BF16");
    return features;
}

#else

/// Knows of no instruction set: there is nothing to ask.
inline CpuFeatures detect_cpu() noexcept {
    return {};
}

#endif

BERT_NAMESPACE_END
