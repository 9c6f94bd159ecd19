// Whether numbers are finite. Depends on config.hpp only.
#pragma once

#include <bert/config.hpp>

#include <cstddef>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Whether none of the `count` values is infinite or NaN.
template <class T>
bool all_finite(const T* values, std::size_t count) noexcept {
    // x - x is 0 for finite numbers and NaN for others. Several sums at once keep the processor busy.
    constexpr std::size_t lanes = 8;
    T sums[lanes] = {};
    std::size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        for (std::size_t j = 0; j < lanes; ++j) sums[j] += values[i + j] - values[i + j];
    }
    for (; i < count; ++i) sums[0] += values[i] - values[i];
    for (std::size_t j = 1; j < lanes; ++j) sums[0] += sums[j];
    return sums[0] == T(0);
}

}  // namespace detail

BERT_NAMESPACE_END
