// Dense layers with bfloat16 weights and float rows: weights become floats, block by block, and then serve all rows.
// Read after generic/linear.inl, which see.

/// Weights of two features side by side, as the instructions for bfloat16 want them too.
struct Bfloat16Product {
    using Weight = bfloat16;
    using Session = detail::NoSession;
    using Gelu = NarrowGelu;
    using Rows = FloatProduct::Rows;
    static constexpr int row_tile = float_row_tile;

    static std::size_t scratch_size(std::ptrdiff_t, std::ptrdiff_t) { return 0; }
    static Rows prepare(const LinearArguments<float, bfloat16>& a) { return {a.x, a.x_stride, a.in_features}; }

    static std::ptrdiff_t panel_size(std::ptrdiff_t in_features) { return panel_width * round_up(in_features, 2); }

    /// For every two features, the pairs of weights of all outputs of the panel.
    static void pack_panel(const float* weights, std::ptrdiff_t width, std::ptrdiff_t in_features, bfloat16* packed) {
        const auto load = [&](std::ptrdiff_t row, std::ptrdiff_t pair) {
            constexpr std::ptrdiff_t count = 2 * vec::size;
            const std::ptrdiff_t left = smaller(count, in_features - 2 * pair);
            const float* const values = weights + row * in_features + 2 * pair;
            bfloat16 pairs[count] = {};
            if (left == count) {  // a constant number of turns, of which compilers make vectors
                for (std::ptrdiff_t i = 0; i < count; ++i) pairs[i] = bfloat16::from_float(values[i]);
            } else {
                for (std::ptrdiff_t i = 0; i < left; ++i) pairs[i] = bfloat16::from_float(values[i]);
            }
            vec units;
            std::memcpy(&units, pairs, sizeof units);
            return units;
        };
        pack_rows(width, (in_features + 1) / 2, panel_width, load, packed);
    }

    using Block = FloatProduct::Block;
    static constexpr std::ptrdiff_t depth_block = 128;
    struct Unpacked {
        alignas(64) float weights[depth_block * panel_width];
    };

    static Block unpack(const bfloat16*& panel, std::ptrdiff_t first, std::ptrdiff_t size, Unpacked& unpacked) {
        float* to = unpacked.weights;
        for (std::ptrdiff_t k = 0; k < size; k += 2) {
            for (int v = 0; v < panel_vecs; ++v) {
                vec::store(to + v * vec::size, vec::even_bfloat16(panel + 2 * v * vec::size));
                vec::store(to + panel_width + v * vec::size, vec::odd_bfloat16(panel + 2 * v * vec::size));
            }
            to += 2 * panel_width;
            panel += 2 * panel_width;
        }
        return {unpacked.weights, first, size};
    }

    template <int Height>
    static BERT_ALWAYS_INLINE void multiply(const Rows& x, std::ptrdiff_t row, const Block& block, float* sums,
                                            detail::Ahead ahead) {
        FloatProduct::multiply<Height>(x, row, block, sums, ahead);
    }
};
