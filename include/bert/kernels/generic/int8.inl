// Dense layers with int8 weights: rows are quantised to 8 bits as they come in, products summed as integers. Read after
// generic/linear.inl, which see. `Dot` are the instructions for it (see avx2::dot).
//
// With q the quantised values, s and z the scale and zero point of a block of a row, w the weights of the block and t
// their scale:
//     y = sum over blocks of s t (sum of q w - z * sum of w),
// where the bracket is a whole number below 2^24, so exact in float.
//
// Weights of two neighbouring features (2i, 2i + 1) are scaled together (kernels/quantize.hpp): their sizes add up to
// 128 at most. Two products of 0 to 255 by such weights then fit into 16 bits, where AVX2 adds them up; other
// instruction sets would not need it, but would get other integers without.

template <class Dot>
struct Int8Product {
    static constexpr std::ptrdiff_t group = Dot::group;
    using Weight = std::int8_t;
    using Session = typename Dot::Session;
    using Gelu = NarrowGelu;
    static constexpr int row_tile = int8_row_tile;

    struct Rows {
        const typename Dot::Value* values;
        std::ptrdiff_t stride;  // of values
        const float* scales;    // rows x blocks
        const float* zeros;     // rows x blocks
        std::ptrdiff_t depth;
    };

    static std::ptrdiff_t blocks(std::ptrdiff_t in_features) { return int8_blocks(in_features); }
    static std::ptrdiff_t value_stride(std::ptrdiff_t in_features) {
        return round_up(in_features, Dot::step > 16 ? Dot::step : 16);
    }
    static std::ptrdiff_t value_bytes(std::ptrdiff_t rows, std::ptrdiff_t in_features) {
        return round_up((rows + Dot::extra_rows) * value_stride(in_features) *
                            static_cast<std::ptrdiff_t>(sizeof(typename Dot::Value)),
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
        auto* const values = reinterpret_cast<typename Dot::Value*>(a.scratch);
        auto* const scales = reinterpret_cast<float*>(a.scratch + value_bytes(a.rows, a.in_features));
        float* const zeros = scales + a.rows * count;
        for (std::ptrdiff_t row = 0; row < a.rows; ++row) {
            const float* const x = a.x + row * a.x_stride;
            vec infinite = vec::zero();  // NaN where a value is infinite or NaN, which minimum and maximum pass over
            for (std::ptrdiff_t block = 0; block < count; ++block) {
                const std::ptrdiff_t first = block * int8_block;
                const std::ptrdiff_t size = smaller(int8_block, a.in_features - first);
                vec low = vec::zero();
                vec high = vec::zero();
                for (std::ptrdiff_t i = first; i < first + size; i += vec::size) {
                    const vec value = load_first(x + i, first + size - i);
                    low = vec::min(low, value);
                    high = vec::max(high, value);
                    infinite = vec::fma(value, vec::zero(), infinite);
                }
                const float lowest = -vec::largest(vec::sub(vec::zero(), low));
                const float scale = vec::largest(high) / 255.0f - lowest / 255.0f;
                // Smaller ones are as good as zero, and 1/scale might overflow.
                const bool usable = scale > 1e-30f;
                scales[row * count + block] = usable ? scale : 0.0f;
                zeros[row * count + block] = usable ? -lowest / scale : 0.0f;
            }
            if (vec::sum(infinite) != 0.0f) {
                for (std::ptrdiff_t block = 0; block < count; ++block) {
                    scales[row * count + block] = std::numeric_limits<float>::quiet_NaN();  // so are all outputs
                    zeros[row * count + block] = 0.0f;
                }
            }
            // Apart from the loop above, for each of its turns has to wait for its own extremes.
            for (std::ptrdiff_t block = 0; block < count; ++block) {
                const std::ptrdiff_t first = block * int8_block;
                const std::ptrdiff_t size = smaller(int8_block, a.in_features - first);
                const float scale = scales[row * count + block];
                const int zero = static_cast<int>(0.5f + zeros[row * count + block]);
                const vec inverse = vec::set(scale > 0.0f ? 1.0f / scale : 0.0f);
                for (std::ptrdiff_t i = first; i < first + size; i += vec::size) {
                    Dot::quantise(values + row * stride + i, vec::mul(load_first(x + i, first + size - i), inverse),
                                  zero);
                }
                zeros[row * count + block] = static_cast<float>(zero - Dot::offset);
            }
        }
        return {values, stride, scales, zeros, a.in_features};
    }

    /// A panel: for each block, for every `group` features, the weights of all outputs one after another; then each
    /// output's sum of the block's weights and its scale, as floats.
    static std::ptrdiff_t panel_size(std::ptrdiff_t in_features) {
        return panel_width * round_up(in_features, Dot::step) + blocks(in_features) * 2 * line;
    }

    static void pack_panel(Int8Rows weights, std::ptrdiff_t width, std::ptrdiff_t in_features, std::int8_t* packed) {
        for (std::ptrdiff_t first = 0; first < in_features; first += int8_block) {
            const std::ptrdiff_t size = smaller(int8_block, in_features - first);
            const std::ptrdiff_t bytes = panel_width * round_up(size, Dot::step);
            const std::int8_t* const values = weights.values + first;
            pack_groups(values, width, in_features, size, packed);
            float sums[panel_width] = {};
            float scales[panel_width] = {};
            for (std::ptrdiff_t j = 0; j < width; ++j) {
                int sum = 0;
                for (std::ptrdiff_t k = 0; k < size; ++k) sum += values[j * in_features + k];
                sums[j] = static_cast<float>(sum);
                scales[j] = weights.scales[j * blocks(in_features) + first / int8_block];
            }
            std::memcpy(packed + bytes, sums, sizeof sums);
            std::memcpy(packed + bytes + line, scales, sizeof scales);
            packed += bytes + 2 * line;
        }
    }

    /// A block's weights as multiply() reads them, and each output's sum of them and scale.
    struct Block {
        const std::int8_t* weights;
        const float* weight_sums;
        const float* weight_scales;
        std::ptrdiff_t first;
        std::ptrdiff_t groups;
        std::ptrdiff_t steps() const { return groups; }
    };
    static constexpr std::ptrdiff_t depth_block = int8_block;
    struct Unpacked {};

    static Block unpack(const std::int8_t*& panel, std::ptrdiff_t first, std::ptrdiff_t size, Unpacked&) {
        const std::ptrdiff_t groups = round_up(size, Dot::step) / group;
        const std::int8_t* const weights = panel;
        panel += groups * panel_width * group;
        const auto* const floats = reinterpret_cast<const float*>(panel);
        panel += 2 * line;
        return {weights, floats, floats + panel_width, first, groups};
    }

    template <int Height>
    static BERT_ALWAYS_INLINE void multiply(const Rows& x, std::ptrdiff_t row, const Block& block, float* totals,
                                            detail::Ahead ahead) {
        typename Dot::Sum sums[Height][panel_vecs];
        const typename Dot::Value* const values = x.values + row * x.stride + block.first;
        if constexpr (Height >= Dot::tile_from) {
            Dot::template sum_products<Height, panel_vecs>(values, x.stride, block.weights, block.steps(), sums, ahead);
        } else {
            sum_products<Height>(values, x.stride, block, sums, ahead);
        }
        if (block.first > 0) {
            add_block<Height, true>(x, row, block, sums, totals);
        } else {
            add_block<Height, false>(x, row, block, sums, totals);
        }
    }

protected:
    template <int Height>
    static BERT_ALWAYS_INLINE void sum_products(const typename Dot::Value* values, std::ptrdiff_t stride,
                                                const Block& block, typename Dot::Sum (&sums)[Height][panel_vecs],
                                                detail::Ahead ahead) {
        for (int r = 0; r < Height; ++r) {
            for (int v = 0; v < panel_vecs; ++v) sums[r][v] = Dot::zero();
        }
        const std::int8_t* weights = block.weights;
        for (std::ptrdiff_t step = 0; step < block.steps(); ++step) {
            ahead.template fetch<Height>();
            typename Dot::Vector w[panel_vecs];
            for (int v = 0; v < panel_vecs; ++v) w[v] = Dot::load(weights + group * v * vec::size);
            for (int r = 0; r < Height; ++r) {
                const typename Dot::Vector value = Dot::repeat(values + r * stride);
                for (int v = 0; v < panel_vecs; ++v) sums[r][v] = Dot::add(sums[r][v], w[v], value);
            }
            values += group;
            weights += group * panel_width;
        }
    }

    /// From a block's integers to floats, added to `totals` where there are others before.
    template <int Height, bool Add>
    static BERT_ALWAYS_INLINE void add_block(const Rows& x, std::ptrdiff_t row, const Block& block,
                                             const typename Dot::Sum (&sums)[Height][panel_vecs], float* totals) {
        const std::ptrdiff_t count = blocks(x.depth);
        const float* const scales = x.scales + row * count + block.first / int8_block;
        const float* const zeros = x.zeros + row * count + block.first / int8_block;
        BERT_UNROLL
        for (int r = 0; r < Height; ++r) {
            const vec scale = vec::set(scales[r * count]);
            const vec zero = vec::set(zeros[r * count]);
            for (int v = 0; v < panel_vecs; ++v) {
                float* const total = totals + r * panel_width + v * vec::size;
                const vec whole =
                    vec::fnma(zero, vec::load(block.weight_sums + v * vec::size), Dot::to_float(sums[r][v]));
                const vec both = vec::mul(scale, vec::load(block.weight_scales + v * vec::size));
                vec::store(total, Add ? vec::fma(whole, both, vec::load(total)) : vec::mul(whole, both));
            }
        }
    }

    /// For every `group` features of a block, those of all outputs one after another; `stride` from output to output.
    static void pack_groups(const std::int8_t* values, std::ptrdiff_t width, std::ptrdiff_t stride, std::ptrdiff_t size,
                            std::int8_t* packed) {
        const std::ptrdiff_t padded = round_up(size, Dot::step);
        if constexpr (group == sizeof(float)) {
            const auto load = [&](std::ptrdiff_t output, std::ptrdiff_t unit) {
                constexpr auto bytes = static_cast<std::ptrdiff_t>(sizeof(vec));
                const std::int8_t* const from = values + output * stride + unit * group;
                const std::ptrdiff_t left = size - unit * group;
                vec units = vec::zero();
                if (left >= bytes) {
                    std::memcpy(&units, from, sizeof units);
                } else if (left > 0) {
                    std::memcpy(&units, from, static_cast<std::size_t>(left));
                }
                return units;
            };
            pack_rows(width, padded / group, panel_width, load, packed);
        } else {
            std::memset(packed, 0, static_cast<std::size_t>(panel_width * padded));
            for (std::ptrdiff_t j = 0; j < width; ++j) {
                for (std::ptrdiff_t k = 0; k < size; k += group) {
                    std::memcpy(packed + k * panel_width + group * j, values + j * stride + k,
                                static_cast<std::size_t>(smaller(group, size - k)));
                }
            }
        }
    }

    static constexpr auto line = panel_width * static_cast<std::ptrdiff_t>(sizeof(float));
};
