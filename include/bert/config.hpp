// Platform checks and the ABI namespace every public name lives in. Depends on nothing but the version.
#pragma once

#include <bert/version.hpp>

#if !(defined(_MSVC_LANG) ? _MSVC_LANG >= 201703L : __cplusplus >= 201703L)
#error "bert.hpp needs C++17: compile with -std=c++17 (or /std:c++17)"
#endif
#if !defined(__cpp_exceptions) && !defined(_CPPUNWIND)
#error "bert.hpp reports errors by exceptions: compile without -fno-exceptions"
#endif
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "bert.hpp maps little-endian weight files in place and supports little-endian machines only"
#endif
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0) || \
    defined(__ASSOCIATIVE_MATH__) || defined(_M_FP_FAST)
#error "bert.hpp needs IEEE arithmetic: compile without -ffast-math, -Ofast, the options these stand for, and /fp:fast"
#endif
#if (defined(__SIZEOF_POINTER__) && __SIZEOF_POINTER__ < 8) || (defined(_WIN32) && !defined(_WIN64))
#error "bert.hpp maps whole weight files and supports 64-bit machines only"
#endif

// Eigen's alignment, and with it the layout of some types, follows the -m flags of a translation unit. The flags that
// matter are therefore part of every mangled name: two files compiled differently do not link, instead of corrupting
// memory.
#if defined(__AVX512F__)
#define BERT_DETAIL_BASELINE avx512
#elif defined(__AVX__)
#define BERT_DETAIL_BASELINE avx
#else
#define BERT_DETAIL_BASELINE base
#endif

#define BERT_DETAIL_JOIN_(a, b, c, d) v##a##_##b##_##c##_##d
#define BERT_DETAIL_JOIN(a, b, c, d) BERT_DETAIL_JOIN_(a, b, c, d)
#define BERT_DETAIL_ABI \
    BERT_DETAIL_JOIN(BERT_VERSION_MAJOR, BERT_VERSION_MINOR, BERT_VERSION_PATCH, BERT_DETAIL_BASELINE)

// Where definitions are: beside their declarations (x.hpp includes x.ipp), or, with BERT_COMPILED, in the library
// bert::compiled or in the one source file of the program that defines BERT_IMPLEMENTATION, and then not inline.
#if defined(BERT_IMPLEMENTATION)
#undef BERT_COMPILED
#define BERT_INLINE
#elif defined(BERT_COMPILED)
#define BERT_INLINE
#else
#define BERT_INLINE inline
#endif

#define BERT_NAMESPACE_BEGIN \
    namespace bert {         \
    inline namespace BERT_DETAIL_ABI {
#define BERT_NAMESPACE_END \
    }                      \
    }
