// Choosing a kernel table at run time. Depends on kernels, core and error.
#pragma once

#include <bert/core/ieee_arithmetic.hpp>
#include <bert/error.hpp>
#include <bert/kernels/table.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

std::vector<const KernelTable<float>*> available_float_kernels();
std::vector<const KernelTable<double>*> available_double_kernels();

}  // namespace detail

/// Makes 8-bit weights of floats (rows x features, contiguous, finite): scales times values are the nearest to them
/// with one scale for int8_block features of a row, and neighbours (2i, 2i + 1) whose magnitudes add up to 128 at most.
/// values: rows x features; scales: rows x int8_blocks(features).
void quantize_int8(const float* weights, std::ptrdiff_t rows, std::ptrdiff_t features, std::int8_t* values,
                   float* scales);

/// Whether the magnitudes of neighbours add up to 128 at most, as kernels need it.
bool fits_int8(const std::int8_t* values, std::ptrdiff_t rows, std::ptrdiff_t features);

/// Packs weights (out_features x in_features, contiguous), which are quantised first where W is of 8 bits.
template <class T, class W>
void pack_weights(const LinearKernel<T, W>& kernel, const T* weights, std::ptrdiff_t out_features,
                  std::ptrdiff_t in_features, W* packed) {
    if constexpr (std::is_same_v<W, std::int8_t>) {
        std::vector<std::int8_t> values(static_cast<std::size_t>(out_features * in_features));
        std::vector<float> scales(static_cast<std::size_t>(out_features * int8_blocks(in_features)));
        quantize_int8(weights, out_features, in_features, values.data(), scales.data());
        kernel.pack({values.data(), scales.data()}, out_features, in_features, packed);
    } else {
        kernel.pack(weights, out_features, in_features, packed);
    }
}

/// Whether the kernels were compiled without optimisation, which makes them tens of times slower. g++ optimises them
/// whatever the flags are, and bert::compiled is always optimised; clang and MSVC follow the flags of the program.
bool kernels_unoptimised() noexcept;

/// The tables that run on this machine, best first. Those for double are plain C++ only. Errors: unsupported (compiled
/// to reorder sums).
template <class T>
std::vector<const KernelTable<T>*> available_kernels() {
    detail::require_ieee_arithmetic();
    if constexpr (std::is_same_v<T, double>) {
        return detail::available_double_kernels();
    } else {
        return detail::available_float_kernels();
    }
}

/// The table to compute with: the one called `name`, else the one the environment variable BERT_KERNELS names, else the
/// best of this machine. A forced name concerns float only. Errors: unsupported (no such table here; compiled to
/// reorder sums).
template <class T>
const KernelTable<T>& choose_kernels(std::string_view name = {}) {
    const auto tables = available_kernels<T>();
    if constexpr (std::is_same_v<T, float>) {
        if (name.empty()) {
            if (const char* const forced = std::getenv("BERT_KERNELS")) name = forced;
        }
        if (name.empty()) return *tables.front();
        std::string known;
        for (const auto* table : tables) {
            if (name == table->name) return *table;
            known += (known.empty() ? "" : ", ") + std::string(table->name);
        }
        detail::fail(ErrorKind::unsupported, "kernels \"", name, "\" cannot run here; available: ", known);
    } else {
        return *tables.front();
    }
}

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/kernels/dispatch.ipp>
#endif
