// What compilers keep from the preprocessor about their arithmetic. Depends on error only.
#pragma once

#include <bert/error.hpp>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Fails where the compiler reorders sums: clang defines no macro for -fassociative-math and the options that stand for
/// it, so that config.hpp cannot refuse them. Errors: unsupported.
inline void require_ieee_arithmetic() {
    constexpr float magic = 12582912.0f;  // 1.5 2^23: added to a small number, it leaves a whole one
    volatile const float fraction = 0.25f;
    const float x = fraction;
    const float rounded = x + magic;
    if (x - (rounded - magic) != fraction) {
        fail(ErrorKind::unsupported,
             "bert.hpp needs IEEE arithmetic: compile without -fassociative-math, -ffast-math and "
             "other options that let the compiler reorder sums");
    }
}

}  // namespace detail

BERT_NAMESPACE_END
