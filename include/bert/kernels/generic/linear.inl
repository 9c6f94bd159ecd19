// Dense layers with float weights, and what those with other weights share: tiles, and the way from sums to outputs.
// Read after generic/encoder.inl, which see. The includer defines `row_tile`, the rows of a register tile.

/// What one register tile writes, and what its sums need on the way.
struct Tile {
    const float* bias;
    Activation activation;
    const float* residual;
    std::ptrdiff_t residual_stride;
    std::ptrdiff_t width;  // outputs of the panel that exist
    float* y;
    std::ptrdiff_t y_stride;
};

/// Row `row` of a tile from its sums to the output: bias, activation, residual.
inline void finish(const float* sums, const Tile& t, std::ptrdiff_t row) {
    for (std::ptrdiff_t column = 0; column < t.width; column += vec::size) {
        vec value = vec::add(vec::load(sums + column), vec::load(t.bias + column));
        if (t.activation == Activation::gelu) {
            value = gelu(value);
        } else if (t.activation != Activation::identity) {
            float values[vec::size];
            vec::store(values, value);
            for (int i = 0; i < vec::size; ++i) values[i] = activate(t.activation, values[i]);
            value = vec::load(values);
        }
        const std::ptrdiff_t left = t.width - column;
        if (t.residual) value = vec::add(value, load_first(t.residual + row * t.residual_stride + column, left));
        store_first(t.y + row * t.y_stride + column, left, value);
    }
}

/// A tile of `Rows` rows. The sums pass through memory, so that what follows is compiled once and not for every height.
template <class Product, int Rows>
void compute(const typename Product::Rows& x, std::ptrdiff_t row, const typename Product::Weight* panel,
             const Tile& tile) {
    float sums[Rows * panel_width];
    Product::template multiply<Rows>(x, row, panel, sums);
    for (int r = 0; r < Rows; ++r) finish(sums + r * panel_width, tile, r);
}

template <class Product, int Rows>
BERT_ALWAYS_INLINE void compute_rows(std::ptrdiff_t rows, const typename Product::Rows& x, std::ptrdiff_t row,
                                     const typename Product::Weight* panel, const Tile& tile) {
    if (rows == Rows) {
        compute<Product, Rows>(x, row, panel, tile);
    } else if constexpr (Rows > 1) {
        compute_rows<Product, Rows - 1>(rows, x, row, panel, tile);
    }
}

/// The height of the next tile where `left` rows remain. The last two tiles share what is left evenly: a tile of one or
/// two rows has too few sums to keep the multipliers busy.
BERT_ALWAYS_INLINE std::ptrdiff_t next_height(std::ptrdiff_t left, std::ptrdiff_t tile) {
    if (left <= tile) return left;
    return left >= 2 * tile ? tile : (left + 1) / 2;
}

/// A dense layer. `Product` says how rows and weights are laid out and multiplied; see FloatProduct.
template <class Product>
void linear(const LinearArguments<float, typename Product::Weight>& a) {
    const typename Product::Rows x = Product::prepare(a);
    for (std::ptrdiff_t column = a.first; column < a.last; column += panel_width) {
        const typename Product::Weight* const panel =
            a.packed + column / panel_width * Product::panel_size(a.in_features);
        for (std::ptrdiff_t row = 0; row < a.rows;) {
            const std::ptrdiff_t height = next_height(a.rows - row, Product::row_tile);
            const Tile tile{a.bias + column,
                            a.activation,
                            a.residual ? a.residual + row * a.residual_stride + column : nullptr,
                            a.residual_stride,
                            smaller(panel_width, a.last - column),
                            a.y + row * a.y_stride + column,
                            a.y_stride};
            compute_rows<Product, Product::row_tile>(height, x, row, panel, tile);
            row += height;
        }
    }
}

template <class Product>
std::size_t packed_size(std::ptrdiff_t out_features, std::ptrdiff_t in_features) {
    return static_cast<std::size_t>((out_features + panel_width - 1) / panel_width) *
           static_cast<std::size_t>(Product::panel_size(in_features));
}

/// Packs panel after panel.
template <class Product>
void pack(const float* weights, std::ptrdiff_t out_features, std::ptrdiff_t in_features,
          typename Product::Weight* packed) {
    for (std::ptrdiff_t first = 0; first < out_features; first += panel_width) {
        Product::pack_panel(weights + first * in_features, smaller(panel_width, out_features - first), in_features,
                            packed);
        packed += Product::panel_size(in_features);
    }
}

template <class Product>
inline constexpr LinearKernel<float, typename Product::Weight> kernel{panel_width, packed_size<Product>, pack<Product>,
                                                                      Product::scratch_size, linear<Product>};

/// Weights and rows of floats.
struct FloatProduct {
    using Weight = float;
    static constexpr int row_tile = float_row_tile;

    /// Where the rows of the input are, in the form multiply() reads.
    struct Rows {
        const float* x;
        std::ptrdiff_t stride;
        std::ptrdiff_t depth;
    };

    static std::size_t scratch_size(std::ptrdiff_t, std::ptrdiff_t) { return 0; }
    static Rows prepare(const LinearArguments<float, float>& a) { return {a.x, a.x_stride, a.in_features}; }

    /// Values of a panel.
    static std::ptrdiff_t panel_size(std::ptrdiff_t in_features) { return panel_width * in_features; }

    /// For each feature, the weights of all outputs of the panel.
    static void pack_panel(const float* weights, std::ptrdiff_t width, std::ptrdiff_t in_features, float* packed) {
        for (std::ptrdiff_t k = 0; k < in_features; ++k) {
            for (std::ptrdiff_t j = 0; j < width; ++j) packed[j] = weights[j * in_features + k];
            for (std::ptrdiff_t j = width; j < panel_width; ++j) packed[j] = 0.0f;
            packed += panel_width;
        }
    }

    /// out: `Height` x panel_width sums, those of the rows from `row` on.
    template <int Height>
    static BERT_ALWAYS_INLINE void multiply(const Rows& x, std::ptrdiff_t row, const float* panel, float* out) {
        vec sums[Height][panel_vecs];
        tile_products<Height, panel_vecs>(x.x + row * x.stride, x.stride, x.depth, panel, sums);
        store_sums(sums, out);
    }
};
