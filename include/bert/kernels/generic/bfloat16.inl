// Dense layers with bfloat16 weights and float rows: weights become floats on the way, sums are floats. Read after
// generic/linear.inl, which see.

/// Weights of two features side by side, as the instructions for bfloat16 want them too.
struct Bfloat16Product {
    using Weight = bfloat16;
    using Rows = FloatProduct::Rows;
    static constexpr int row_tile = float_row_tile;

    static std::size_t scratch_size(std::ptrdiff_t, std::ptrdiff_t) { return 0; }
    static Rows prepare(const LinearArguments<float, bfloat16>& a) { return {a.x, a.x_stride, a.in_features}; }

    static std::ptrdiff_t panel_size(std::ptrdiff_t in_features) { return panel_width * round_up(in_features, 2); }

    /// For every two features, the pairs of weights of all outputs of the panel.
    static void pack_panel(const float* weights, std::ptrdiff_t width, std::ptrdiff_t in_features, bfloat16* packed) {
        for (std::ptrdiff_t k = 0; k < in_features; k += 2) {
            for (std::ptrdiff_t j = 0; j < panel_width; ++j) {
                const float* const pair = weights + j * in_features + k;
                const bool exists = j < width;
                packed[2 * j] = bfloat16::from_float(exists ? pair[0] : 0.0f);
                packed[2 * j + 1] = bfloat16::from_float(exists && k + 1 < in_features ? pair[1] : 0.0f);
            }
            packed += 2 * panel_width;
        }
    }

    template <int Height>
    static BERT_ALWAYS_INLINE void multiply(const Rows& x, std::ptrdiff_t row, const bfloat16* panel, float* out) {
        vec sums[Height][panel_vecs];
        for (int r = 0; r < Height; ++r) {
            for (int v = 0; v < panel_vecs; ++v) sums[r][v] = vec::zero();
        }
        const float* const first = x.x + row * x.stride;
        for (std::ptrdiff_t k = 0; k < x.depth; k += 2) {
            vec weights[panel_vecs];
            for (int v = 0; v < panel_vecs; ++v) weights[v] = vec::even_bfloat16(panel + 2 * v * vec::size);
            for (int r = 0; r < Height; ++r) {
                const vec value = vec::set(first[r * x.stride + k]);
                for (int v = 0; v < panel_vecs; ++v) sums[r][v] = vec::fma(value, weights[v], sums[r][v]);
            }
            if (k + 1 < x.depth) {
                for (int v = 0; v < panel_vecs; ++v) weights[v] = vec::odd_bfloat16(panel + 2 * v * vec::size);
                for (int r = 0; r < Height; ++r) {
                    const vec value = vec::set(first[r * x.stride + k + 1]);
                    for (int v = 0; v < panel_vecs; ++v) sums[r][v] = vec::fma(value, weights[v], sums[r][v]);
                }
            }
            panel += 2 * panel_width;
        }
        store_sums(sums, out);
    }
};
