// Dense layers with int8 weights: rows are quantised to 8 bits as they come in, products summed as integers. Read after
// generic/linear.inl, which see. The includer defines `dot`, the instructions for it (see kernels/avx2.hpp).
//
// With q the quantised values, s and z the scale and zero point of a block of a row, w the weights and t their scale:
//     y = t * sum over blocks of s * (sum of q w - z * sum of w),
// where the bracket is a whole number below 2^24, so exact in float.

struct Int8Product {
    using Weight = std::int8_t;
    static constexpr int row_tile = int8_row_tile;

    struct Rows {
        const typename dot::Value* values;
        std::ptrdiff_t stride;  // of values
        const float* scales;    // rows x blocks
        const float* zeros;     // rows x blocks
        std::ptrdiff_t depth;
    };

    static std::ptrdiff_t blocks(std::ptrdiff_t in_features) { return (in_features + int8_block - 1) / int8_block; }
    static std::ptrdiff_t value_stride(std::ptrdiff_t in_features) { return round_up(in_features, 16); }
    static std::ptrdiff_t value_bytes(std::ptrdiff_t rows, std::ptrdiff_t in_features) {
        return round_up(rows * value_stride(in_features) * static_cast<std::ptrdiff_t>(sizeof(typename dot::Value)),
                        64);
    }

    static std::size_t scratch_size(std::ptrdiff_t rows, std::ptrdiff_t in_features) {
        return static_cast<std::size_t>(value_bytes(rows, in_features)) +
               static_cast<std::size_t>(2 * rows * blocks(in_features)) * sizeof(float);
    }

    /// Quantises the rows: value = s (q - z), 0 <= q <= 255, with s and z so that the block's extremes and 0 fit in.
    /// Only rounding that is the same everywhere: no sum follows a product, which could be fused.
    static Rows prepare(const LinearArguments<float, std::int8_t>& a) {
        const std::ptrdiff_t stride = value_stride(a.in_features);
        const std::ptrdiff_t count = blocks(a.in_features);
        auto* const values = reinterpret_cast<typename dot::Value*>(a.scratch);
        auto* const scales = reinterpret_cast<float*>(a.scratch + value_bytes(a.rows, a.in_features));
        float* const zeros = scales + a.rows * count;
        for (std::ptrdiff_t row = 0; row < a.rows; ++row) {
            for (std::ptrdiff_t block = 0; block < count; ++block) {
                const std::ptrdiff_t first = block * int8_block;
                const std::ptrdiff_t size = smaller(int8_block, a.in_features - first);
                const float* const x = a.x + row * a.x_stride + first;
                vec low = vec::zero();
                vec high = vec::zero();
                for (std::ptrdiff_t i = 0; i < size; i += vec::size) {
                    const vec value = load_first(x + i, size - i);
                    low = vec::min(low, value);
                    high = vec::max(high, value);
                }
                const float lowest = -vec::largest(vec::sub(vec::zero(), low));
                const float scale = vec::largest(high) / 255.0f - lowest / 255.0f;
                // Smaller ones are as good as zero, and 1/scale might overflow.
                const bool usable = scale > 1e-30f;
                const int zero = usable ? static_cast<int>(0.5f - lowest / scale) : 0;
                const vec inverse = vec::set(usable ? 1.0f / scale : 0.0f);
                for (std::ptrdiff_t i = 0; i < size; i += vec::size) {
                    dot::quantise(values + row * stride + first + i, vec::mul(load_first(x + i, size - i), inverse),
                                  zero);
                }
                scales[row * count + block] = usable ? scale : 0.0f;
                zeros[row * count + block] = static_cast<float>(zero - dot::offset);
            }
        }
        return {values, stride, scales, zeros, a.in_features};
    }

    /// A panel: for each block, for every four features, the weights of all outputs in groups of four; then each
    /// output's sum of the block's weights, as floats. After the blocks, each output's scale, as floats.
    static std::ptrdiff_t panel_size(std::ptrdiff_t in_features) {
        const auto line = panel_width * static_cast<std::ptrdiff_t>(sizeof(float));
        return panel_width * round_up(in_features, 4) + (blocks(in_features) + 1) * line;
    }

    static void pack_panel(const float* weights, std::ptrdiff_t width, std::ptrdiff_t in_features,
                           std::int8_t* packed) {
        float scales[panel_width];
        for (std::ptrdiff_t j = 0; j < panel_width; ++j) {
            float largest = 0.0f;
            for (std::ptrdiff_t k = 0; j < width && k < in_features; ++k) {
                const float weight = weights[j * in_features + k];
                const float size = weight < 0.0f ? -weight : weight;
                largest = size > largest ? size : largest;
            }
            scales[j] = largest / 127.0f;
        }
        for (std::ptrdiff_t first = 0; first < in_features; first += int8_block) {
            const std::ptrdiff_t size = smaller(int8_block, in_features - first);
            const std::ptrdiff_t bytes = panel_width * round_up(size, 4);
            for (std::ptrdiff_t j = 0; j < panel_width; ++j) {
                std::int8_t* to = packed + 4 * j;
                float sum = 0.0f;
                for (std::ptrdiff_t k = 0; k < size; k += 4, to += 4 * panel_width) {
                    for (std::ptrdiff_t i = 0; i < 4; ++i) {
                        const bool exists = j < width && k + i < size && scales[j] > 0.0f;
                        const float scaled = exists ? weights[j * in_features + first + k + i] / scales[j] : 0.0f;
                        const int rounded = static_cast<int>(scaled + (scaled < 0.0f ? -0.5f : 0.5f));
                        to[i] = static_cast<std::int8_t>(rounded > 127 ? 127 : rounded < -127 ? -127 : rounded);
                        sum += static_cast<float>(to[i]);
                    }
                }
                std::memcpy(packed + bytes + static_cast<std::ptrdiff_t>(sizeof(float)) * j, &sum, sizeof sum);
            }
            packed += bytes + panel_width * static_cast<std::ptrdiff_t>(sizeof(float));
        }
        std::memcpy(packed, scales, sizeof scales);
    }

    /// A block's weights as dot::multiply() reads them, and each output's sum of them.
    struct Block {
        const typename dot::Weight* weights;
        const float* weight_sums;
        std::ptrdiff_t first;
        std::ptrdiff_t groups;
        std::ptrdiff_t steps() const { return groups * dot::parts; }
    };
    static constexpr std::ptrdiff_t depth_block = int8_block;
    using Unpacked = typename dot::template Unpacked<int8_block * panel_width>;

    static Block unpack(const std::int8_t*& panel, std::ptrdiff_t first, std::ptrdiff_t size, Unpacked& unpacked) {
        const std::ptrdiff_t groups = round_up(size, 4) / 4;
        const typename dot::Weight* const weights = dot::unpack(panel, groups * panel_width * 4, unpacked);
        panel += groups * panel_width * 4;
        const Block block{weights, reinterpret_cast<const float*>(panel), first, groups};
        panel += panel_width * static_cast<std::ptrdiff_t>(sizeof(float));
        return block;
    }

    template <int Height>
    static void multiply(const Rows& x, std::ptrdiff_t row, const Block& block, float* totals, detail::Ahead ahead) {
        typename dot::Sum sums[Height][panel_vecs];
        for (int r = 0; r < Height; ++r) {
            for (int v = 0; v < panel_vecs; ++v) sums[r][v] = dot::zero();
        }
        const typename dot::Value* values = x.values + row * x.stride + block.first;
        const typename dot::Weight* weights = block.weights;
        for (std::ptrdiff_t step = 0; step < block.steps(); ++step) {
            ahead.fetch();
            typename dot::Vector w[panel_vecs];
            for (int v = 0; v < panel_vecs; ++v) w[v] = dot::load(weights + v * dot::step_weights);
            for (int r = 0; r < Height; ++r) {
                const typename dot::Vector value = dot::repeat(values + r * x.stride);
                for (int v = 0; v < panel_vecs; ++v) sums[r][v] = dot::add(sums[r][v], w[v], value);
            }
            values += 4 / dot::parts;
            weights += panel_vecs * dot::step_weights;
        }
        const std::ptrdiff_t count = blocks(x.depth);
        const std::ptrdiff_t at = block.first / int8_block;
        for (int r = 0; r < Height; ++r) {
            const vec scale = vec::set(x.scales[(row + r) * count + at]);
            const vec zero = vec::set(x.zeros[(row + r) * count + at]);
            for (int v = 0; v < panel_vecs; ++v) {
                float* const total = totals + r * panel_width + v * vec::size;
                const vec whole =
                    vec::fnma(zero, vec::load(block.weight_sums + v * vec::size), dot::to_float(sums[r][v]));
                const vec before = block.first > 0 ? vec::load(total) : vec::zero();
                vec::store(total, vec::fma(whole, scale, before));
            }
        }
    }

    /// The weights' own scales, which follow the last block.
    static void scale(const std::int8_t* panel, std::ptrdiff_t rows, float* totals) {
        const auto* const scales = reinterpret_cast<const float*>(panel);
        for (std::ptrdiff_t row = 0; row < rows; ++row) {
            for (int v = 0; v < panel_vecs; ++v) {
                float* const total = totals + row * panel_width + v * vec::size;
                vec::store(total, vec::mul(vec::load(total), vec::load(scales + v * vec::size)));
            }
        }
    }
};
