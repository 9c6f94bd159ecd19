// Choosing a kernel table at run time. Depends on kernels and error.
#pragma once

#include <bert/error.hpp>
#include <bert/kernels/avx2.hpp>
#include <bert/kernels/avx2_vnni.hpp>
#include <bert/kernels/avx512.hpp>
#include <bert/kernels/avx512_bf16.hpp>
#include <bert/kernels/avx512_vnni.hpp>
#include <bert/kernels/cpu.hpp>
#include <bert/kernels/neon.hpp>
#include <bert/kernels/scalar.hpp>
#include <bert/kernels/sse2.hpp>
#include <bert/kernels/table.hpp>

#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

BERT_NAMESPACE_BEGIN

/// The tables that run on this machine, best first. Those for double are plain C++ only.
template <class T>
std::vector<const KernelTable<T>*> available_kernels() {
    std::vector<const KernelTable<T>*> tables;
    if constexpr (std::is_same_v<T, float>) {
#if defined(BERT_X86)
        const CpuFeatures cpu = detect_cpu();
        if (cpu.avx512_vnni && cpu.avx512_bf16) tables.push_back(&avx512_bf16::table);
        if (cpu.avx512_vnni) tables.push_back(&avx512_vnni::table);
        if (cpu.avx512) tables.push_back(&avx512::table);
        if (cpu.avx_vnni) tables.push_back(&avx2_vnni::table);
        if (cpu.avx2_fma) tables.push_back(&avx2::table);
        tables.push_back(&sse2::table);
#elif defined(BERT_ARM64)
        tables.push_back(&neon::table);
#endif
    }
    tables.push_back(&scalar::table<T>);
    return tables;
}

/// The table to compute with: the one called `name`, else the one the environment variable BERT_KERNELS names, else the
/// best of this machine. A forced name concerns float only. Errors: unsupported (no such table here).
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
