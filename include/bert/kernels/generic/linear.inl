// Dense layers with float weights, and what those with other weights share: tiles, and the way from sums to outputs.
// Read after generic/encoder.inl, which see. The includer defines `float_row_tile`, the rows of a register tile.

/// What a panel's outputs are made of besides sums.
struct Tile {
    const float* bias;  // panel_width values, or null for 0
    Activation activation;
    const float* residual;
    std::ptrdiff_t residual_stride;
    std::ptrdiff_t width;  // outputs of the panel that exist
    float* y;
    std::ptrdiff_t y_stride;
};

struct Identity {
    static BERT_ALWAYS_INLINE vec run(vec x) { return x; }
};
struct ExactGelu {
    static BERT_ALWAYS_INLINE vec run(vec x) { return gelu(x); }
};
struct NarrowGelu {
    static BERT_ALWAYS_INLINE vec run(vec x) { return narrow_gelu(x); }
};

/// y = Function(sums + bias) + residual, where there are a bias and a residual.
template <class Function>
BERT_ALWAYS_INLINE void write_outputs(const float* sums, std::ptrdiff_t rows, const Tile& t) {
    vec bias[panel_vecs];
    for (int v = 0; v < panel_vecs; ++v) bias[v] = t.bias ? vec::load(t.bias + v * vec::size) : vec::zero();
    for (std::ptrdiff_t row = 0; row < rows; ++row) {
        for (int v = 0; v < panel_vecs; ++v) {
            const std::ptrdiff_t column = v * vec::size;
            const std::ptrdiff_t left = t.width - column;
            if (left <= 0) break;
            vec value = Function::run(vec::add(vec::load(sums + row * panel_width + column), bias[v]));
            if (t.residual) value = vec::add(value, load_first(t.residual + row * t.residual_stride + column, left));
            store_first(t.y + row * t.y_stride + column, left, value);
        }
    }
}

/// From sums (rows x panel_width), which may be changed, to outputs.
template <class Product>
BERT_ALWAYS_INLINE void finish(float* sums, std::ptrdiff_t rows, Tile t) {
    if (t.activation == Activation::gelu) {
        write_outputs<typename Product::Gelu>(sums, rows, t);
        return;
    }
    if (t.activation != Activation::identity) {
        for (std::ptrdiff_t i = 0; i < rows * panel_width; ++i) {
            sums[i] = activate(t.activation, sums[i] + t.bias[i % panel_width]);
        }
        t.bias = nullptr;
    }
    write_outputs<Identity>(sums, rows, t);
}

template <class Product, int Height>
BERT_ALWAYS_INLINE void multiply_rows(std::ptrdiff_t height, const typename Product::Rows& x, std::ptrdiff_t row,
                                      const typename Product::Block& block, float* sums, detail::Ahead ahead) {
    if (height == Height) {
        Product::template multiply<Height>(x, row, block, sums, ahead);
    } else if constexpr (Height > 1) {
        multiply_rows<Product, Height - 1>(height, x, row, block, sums, ahead);
    }
}

/// The height of the next tile where `left` rows remain. The last two tiles share what is left evenly: a tile of one or
/// two rows has too few sums to keep the multipliers busy.
BERT_ALWAYS_INLINE std::ptrdiff_t next_height(std::ptrdiff_t left, std::ptrdiff_t tile) {
    if (left <= tile) return left;
    return left >= 2 * tile ? tile : (left + 1) / 2;
}

/// Rows computed together: a panel's weights are read once for all of them.
inline constexpr std::ptrdiff_t max_rows = 48;

/// A dense layer. `Product` says how rows and weights are laid out and multiplied; see FloatProduct.
template <class Product>
void linear(const LinearArguments<float, typename Product::Weight>& a) {
    [[maybe_unused]] const typename Product::Session session;
    const typename Product::Rows x = Product::prepare(a);
    typename Product::Unpacked unpacked;
    alignas(64) float sums[max_rows * panel_width];
    for (std::ptrdiff_t first = 0; first < a.rows; first += max_rows) {
        const std::ptrdiff_t rows = smaller(max_rows, a.rows - first);
        for (std::ptrdiff_t column = a.first; column < a.last; column += panel_width) {
            const typename Product::Weight* panel =
                a.packed + column / panel_width * Product::panel_size(a.in_features);
            for (std::ptrdiff_t k = 0; k < a.in_features; k += Product::depth_block) {
                const typename Product::Weight* const begin = panel;
                const auto block =
                    Product::unpack(panel, k, smaller(Product::depth_block, a.in_features - k), unpacked);
                // While these weights are multiplied the next ones come from memory, a share with every tile.
                const std::ptrdiff_t tiles = (rows + Product::row_tile - 1) / Product::row_tile;
                const std::ptrdiff_t bytes = (panel - begin) * static_cast<std::ptrdiff_t>(sizeof *panel);
                detail::Ahead ahead{reinterpret_cast<const std::byte*>(panel), bytes / (tiles * block.steps()) + 1};
                for (std::ptrdiff_t row = 0; row < rows;) {
                    const std::ptrdiff_t height = next_height(rows - row, Product::row_tile);
                    multiply_rows<Product, Product::row_tile>(height, x, first + row, block, sums + row * panel_width,
                                                              ahead);
                    ahead.next += block.steps() * ahead.step;
                    row += height;
                }
            }
            const Tile tile{a.bias + column,
                            a.activation,
                            a.residual ? a.residual + first * a.residual_stride + column : nullptr,
                            a.residual_stride,
                            smaller(panel_width, a.last - column),
                            a.y + first * a.y_stride + column,
                            a.y_stride};
            finish<Product>(sums, rows, tile);
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
void pack(PackSource<float, typename Product::Weight> weights, std::ptrdiff_t out_features, std::ptrdiff_t in_features,
          typename Product::Weight* packed) {
    for (std::ptrdiff_t first = 0; first < out_features; first += panel_width) {
        Product::pack_panel(skip_rows(weights, first, in_features), smaller(panel_width, out_features - first),
                            in_features, packed);
        packed += Product::panel_size(in_features);
    }
}

template <class Product>
inline constexpr LinearKernel<float, typename Product::Weight> kernel{
    panel_width, {}, packed_size<Product>, pack<Product>, Product::scratch_size, linear<Product>};

/// Weights and rows of floats.
struct FloatProduct {
    using Weight = float;
    using Session = detail::NoSession;
    using Gelu = ExactGelu;
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
        const auto load = [&](std::ptrdiff_t row, std::ptrdiff_t k) {
            return load_first(weights + row * in_features + k, in_features - k);
        };
        pack_rows(width, in_features, panel_width, load, packed);
    }

    /// The features [first, first + size) of a panel, as multiply() reads them.
    struct Block {
        const float* weights;
        std::ptrdiff_t first;
        std::ptrdiff_t size;
        std::ptrdiff_t steps() const { return size; }
    };
    static constexpr std::ptrdiff_t depth_block = 4608 / panel_width;  // 18 KB of weights stay in the first cache
    struct Unpacked {};

    /// Moves `panel` to what follows the block.
    static Block unpack(const float*& panel, std::ptrdiff_t first, std::ptrdiff_t size, Unpacked&) {
        const Block block{panel, first, size};
        panel += panel_width * size;
        return block;
    }

    /// Adds the block's products to the sums (`Height` x panel_width) of the rows from `row` on; the first block's
    /// replace what is there.
    template <int Height>
    static void multiply(const Rows& x, std::ptrdiff_t row, const Block& block, float* sums, detail::Ahead ahead) {
        tile_products<Height, panel_vecs>(x.x + row * x.stride + block.first, x.stride, block.size, block.weights,
                                          block.first > 0 ? sums : nullptr, sums, panel_width, ahead);
    }
};
