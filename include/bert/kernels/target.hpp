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

// How the compiler calls a feature of ARM64, and whether it can compile for one that the flags do not name.
#if defined(BERT_ARM64) && defined(__clang__)
#define BERT_ARM_FEATURE_NAME(name) name
#define BERT_ARM_FEATURES (__clang_major__ >= 16)
#elif defined(BERT_ARM64) && defined(__GNUC__)
#define BERT_ARM_FEATURE_NAME(name) "+" name
#define BERT_ARM_FEATURES (__GNUC__ >= 10)
#endif

BERT_NAMESPACE_BEGIN

namespace detail {

/// Memory to bring near in the course of a loop, some bytes at every step: fetched all at once, it would have to come
/// faster than memory is, and the loops after it would leave memory idle.
struct Ahead {
    const std::byte* next;
    std::ptrdiff_t step;  // bytes

    BERT_ALWAYS_INLINE void fetch() {
        BERT_PREFETCH(next);
        next += step;
    }
};

/// Nothing to bring near.
struct NothingAhead {
    BERT_ALWAYS_INLINE void fetch() {}
};

}  // namespace detail

BERT_NAMESPACE_END
