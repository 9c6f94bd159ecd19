// Compiling a stretch of a header for an instruction set that the user's flags may not name. Depends on config.hpp.
//
//     BERT_TARGET_BEGIN("avx2,fma")
//     namespace avx2 { ... functions that use the intrinsics ... }
//     BERT_TARGET_END
//
// Inside a region nothing may be included for the first time, for it would be compiled for the wrong machine, and
// templates of the standard library may not be instantiated: their one copy in the program could be taken from here.
#pragma once

#include <bert/config.hpp>

#include <cstddef>

#if defined(__x86_64__) || defined(_M_X64)
#define BERT_X86 1
#elif defined(__aarch64__) || defined(_M_ARM64)
#define BERT_ARM64 1
#endif

#define BERT_DETAIL_PRAGMA(text) _Pragma(#text)

#if defined(__GNUC__)
#define BERT_PREFETCH(address) __builtin_prefetch(address)
#else
#define BERT_PREFETCH(address) static_cast<void>(address)
#endif

// Before a loop of few and constant turns whose arrays should be registers.
#if defined(__clang__)
#define BERT_UNROLL BERT_DETAIL_PRAGMA(clang loop unroll(full))
#elif defined(__GNUC__)
#define BERT_UNROLL BERT_DETAIL_PRAGMA(GCC unroll 16)
#else
#define BERT_UNROLL
#endif

#if defined(__clang__)
#define BERT_TARGET_BEGIN(isa) \
    BERT_DETAIL_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define BERT_TARGET_END BERT_DETAIL_PRAGMA(clang attribute pop)
#define BERT_ALWAYS_INLINE __attribute__((always_inline)) inline
#elif defined(__GNUC__)
#define BERT_GCC_ASM 1
// A user who forgets -O3 gets full speed all the same: the region carries its own optimisation level.
#define BERT_TARGET_BEGIN(isa)           \
    BERT_DETAIL_PRAGMA(GCC push_options) \
    BERT_DETAIL_PRAGMA(GCC optimize("O3")) BERT_DETAIL_PRAGMA(GCC target(isa))
#define BERT_TARGET_END BERT_DETAIL_PRAGMA(GCC pop_options)
#define BERT_ALWAYS_INLINE __attribute__((always_inline)) inline
#else
#define BERT_TARGET_BEGIN(isa)
#define BERT_TARGET_END
#define BERT_ALWAYS_INLINE __forceinline
#endif

// A target of ARM64 as each compiler calls it, and whether there are intrinsics for one that the flags do not name.
#if defined(__clang__)
#define BERT_ARM_TARGET(gcc, clang) clang
#define BERT_ARM_TARGETS (__clang_major__ >= 16)
#else
#define BERT_ARM_TARGET(gcc, clang) gcc
#define BERT_ARM_TARGETS (__GNUC__ >= 10)
#endif

// g++ inlines nothing into a region that was compiled for more than the region is, as -march may ask for: regions of
// ARM begin with the least there is.
#if defined(BERT_ARM64)
BERT_TARGET_BEGIN(BERT_ARM_TARGET("+nothing+simd", "neon"))
#endif
BERT_NAMESPACE_BEGIN

namespace detail {

/// Memory to bring near in the course of a loop, some bytes at every step: fetched all at once, it would have to come
/// faster than memory is, and the loops after it would leave memory idle.
struct Ahead {
    const std::byte* next;
    std::ptrdiff_t step;  // bytes

    /// With a step that multiplies `rows` rows. Few tiles of rows take up to three cache lines at each; a row or two
    /// take less time than that many instructions, and leave more to the processor's own foresight.
    template <int Rows>
    BERT_ALWAYS_INLINE void fetch() {
        BERT_PREFETCH(next);
        if constexpr (Rows > 2) {
            BERT_PREFETCH(next + 64);
            BERT_PREFETCH(next + 128);
        }
        next += step;
    }
};

/// Nothing to bring near.
struct NothingAhead {
    template <int Rows>
    BERT_ALWAYS_INLINE void fetch() {}
};

/// Products for which the processor needs no preparation.
struct NoSession {};

}  // namespace detail

BERT_NAMESPACE_END
#if defined(BERT_ARM64)
BERT_TARGET_END
#endif
