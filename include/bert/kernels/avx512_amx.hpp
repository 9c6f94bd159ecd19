// What AMX adds to the AVX-512 BF16 kernels: products of tiles, 16 rows by 16 outputs and 64 bytes of features at a
// time. Depends on kernels/avx512_bf16.
#pragma once

#include <bert/kernels/avx512_bf16.hpp>

#if defined(BERT_X86) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define BERT_AMX 1

BERT_AVX512_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,amx-tile,amx-int8,amx-bf16,avx2,fma")
BERT_NAMESPACE_BEGIN

namespace avx512_amx {

using namespace avx512;  // what is read again below hides its namesakes there

inline constexpr int tile_rows = 16;
inline constexpr std::ptrdiff_t tile_bytes = 64;  // of a row

/// Makes sure that what `p` points to is in memory: to g++, the instructions of AMX read none.
BERT_ALWAYS_INLINE void write_back(const void* p) {
#if defined(__GNUC__)
    __asm__ volatile("" : : "r"(p) : "memory");
#else
    static_cast<void>(p);
#endif
}

/// Tiles of this thread as the products want them: all of 16 rows of 64 bytes.
class Session {
public:
    Session() {
        // Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, section 18.3: palette 1.
        struct {
            std::uint8_t palette = 1;
            std::uint8_t unused[15] = {};
            std::uint16_t row_bytes[16] = {};
            std::uint8_t rows[16] = {};
        } config;
        for (int tile = 0; tile < 8; ++tile) {
            config.row_bytes[tile] = tile_bytes;
            config.rows[tile] = tile_rows;
        }
        write_back(&config);
        _tile_loadconfig(&config);
    }
    ~Session() { _tile_release(); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
};

/// The tiles 0 to 2 are sums, 3 rows, 4 to 6 weights, which lie as AVX-512 reads them: those of the vectors of a panel
/// side by side for every four bytes of features.
inline constexpr std::ptrdiff_t weight_stride = 4 * panel_width;
static_assert(panel_vecs == 3, "tiles are numbered by hand");

/// What a tile takes from memory at a step of 64 bytes of features.
BERT_ALWAYS_INLINE void load_tiles(const std::byte* values, std::ptrdiff_t stride, const std::byte* weights) {
    _tile_loadd(3, values, stride);
    _tile_loadd(4, weights, weight_stride);
    _tile_loadd(5, weights + tile_bytes, weight_stride);
    _tile_loadd(6, weights + 2 * tile_bytes, weight_stride);
}

BERT_ALWAYS_INLINE void clear_sums() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
}

/// sums: tile_rows x panel_width values of 32 bits.
BERT_ALWAYS_INLINE void store_sums(void* sums) {
    auto* const to = static_cast<std::byte*>(sums);
    _tile_stored(0, to, weight_stride);
    _tile_stored(1, to + tile_bytes, weight_stride);
    _tile_stored(2, to + 2 * tile_bytes, weight_stride);
}

/// See avx2::dot. A tile computes 16 rows whatever `Rows` is; fewer than 5 are left to the usual instructions.
struct dot : avx512_vnni::dot {
    using Session = avx512_amx::Session;
    static constexpr std::ptrdiff_t step = tile_bytes;
    static constexpr std::ptrdiff_t extra_rows = tile_rows - 1;
    static constexpr int tile_from = 5;

    template <int Rows, int Vecs>
    static BERT_ALWAYS_INLINE void sum_products(const Value* values, std::ptrdiff_t stride, const std::int8_t* weights,
                                                std::ptrdiff_t steps, Sum (&sums)[Rows][Vecs], detail::Ahead ahead) {
        const auto* values_at = reinterpret_cast<const std::byte*>(values);
        const auto* weights_at = reinterpret_cast<const std::byte*>(weights);
        write_back(values);
        clear_sums();
        for (std::ptrdiff_t k = 0; k < steps; k += tile_bytes / group) {
            for (std::ptrdiff_t i = 0; i < tile_bytes / group; ++i) ahead.template fetch<Rows>();
            load_tiles(values_at, stride, weights_at);
            _tile_dpbusd(0, 3, 4);
            _tile_dpbusd(1, 3, 5);
            _tile_dpbusd(2, 3, 6);
            values_at += tile_bytes;
            weights_at += tile_rows * weight_stride;
        }
        alignas(64) std::int32_t results[tile_rows * panel_width];
        store_sums(results);
        for (int r = 0; r < Rows; ++r) {
            for (int v = 0; v < Vecs; ++v) sums[r][v] = _mm512_load_si512(results + r * panel_width + v * vec::size);
        }
    }
};

/// See avx512_bf16::pair.
struct pair : avx512_bf16::pair {
    using Session = avx512_amx::Session;
    static constexpr int row_tile = tile_rows;
    static constexpr std::ptrdiff_t step = tile_bytes / 2;
    static constexpr std::ptrdiff_t extra_rows = tile_rows - 1;
    static constexpr int tile_from = 1;  // all: other instructions would add up in another order

    template <int Rows, int Vecs, class Ahead>
    static BERT_ALWAYS_INLINE void tile(const void* x, std::ptrdiff_t x_stride, std::ptrdiff_t lanes, const void* panel,
                                        const float* before, float* sums, std::ptrdiff_t stride, Ahead ahead) {
        const auto* values_at = static_cast<const std::byte*>(x);
        const auto* weights_at = static_cast<const std::byte*>(panel);
        write_back(x);
        clear_sums();
        for (std::ptrdiff_t k = 0; k < lanes; k += tile_rows) {
            for (int i = 0; i < tile_rows; ++i) ahead.template fetch<Rows>();
            load_tiles(values_at, 4 * x_stride, weights_at);
            _tile_dpbf16ps(0, 3, 4);
            _tile_dpbf16ps(1, 3, 5);
            _tile_dpbf16ps(2, 3, 6);
            values_at += tile_bytes;
            weights_at += tile_rows * weight_stride;
        }
        alignas(64) float results[tile_rows * panel_width];
        store_sums(results);
        for (int r = 0; r < Rows; ++r) {
            for (int v = 0; v < Vecs; ++v) {
                const vec sum = vec::load(results + r * panel_width + v * vec::size);
                const std::ptrdiff_t at = r * stride + v * vec::size;
                vec::store(sums + at, before ? vec::add(vec::load(before + at), sum) : sum);
            }
        }
    }
};

using Bfloat16Layout = avx512::Bfloat16Product;
inline constexpr int int8_row_tile = tile_rows;

// clang-format off
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/int8.inl>
#include <bert/kernels/generic/bfloat16_pairs.inl>
// clang-format on

inline constexpr KernelTable<float> table{"avx512_amx",
                                          avx512::table.linear,
                                          kernel<Bfloat16PairProduct<pair>>,
                                          kernel<Int8Product<dot>>,
                                          avx512_bf16::table.attention,
                                          avx512_bf16::table.narrow_attention,
                                          avx512_bf16::table.layer_norm};

}  // namespace avx512_amx

BERT_NAMESPACE_END
BERT_AVX512_END

#endif
