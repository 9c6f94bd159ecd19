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

/// Weights lie as AVX-512 reads them: those of the vectors of a panel side by side for every four bytes of features.
inline constexpr std::ptrdiff_t weight_stride = 4 * panel_width;
static_assert(panel_vecs == 3, "tiles are numbered by hand");

// Products of tile 6, values, and tile 7, weights, added to a tile of sums: 0 to 2 are the first 16 rows of a panel, 3
// to 5 the next ones. Numbers of tiles are parts of instructions.
struct Int8Tiles {
    template <int Sums>
    static BERT_ALWAYS_INLINE void add() {
        if constexpr (Sums == 0) _tile_dpbusd(0, 6, 7);
        if constexpr (Sums == 1) _tile_dpbusd(1, 6, 7);
        if constexpr (Sums == 2) _tile_dpbusd(2, 6, 7);
        if constexpr (Sums == 3) _tile_dpbusd(3, 6, 7);
        if constexpr (Sums == 4) _tile_dpbusd(4, 6, 7);
        if constexpr (Sums == 5) _tile_dpbusd(5, 6, 7);
    }
};
struct Bfloat16Tiles {
    template <int Sums>
    static BERT_ALWAYS_INLINE void add() {
        if constexpr (Sums == 0) _tile_dpbf16ps(0, 6, 7);
        if constexpr (Sums == 1) _tile_dpbf16ps(1, 6, 7);
        if constexpr (Sums == 2) _tile_dpbf16ps(2, 6, 7);
        if constexpr (Sums == 3) _tile_dpbf16ps(3, 6, 7);
        if constexpr (Sums == 4) _tile_dpbf16ps(4, 6, 7);
        if constexpr (Sums == 5) _tile_dpbf16ps(5, 6, 7);
    }
};

/// sums = values * panel for 16 rows, or 32 where `Two`, whatever the number of rows that matter: `steps` times 64
/// bytes of features. `stride`: bytes from row to row of values.
template <class Tiles, bool Two>
BERT_ALWAYS_INLINE void multiply_tiles(const std::byte* values, std::ptrdiff_t stride, const std::byte* weights,
                                       std::ptrdiff_t steps, void* sums) {
    write_back(values);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    if constexpr (Two) {
        _tile_zero(3);
        _tile_zero(4);
        _tile_zero(5);
    }
    for (std::ptrdiff_t step = 0; step < steps; ++step) {
        const std::byte* const next_values = values + tile_rows * stride;
        _tile_loadd(7, weights, weight_stride);
        _tile_loadd(6, values, stride);
        Tiles::template add<0>();
        if constexpr (Two) {
            _tile_loadd(6, next_values, stride);
            Tiles::template add<3>();
        }
        _tile_loadd(7, weights + tile_bytes, weight_stride);
        if constexpr (Two) {
            Tiles::template add<4>();
            _tile_loadd(6, values, stride);
        }
        Tiles::template add<1>();
        _tile_loadd(7, weights + 2 * tile_bytes, weight_stride);
        Tiles::template add<2>();
        if constexpr (Two) {
            _tile_loadd(6, next_values, stride);
            Tiles::template add<5>();
        }
        values += tile_bytes;
        weights += tile_rows * weight_stride;
    }
    auto* to = static_cast<std::byte*>(sums);
    _tile_stored(0, to, weight_stride);
    _tile_stored(1, to + tile_bytes, weight_stride);
    _tile_stored(2, to + 2 * tile_bytes, weight_stride);
    if constexpr (Two) {
        to += tile_rows * weight_stride;
        _tile_stored(3, to, weight_stride);
        _tile_stored(4, to + tile_bytes, weight_stride);
        _tile_stored(5, to + 2 * tile_bytes, weight_stride);
    }
}

/// The same for `height` rows.
template <class Tiles>
BERT_ALWAYS_INLINE void multiply_rows(std::ptrdiff_t height, const void* values, std::ptrdiff_t stride,
                                      const void* weights, std::ptrdiff_t steps, void* sums) {
    const auto* const v = static_cast<const std::byte*>(values);
    const auto* const w = static_cast<const std::byte*>(weights);
    if (height > tile_rows) {
        multiply_tiles<Tiles, true>(v, stride, w, steps, sums);
    } else {
        multiply_tiles<Tiles, false>(v, stride, w, steps, sums);
    }
}

/// See avx512_vnni::dot.
struct dot : avx512_vnni::dot {
    static constexpr std::ptrdiff_t step = tile_bytes;
    static constexpr std::ptrdiff_t extra_rows = tile_rows - 1;
};
inline constexpr int int8_row_tile = 4;

/// See avx512_bf16::pair.
struct pair : avx512_bf16::pair {
    static constexpr std::ptrdiff_t step = tile_bytes / 2;
    static constexpr std::ptrdiff_t extra_rows = tile_rows - 1;
};
using Bfloat16Layout = avx512::Bfloat16Product;

// clang-format off
#include <bert/kernels/generic/attention.inl>
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/int8.inl>
#include <bert/kernels/generic/bfloat16_pairs.inl>
// clang-format on

/// Rows of two tiles, computed together.
inline constexpr std::ptrdiff_t tile_height = 2 * tile_rows;

/// Rows that a panel is multiplied by before the next panel's turn.
inline constexpr std::ptrdiff_t panel_rows = 128;

/// What one row of tiles adds to outputs: sums of a block of features.
template <class Product>
struct TileSums {
    typename Product::Block block;
    std::ptrdiff_t row;
    std::ptrdiff_t height;
    std::ptrdiff_t column;
    bool last;  // block of the features
};

/// A dense layer, see linear(). Other than there, a panel serves many rows, for it is multiplied in no time. Sums
/// become outputs while the next ones are computed, which is other units' work.
template <class Product>
void tile_linear(const LinearArguments<float, typename Product::Weight>& a) {
    const Session session;
    const typename Product::Rows x = Product::prepare(a);
    alignas(64) typename Product::Sum sums[2][tile_height * panel_width];
    alignas(64) float totals[tile_height * panel_width];
    int turn = 0;
    TileSums<Product> before{};
    const auto complete = [&](const TileSums<Product>& t, typename Product::Sum* of) {
        float* const values = Product::add_sums(x, t, of, totals);
        if (!t.last) return;
        finish<Product>(values, t.height,
                        {a.bias + t.column, a.activation,
                         a.residual ? a.residual + t.row * a.residual_stride + t.column : nullptr, a.residual_stride,
                         smaller(panel_width, a.last - t.column), a.y + t.row * a.y_stride + t.column, a.y_stride});
    };
    const std::ptrdiff_t depth_block = Product::tile_depth(a.in_features);
    for (std::ptrdiff_t first = 0; first < a.rows; first += panel_rows) {
        const std::ptrdiff_t end = smaller(first + panel_rows, a.rows);
        for (std::ptrdiff_t column = a.first; column < a.last; column += panel_width) {
            const typename Product::Weight* const panel =
                a.packed + column / panel_width * Product::panel_size(a.in_features);
            for (std::ptrdiff_t row = first; row < end; row += tile_height) {
                const typename Product::Weight* weights = panel;
                for (std::ptrdiff_t k = 0; k < a.in_features; k += depth_block) {
                    typename Product::Unpacked unpacked;
                    const std::ptrdiff_t size = smaller(depth_block, a.in_features - k);
                    const TileSums<Product> next{Product::unpack(weights, k, size, unpacked), row,
                                                 smaller(tile_height, end - row), column, k + size == a.in_features};
                    multiply_rows<typename Product::Tiles>(next.height, x.values + row * x.stride + k,
                                                           x.stride * static_cast<std::ptrdiff_t>(sizeof *x.values),
                                                           next.block.weights, Product::tile_steps(size), sums[turn]);
                    turn = 1 - turn;
                    if (before.height > 0) complete(before, sums[turn]);
                    before = next;
                }
            }
        }
    }
    complete(before, sums[1 - turn]);
}

struct Bfloat16TileProduct : Bfloat16PairProduct<pair> {
    using Sum = float;
    using Tiles = Bfloat16Tiles;
    static std::ptrdiff_t tile_depth(std::ptrdiff_t in_features) { return in_features; }
    static std::ptrdiff_t tile_steps(std::ptrdiff_t size) { return round_up(size, pair::step) / pair::step; }
    static float* add_sums(const Rows&, const TileSums<Bfloat16TileProduct>&, float* sums, float*) { return sums; }
};

struct Int8TileProduct : Int8Product<dot> {
    using Sum = std::int32_t;
    using Tiles = Int8Tiles;
    static std::ptrdiff_t tile_depth(std::ptrdiff_t) { return int8_block; }
    static std::ptrdiff_t tile_steps(std::ptrdiff_t size) { return round_up(size, dot::step) / dot::step; }
    static BERT_ALWAYS_INLINE float* add_sums(const Rows& x, const TileSums<Int8TileProduct>& t,
                                              const std::int32_t* sums, float* totals) {
        for (std::ptrdiff_t r = 0; r < t.height; ++r) {
            dot::Sum vectors[1][panel_vecs];
            for (int v = 0; v < panel_vecs; ++v) {
                vectors[0][v] = _mm512_load_si512(sums + r * panel_width + v * vec::size);
            }
            if (t.block.first > 0) {
                add_block<1, true>(x, t.row + r, t.block, vectors, totals + r * panel_width);
            } else {
                add_block<1, false>(x, t.row + r, t.block, vectors, totals + r * panel_width);
            }
        }
        return totals;
    }

    static void run(const LinearArguments<float, std::int8_t>& a) {
        // Tiles take as long for a row as for sixteen.
        if (a.rows <= int8_row_tile) {
            linear<Int8Product<dot>>(a);
        } else {
            tile_linear<Int8TileProduct>(a);
        }
    }
};

template <class Product, void (*Run)(const LinearArguments<float, typename Product::Weight>&)>
inline constexpr LinearKernel<float, typename Product::Weight> tile_kernel{
    panel_width, {tile_rows, panel_rows}, packed_size<Product>, pack<Product>, Product::scratch_size, Run};

/// See FloatHead.
struct TileHead : Bfloat16Head<pair> {
    using Session = avx512_amx::Session;
    static constexpr std::ptrdiff_t lane_step = tile_bytes / 4;
    static constexpr int query_tile = tile_rows;

    /// Writes tile_rows rows of sums, whatever `Rows` is.
    template <int Rows>
    static BERT_ALWAYS_INLINE void multiply(const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t lanes,
                                            const float* panel, float* sums, std::ptrdiff_t stride) {
        constexpr std::ptrdiff_t panel_stride = head_vecs * tile_bytes;
        write_back(x);
        _tile_zero(0);
        _tile_zero(1);
        for (std::ptrdiff_t lane = 0; lane < lanes; lane += lane_step) {
            _tile_loadd(6, x + lane, 4 * x_stride);
            _tile_loadd(7, panel + lane * head_panel, panel_stride);
            _tile_dpbf16ps(0, 6, 7);
            _tile_loadd(7, panel + lane * head_panel + vec::size, panel_stride);
            _tile_dpbf16ps(1, 6, 7);
        }
        _tile_stored(0, sums, 4 * stride);
        _tile_stored(1, sums + vec::size, 4 * stride);
    }
};
static_assert(head_vecs == 2, "tiles are numbered by hand");

inline constexpr KernelTable<float> table{"avx512_amx",
                                          avx512::table.linear,
                                          tile_kernel<Bfloat16TileProduct, tile_linear<Bfloat16TileProduct>>,
                                          tile_kernel<Int8TileProduct, Int8TileProduct::run>,
                                          avx512_bf16::table.attention,
                                          attention_with<TileHead>,
                                          avx512_bf16::table.layer_norm};

}  // namespace avx512_amx

BERT_NAMESPACE_END
BERT_AVX512_END

#endif
