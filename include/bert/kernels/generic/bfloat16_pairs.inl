// Layers and attention on processors that multiply pairs of bfloat16. Read after generic/linear.inl and
// generic/attention.inl, which see. `Pair` are the instructions for it (see avx512_bf16::pair). The includer
// defines Bfloat16Layout, the class that packs weights (generic/bfloat16.inl).
//
// Two neighbouring values of a row or of a panel lie in a lane of 32 bits.

/// sums = before + x * panel, see tile_products(): `lanes` lanes of x, whose rows are `x_stride` lanes apart.
template <class Pair, int Rows, int Vecs, class Ahead>
BERT_ALWAYS_INLINE void tile_pairs(const void* x, std::ptrdiff_t x_stride, std::ptrdiff_t lanes, const void* panel,
                                   const float* before, float* sums, std::ptrdiff_t stride, Ahead ahead) {
    vec totals[Rows][Vecs];
    for (int r = 0; r < Rows; ++r) {
        for (int v = 0; v < Vecs; ++v) {
            totals[r][v] = before ? vec::load(before + r * stride + v * vec::size) : vec::zero();
        }
    }
    const auto* values_at = static_cast<const std::byte*>(x);
    const auto* weights_at = static_cast<const std::byte*>(panel);
    for (std::ptrdiff_t k = 0; k < lanes; ++k) {
        ahead.template fetch<Rows>();
        typename Pair::Vector weights[Vecs];
        for (int v = 0; v < Vecs; ++v) weights[v] = Pair::load(weights_at + 4 * v * vec::size);
        for (int r = 0; r < Rows; ++r) {
            const typename Pair::Vector values = Pair::repeat(values_at + 4 * r * x_stride);
            for (int v = 0; v < Vecs; ++v) totals[r][v] = Pair::add(totals[r][v], weights[v], values);
        }
        values_at += 4;
        weights_at += 4 * Vecs * vec::size;
    }
    for (int r = 0; r < Rows; ++r) {
        for (int v = 0; v < Vecs; ++v) vec::store(sums + r * stride + v * vec::size, totals[r][v]);
    }
}

/// Rows rounded to bfloat16; sums in float.
template <class Pair>
struct Bfloat16PairProduct {
    using Weight = bfloat16;
    using Gelu = NarrowGelu;
    using Session = detail::NoSession;
    static constexpr int row_tile = float_row_tile;

    struct Rows {
        const bfloat16* values;
        std::ptrdiff_t stride;
        std::ptrdiff_t depth;
    };

    static std::ptrdiff_t value_stride(std::ptrdiff_t in_features) { return round_up(in_features, 2 * vec::size); }
    static std::size_t scratch_size(std::ptrdiff_t rows, std::ptrdiff_t in_features) {
        return static_cast<std::size_t>((rows + Pair::extra_rows) * value_stride(in_features)) * sizeof(bfloat16);
    }

    static Rows prepare(const LinearArguments<float, bfloat16>& a) {
        const std::ptrdiff_t stride = value_stride(a.in_features);
        auto* const values = reinterpret_cast<bfloat16*>(a.scratch);
        for (std::ptrdiff_t row = 0; row < a.rows; ++row) {
            for (std::ptrdiff_t i = 0; i < a.in_features; i += 2 * vec::size) {
                const float* const x = a.x + row * a.x_stride + i;
                const std::ptrdiff_t left = a.in_features - i;
                const auto rounded = Pair::round(load_first(x, left), load_left(x + vec::size, left - vec::size));
                std::memcpy(static_cast<void*>(values + row * stride + i), &rounded, sizeof rounded);
            }
        }
        return {values, stride, a.in_features};
    }

    static std::ptrdiff_t panel_size(std::ptrdiff_t in_features) {
        return panel_width * round_up(in_features, Pair::step);
    }
    static void pack_panel(const float* weights, std::ptrdiff_t width, std::ptrdiff_t in_features, bfloat16* packed) {
        Bfloat16Layout::pack_panel(weights, width, in_features, packed);
        for (std::ptrdiff_t i = Bfloat16Layout::panel_size(in_features); i < panel_size(in_features); ++i) {
            packed[i] = bfloat16();
        }
    }

    struct Block {
        const bfloat16* weights;
        std::ptrdiff_t first;
        std::ptrdiff_t size;
        std::ptrdiff_t steps() const { return round_up(size, Pair::step) / 2; }
    };
    static constexpr std::ptrdiff_t depth_block = 768;
    struct Unpacked {};

    static Block unpack(const bfloat16*& panel, std::ptrdiff_t first, std::ptrdiff_t size, Unpacked&) {
        const Block block{panel, first, size};
        panel += panel_width * round_up(size, Pair::step);
        return block;
    }

    template <int Height>
    static BERT_ALWAYS_INLINE void multiply(const Rows& x, std::ptrdiff_t row, const Block& block, float* out,
                                            detail::Ahead ahead) {
        tile_pairs<Pair, Height, panel_vecs>(x.values + row * x.stride + block.first, x.stride / 2, block.steps(),
                                             block.weights, block.first > 0 ? out : nullptr, out, panel_width, ahead);
    }
};

/// See FloatHead.
template <class Pair>
struct Bfloat16Head {
    using Session = detail::NoSession;
    static constexpr std::ptrdiff_t unit = 2;
    static constexpr std::ptrdiff_t lane_step = 1;
    static constexpr int query_tile = 8;  // 16 sums
    static constexpr float score_factor = Pair::score_factor;

    static BERT_ALWAYS_INLINE vec along(const float* x, std::ptrdiff_t n, float factor) {
        const vec f = vec::set(factor);
        return Pair::bits(
            Pair::round(vec::mul(load_left(x, n), f), vec::mul(load_left(x + vec::size, n - vec::size), f)));
    }
    static BERT_ALWAYS_INLINE vec across(const float* x, std::ptrdiff_t stride, std::ptrdiff_t keys, std::ptrdiff_t n) {
        return Pair::bits(
            Pair::interleave(Pair::round(load_first(x, n), keys > 1 ? load_first(x + stride, n) : vec::zero())));
    }
    static BERT_ALWAYS_INLINE vec exponential(vec x) { return Pair::exponential(x); }
    static BERT_ALWAYS_INLINE void store(float* row, std::ptrdiff_t key, vec x) { Pair::store(row + key / 2, x); }
    static BERT_ALWAYS_INLINE float get(const float* row, std::ptrdiff_t key) {
        bfloat16 value;
        std::memcpy(&value, reinterpret_cast<const std::byte*>(row) + key * 2, sizeof value);
        return static_cast<float>(value);
    }

    template <int Rows>
    static BERT_ALWAYS_INLINE void multiply(const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t lanes,
                                            const float* panel, float* sums, std::ptrdiff_t stride) {
        tile_pairs<Pair, Rows, head_vecs>(x, x_stride, lanes, panel, nullptr, sums, stride, detail::NothingAhead());
    }
};
