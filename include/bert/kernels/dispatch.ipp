// Definitions of kernels/dispatch.hpp: the kernel tables themselves.
#pragma once

#include <bert/kernels/dispatch.hpp>

#include <bert/kernels/avx2.hpp>
#include <bert/kernels/avx2_vnni.hpp>
#include <bert/kernels/avx512.hpp>
#include <bert/kernels/avx512_amx.hpp>
#include <bert/kernels/avx512_bf16.hpp>
#include <bert/kernels/avx512_vnni.hpp>
#include <bert/kernels/cpu.hpp>
#include <bert/kernels/neon.hpp>
#include <bert/kernels/neon_bf16.hpp>
#include <bert/kernels/neon_dotprod.hpp>
#include <bert/kernels/neon_i8mm.hpp>
#include <bert/kernels/quantize.hpp>
#include <bert/kernels/scalar.hpp>
#include <bert/kernels/sse2.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

BERT_NAMESPACE_BEGIN

BERT_INLINE void quantize_int8(const float* weights, std::ptrdiff_t rows, std::ptrdiff_t features, std::int8_t* values,
                               float* scales) {
    quantize::rows(weights, rows, features, values, scales);
}

BERT_INLINE bool kernels_unoptimised() noexcept {
#if defined(__clang__) && !defined(__OPTIMIZE__)
    return true;
#elif defined(_MSC_VER) && !defined(__clang__) && defined(_DEBUG)
    return true;
#else
    return false;
#endif
}

BERT_INLINE bool fits_int8(const std::int8_t* values, std::ptrdiff_t rows, std::ptrdiff_t features) {
    return quantize::fits(values, rows, features);
}

namespace detail {

/// A product of two tables with weights of type W is the same but for `tolerance`. Sizes are no multiples of anything.
template <class W>
bool products_agree(const KernelTable<float>& a, const KernelTable<float>& b, float tolerance) {
    constexpr std::ptrdiff_t rows = 37, in = 301, out = 83;
    std::vector<float> weights(out * in);
    std::vector<float> x(rows * in);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i * 37 % 101) * 0.01f - 0.5f;
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 53 % 97) * 0.01f - 0.4f;
    const auto multiply = [&](const KernelTable<float>& table) {
        const LinearKernel<float, W>& kernel = linear_kernel<W>(table);
        std::vector<W> packed(kernel.packed_size(out, in));
        pack_weights(kernel, weights.data(), out, in, packed.data());
        const std::vector<float> bias(static_cast<std::size_t>(padded_size(kernel, out)));
        std::vector<float> y(rows * out);
        std::vector<std::byte> scratch(kernel.scratch_size(rows, in) + 64);
        LinearArguments<float, W> arguments{};
        arguments.x = x.data();
        arguments.x_stride = in;
        arguments.rows = rows;
        arguments.in_features = in;
        arguments.packed = packed.data();
        arguments.bias = bias.data();
        arguments.activation = Activation::identity;
        arguments.last = out;
        arguments.y = y.data();
        arguments.y_stride = out;
        arguments.scratch = scratch.data() + (64 - reinterpret_cast<std::uintptr_t>(scratch.data()) % 64) % 64;
        kernel.run(arguments);
        return y;
    };
    const std::vector<float> first = multiply(a);
    const std::vector<float> second = multiply(b);
    for (std::size_t i = 0; i < first.size(); ++i) {
        if (!(first[i] - second[i] <= tolerance && second[i] - first[i] <= tolerance)) return false;
    }
    return true;
}

/// Whether AMX computes what the table before it does. Virtual machines and emulators announce tiles that they do not
/// run as the processor would; AMX is left out there.
inline bool agree(const KernelTable<float>& amx, const KernelTable<float>& avx512) {
    return products_agree<std::int8_t>(amx, avx512, 0.0f) && products_agree<bfloat16>(amx, avx512, 1e-3f);
}

BERT_INLINE std::vector<const KernelTable<float>*> available_float_kernels() {
    std::vector<const KernelTable<float>*> tables;
    // Asking takes long in virtual machines. No static of a function that waits for its first caller: a process may
    // fork meanwhile, and the child would wait for a thread that it does not have.
    static std::atomic<const CpuFeatures*> known{nullptr};
    const CpuFeatures* detected = known.load(std::memory_order_acquire);
    if (!detected) {
        auto fresh = std::make_unique<const CpuFeatures>(detect_cpu());
        if (known.compare_exchange_strong(detected, fresh.get(), std::memory_order_acq_rel)) detected = fresh.release();
    }
    const CpuFeatures& cpu = *detected;
#if defined(BERT_X86)
#if defined(BERT_AMX)
    static std::atomic<int> amx{-1};
    int usable = amx.load(std::memory_order_relaxed);
    if (usable < 0) {
        usable = cpu.amx && agree(avx512_amx::table, avx512_bf16::table) ? 1 : 0;
        amx.store(usable, std::memory_order_relaxed);
    }
    if (usable != 0) tables.push_back(&avx512_amx::table);
#endif
    const bool pairs = cpu.avx512_vnni && cpu.avx512_bf16;
    if (pairs && !cpu.slow_bf16) tables.push_back(&avx512_bf16::table);
    if (cpu.avx512_vnni) tables.push_back(&avx512_vnni::table);
    if (pairs && cpu.slow_bf16) tables.push_back(&avx512_bf16::table);
    if (cpu.avx512) tables.push_back(&avx512::table);
    if (cpu.avx_vnni) tables.push_back(&avx2_vnni::table);
    if (cpu.avx2_fma) tables.push_back(&avx2::table);
    tables.push_back(&sse2::table);
#elif defined(BERT_ARM64)
#if BERT_ARM_TARGETS
    if (cpu.neon_bf16) tables.push_back(&neon_bf16::table);
    if (cpu.neon_i8mm) tables.push_back(&neon_i8mm::table);
    if (cpu.neon_dotprod) tables.push_back(&neon_dotprod::table);
#endif
    tables.push_back(&neon::table);
#else
    static_cast<void>(cpu);
#endif
    tables.push_back(&scalar::table<float>);
    return tables;
}

BERT_INLINE std::vector<const KernelTable<double>*> available_double_kernels() {
    return {&scalar::table<double>};
}

}  // namespace detail

BERT_NAMESPACE_END
