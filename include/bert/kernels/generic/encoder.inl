// Functions of vectors, attention and layer norm, written once over `vec` and read again for every instruction set,
// inside its namespace and target region. The includer defines `vec` (see kernels/avx2.hpp for its operations) and
// `panel_vecs` (the vectors of a panel of weights), and includes kernels/table.hpp, <cstddef>, <cstdint>, <cstring> and
// <limits> before.

inline constexpr std::ptrdiff_t panel_width = panel_vecs * vec::size;
inline constexpr float infinity = std::numeric_limits<float>::infinity();

BERT_ALWAYS_INLINE std::ptrdiff_t smaller(std::ptrdiff_t a, std::ptrdiff_t b) {
    return a < b ? a : b;
}

BERT_ALWAYS_INLINE std::ptrdiff_t round_up(std::ptrdiff_t n, std::ptrdiff_t unit) {
    return (n + unit - 1) / unit * unit;
}

BERT_ALWAYS_INLINE vec load_first(const float* p, std::ptrdiff_t n) {
    return n >= vec::size ? vec::load(p) : vec::load_partial(p, n);
}

BERT_ALWAYS_INLINE void store_first(float* p, std::ptrdiff_t n, vec v) {
    if (n >= vec::size) {
        vec::store(p, v);
    } else {
        vec::store_partial(p, n, v);
    }
}

/// e^x for x <= 88 within 1.5 ulp (3 without fused multiply-add); 0 below -87.3, where floats become denormal.
BERT_ALWAYS_INLINE vec exp(vec x) {
    const vec lowest = vec::set(-87.33654f);
    const vec clamped = vec::max(x, lowest);
    // x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts, so that the product is exact.
    // Adding 1.5 2^23 rounds to a whole number, which then stands in the lowest bits.
    const vec magic = vec::set(12582912.0f);
    const vec shifted = vec::fma(clamped, vec::set(1.44269504f), magic);
    const vec n = vec::sub(shifted, magic);
    vec r = vec::fnma(n, vec::set(0.693359375f), clamped);
    r = vec::fnma(n, vec::set(-2.12194440e-4f), r);
    // e^r = 1 + r + r^2 p(r), p fitted to least relative error on that interval. Here and in gelu(), polynomials are
    // taken in pairs of terms: short chains of operations that depend on each other let the processor work on several
    // vectors at once.
    const vec r2 = vec::mul(r, r);
    const vec p01 = vec::fma(vec::set(1.66665211e-1f), r, vec::set(4.9999994e-1f));
    const vec p23 = vec::fma(vec::set(8.36871658e-3f), r, vec::set(4.1668389e-2f));
    vec p = vec::fma(vec::fma(vec::set(1.38145988e-3f), r2, p23), r2, p01);
    p = vec::fma(r2, p, vec::add(r, vec::set(1.0f)));
    return vec::zero_where_less(x, lowest, vec::mul(p, vec::power_of_two(shifted)));
}

/// x/2 (1 + erf(x/sqrt 2)) within 2.5e-7 absolute and 1e-4 relative.
///
/// With a = |x|, erfc(a/sqrt 2) = e^(-a h(a)), h being a polynomial fitted on [0, 10] to least error in GELU. Both
/// signs take it without cancellation: x - x/2 erfc for x >= 0, x/2 erfc below.
BERT_ALWAYS_INLINE vec gelu(vec x) {
    const vec a = vec::min(vec::abs(x), vec::set(14.0f));  // beyond, erfc is 0 in floats
    const vec a2 = vec::mul(a, a);
    const vec a4 = vec::mul(a2, a2);
    const vec h01 = vec::fma(vec::set(3.181462288e-1f), a, vec::set(7.979078293e-1f));
    const vec h23 = vec::fma(vec::set(-5.34121925e-3f), a, vec::set(3.676232323e-2f));
    const vec h45 = vec::fma(vec::set(3.390300844e-5f), a, vec::set(3.764210269e-4f));
    const vec h67 = vec::fma(vec::set(1.333295018e-6f), a, vec::set(-1.189575414e-5f));
    const vec h89 = vec::fma(vec::set(1.588915888e-9f), a, vec::set(-7.241186495e-8f));
    const vec h4567 = vec::fma(h67, a2, h45);
    const vec h = vec::fma(vec::fma(h89, a4, h4567), a4, vec::fma(h23, a2, h01));
    const vec part = vec::mul(vec::mul(vec::set(0.5f), vec::abs(x)), exp(vec::mul(h, vec::sub(vec::zero(), a))));
    return vec::sub(vec::max(x, vec::zero()), part);
}

/// sums = before + x * panel: `Rows` rows of x by a panel of `Vecs` vectors for each of `depth` features. `before`
/// (null for 0) and sums have rows of `stride` values. All sums are held in registers. On the way, memory needed
/// next is brought near.
template <int Rows, int Vecs>
BERT_ALWAYS_INLINE void tile_products(const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t depth, const float* panel,
                                      const float* before, float* sums, std::ptrdiff_t stride,
                                      detail::Ahead ahead = {}) {
    vec totals[Rows][Vecs];
    for (int r = 0; r < Rows; ++r) {
        for (int v = 0; v < Vecs; ++v) {
            totals[r][v] = before ? vec::load(before + r * stride + v * vec::size) : vec::zero();
        }
    }
    for (std::ptrdiff_t k = 0; k < depth; ++k) {
        ahead.fetch();
        vec weights[Vecs];
        for (int v = 0; v < Vecs; ++v) weights[v] = vec::load(panel + v * vec::size);
        for (int r = 0; r < Rows; ++r) {
            const vec value = vec::set(x[r * x_stride + k]);
            for (int v = 0; v < Vecs; ++v) totals[r][v] = vec::fma(value, weights[v], totals[r][v]);
        }
        panel += Vecs * vec::size;
    }
    for (int r = 0; r < Rows; ++r) {
        for (int v = 0; v < Vecs; ++v) vec::store(sums + r * stride + v * vec::size, totals[r][v]);
    }
}

// Attention works on panels of two vectors, whatever linear() does: a head is 32 or 64 wide.
inline constexpr int head_vecs = 2;
inline constexpr std::ptrdiff_t head_panel = head_vecs * vec::size;
inline constexpr int query_tile = 6;

inline std::size_t attention_scratch(std::ptrdiff_t keys, std::ptrdiff_t head_dim) {
    const std::ptrdiff_t padded = round_up(keys, head_panel);
    return static_cast<std::size_t>(padded * head_dim + keys * round_up(head_dim, head_panel) + query_tile * padded);
}

/// Softmax without its division: replaces the `keys` scores (the last ones -infinity up to whole vectors) by
/// e^(score - largest) and returns 1/sum.
BERT_ALWAYS_INLINE float exponentials(float* scores, std::ptrdiff_t keys) {
    vec largest = vec::load(scores);
    for (std::ptrdiff_t i = vec::size; i < keys; i += vec::size) largest = vec::max(largest, vec::load(scores + i));
    const vec shift = vec::set(vec::largest(largest));
    vec sum = vec::zero();
    for (std::ptrdiff_t i = 0; i < keys; i += vec::size) {
        const vec value = exp(vec::sub(vec::load(scores + i), shift));
        vec::store(scores + i, value);
        sum = vec::add(sum, value);
    }
    return 1.0f / vec::sum(sum);
}

/// Keys and values of one head in the order the products read them.
struct HeadPanels {
    const float* keys;    // scaled and transposed: for each dimension, head_panel keys in a row
    const float* values;  // for each key, head_panel dimensions in a row
    float* scores;        // query_tile rows
};

/// Attention of the `Rows` queries from `first` on.
template <int Rows>
void attend(const AttentionArguments<float>& a, std::ptrdiff_t first, const HeadPanels& panels) {
    const float* const q = a.q + first * a.q_stride;
    // The keys that the last of these queries sees; those before it may see fewer.
    const std::ptrdiff_t seen = a.causal ? a.keys - a.queries + first + Rows : a.keys;
    const std::ptrdiff_t padded = round_up(seen, head_panel);
    for (std::ptrdiff_t key = 0; key < padded; key += head_panel) {
        tile_products<Rows, head_vecs>(q, a.q_stride, a.head_dim, panels.keys + key * a.head_dim, nullptr,
                                       panels.scores + key, padded);
    }
    float scales[Rows];
    for (int r = 0; r < Rows; ++r) {
        float* const row = panels.scores + r * padded;
        for (std::ptrdiff_t key = a.causal ? seen - Rows + r + 1 : seen; key < padded; ++key) row[key] = -infinity;
        if (a.mask) {
            for (std::ptrdiff_t key = 0; key < seen; ++key) row[key] = a.mask[key] ? row[key] : -infinity;
        }
        scales[r] = exponentials(row, padded);
        if (a.probabilities) {
            float* const map = a.probabilities + (first + r) * a.keys;
            for (std::ptrdiff_t key = 0; key < a.keys; ++key) map[key] = key < seen ? row[key] * scales[r] : 0.0f;
        }
    }
    float* const out = a.out + first * a.out_stride;
    for (std::ptrdiff_t column = 0; column < a.head_dim; column += head_panel) {
        float sums[Rows * head_panel];
        tile_products<Rows, head_vecs>(panels.scores, padded, seen, panels.values + column * a.keys, nullptr, sums,
                                       head_panel);
        for (int r = 0; r < Rows; ++r) {
            for (int v = 0; v < head_vecs; ++v) {
                const std::ptrdiff_t d = column + v * vec::size;
                if (d >= a.head_dim) break;
                store_first(out + r * a.out_stride + d, a.head_dim - d,
                            vec::mul(vec::load(sums + r * head_panel + v * vec::size), vec::set(scales[r])));
            }
        }
    }
}

inline void attention(const AttentionArguments<float>& a) {
    const std::ptrdiff_t padded = round_up(a.keys, head_panel);
    float* const key_panels = a.scratch;
    for (std::ptrdiff_t first = 0; first < padded; first += head_panel) {
        float* const panel = key_panels + first * a.head_dim;
        for (std::ptrdiff_t j = 0; j < head_panel; ++j) {
            const float* const key = a.k + (first + j) * a.k_stride;
            const bool exists = first + j < a.keys;
            for (std::ptrdiff_t d = 0; d < a.head_dim; ++d) {
                panel[d * head_panel + j] = exists ? key[d] * a.scale : 0.0f;
            }
        }
    }
    float* const value_panels = key_panels + padded * a.head_dim;
    for (std::ptrdiff_t column = 0; column < a.head_dim; column += head_panel) {
        float* panel = value_panels + column * a.keys;
        for (std::ptrdiff_t key = 0; key < a.keys; ++key, panel += head_panel) {
            for (int part = 0; part < head_vecs; ++part) {
                const std::ptrdiff_t d = column + part * vec::size;
                vec::store(panel + part * vec::size,
                           d < a.head_dim ? load_first(a.v + key * a.v_stride + d, a.head_dim - d) : vec::zero());
            }
        }
    }
    const HeadPanels panels{key_panels, value_panels, value_panels + a.keys * round_up(a.head_dim, head_panel)};

    std::ptrdiff_t row = 0;
    for (; a.queries - row >= query_tile; row += query_tile) attend<query_tile>(a, row, panels);
    for (; a.queries - row >= 2; row += 2) attend<2>(a, row, panels);
    if (row < a.queries) attend<1>(a, row, panels);
}

inline void layer_norm(float* x, std::ptrdiff_t stride, std::ptrdiff_t rows, std::ptrdiff_t n, const float* weight,
                       const float* bias, float epsilon) {
    const vec count = vec::set(static_cast<float>(n));
    for (std::ptrdiff_t row = 0; row < rows; ++row, x += stride) {
        vec sum = vec::zero();
        for (std::ptrdiff_t i = 0; i < n; i += vec::size) sum = vec::add(sum, load_first(x + i, n - i));
        const vec mean = vec::div(vec::set(vec::sum(sum)), count);
        vec squares = vec::zero();
        for (std::ptrdiff_t i = 0; i < n; i += vec::size) {
            vec centred = vec::sub(load_first(x + i, n - i), mean);
            if (n - i < vec::size) centred = vec::first(centred, n - i);
            squares = vec::fma(centred, centred, squares);
        }
        const vec variance = vec::div(vec::set(vec::sum(squares)), count);
        const vec scale = vec::div(vec::set(1.0f), vec::sqrt(vec::add(variance, vec::set(epsilon))));
        for (std::ptrdiff_t i = 0; i < n; i += vec::size) {
            const vec centred = vec::sub(load_first(x + i, n - i), mean);
            store_first(x + i, n - i,
                        vec::fma(vec::mul(centred, scale), load_first(weight + i, n - i), load_first(bias + i, n - i)));
        }
    }
}
