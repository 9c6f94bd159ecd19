// Functions of vectors, register tiles and layer norm, written once over `vec` and read again for every instruction
// set, inside its namespace and target region. The includer defines `vec` (see kernels/avx2.hpp for its operations) and
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

/// The same where perhaps nothing is left.
BERT_ALWAYS_INLINE vec load_left(const float* p, std::ptrdiff_t n) {
    return n > 0 ? load_first(p, n) : vec::zero();
}

BERT_ALWAYS_INLINE void store_first(float* p, std::ptrdiff_t n, vec v) {
    if (n >= vec::size) {
        vec::store(p, v);
    } else {
        vec::store_partial(p, n, v);
    }
}

/// Turns rows of 32-bit units into a panel: for each of `units` units of a row, those of all rows side by side, zeros
/// where there are less than `width` of them, a multiple of vec::size. load(row, unit): the units of a row from `unit`
/// on, of which `units` - `unit` exist.
template <class Load>
BERT_ALWAYS_INLINE void pack_rows(std::ptrdiff_t rows, std::ptrdiff_t units, std::ptrdiff_t width, const Load& load,
                                  void* panel) {
    for (std::ptrdiff_t unit = 0; unit < units; unit += vec::size) {
        const std::ptrdiff_t count = smaller(vec::size, units - unit);
        for (std::ptrdiff_t part = 0; part < width; part += vec::size) {
            vec square[vec::size];
            for (std::ptrdiff_t i = 0; i < vec::size; ++i) {
                square[i] = part + i < rows ? load(part + i, unit) : vec::zero();
            }
            vec::transpose(square);
            for (std::ptrdiff_t i = 0; i < count; ++i) {
                std::memcpy(static_cast<float*>(panel) + (unit + i) * width + part, &square[i], sizeof(vec));
            }
        }
    }
}

/// e^x for x <= 88 within 1.5 ulp (3 without fused multiply-add); 0 below -87.3, where floats become denormal; NaN for
/// NaN.
BERT_ALWAYS_INLINE vec exp(vec x) {
    const vec lowest = vec::set(-87.33654f);
    const vec clamped = vec::max(lowest, x);  // in this order, which keeps NaN on x86
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

/// gelu() within 1.5e-5, at less than half its cost: for layers whose weights are rounded more than that.
///
/// With a = |x|, erfc(a/sqrt 2)/2 is a polynomial around the middle of [0, 4.5]; beyond, x/2 erfc is below 1.6e-5.
BERT_ALWAYS_INLINE vec narrow_gelu(vec x) {
    const vec a = vec::min(vec::set(4.5f), vec::abs(x));  // in this order, which keeps NaN on x86
    const vec u = vec::sub(a, vec::set(2.25f));
    const vec u2 = vec::mul(u, u);
    const vec u4 = vec::mul(u2, u2);
    const vec p01 = vec::fma(vec::set(-3.17103453e-2f), u, vec::set(1.22209834e-2f));
    const vec p23 = vec::fma(vec::set(-2.16314644e-2f), u, vec::set(3.57415527e-2f));
    const vec p45 = vec::fma(vec::set(6.43775391e-4f), u, vec::set(6.09582756e-3f));
    const vec p67 = vec::fma(vec::set(1.70603627e-4f), u, vec::set(-9.89309512e-4f));
    const vec p89 = vec::fma(vec::set(-1.2893739e-5f), u, vec::set(4.39067226e-5f));
    const vec p4567 = vec::fma(p67, u2, p45);
    const vec p = vec::fma(vec::fma(p89, u4, p4567), u4, vec::fma(p23, u2, p01));
    return vec::fnma(a, p, vec::max(x, vec::zero()));
}

/// sums = before + x * panel: `Rows` rows of x by a panel of `Vecs` vectors for each of `depth` features. `before`
/// (null for 0) and sums have rows of `stride` values. All sums are held in registers. On the way, memory needed
/// next is brought near.
template <int Rows, int Vecs, class Ahead>
BERT_ALWAYS_INLINE void tile_products(const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t depth, const float* panel,
                                      const float* before, float* sums, std::ptrdiff_t stride, Ahead ahead) {
    vec totals[Rows][Vecs];
    for (int r = 0; r < Rows; ++r) {
        for (int v = 0; v < Vecs; ++v) {
            totals[r][v] = before ? vec::load(before + r * stride + v * vec::size) : vec::zero();
        }
    }
    for (std::ptrdiff_t k = 0; k < depth; ++k) {
        ahead.template fetch<Rows>();
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

inline void layer_norm(float* x, std::ptrdiff_t stride, std::ptrdiff_t rows, std::ptrdiff_t n, const float* weight,
                       const float* bias, float epsilon) {
    const vec count = vec::set(static_cast<float>(n));
    for (std::ptrdiff_t row = 0; row < rows; ++row, x += stride) {
        vec sum = vec::zero();
        for (std::ptrdiff_t i = 0; i < n; i += vec::size) sum = vec::add(sum, load_first(x + i, n - i));
        vec mean = vec::div(vec::set(vec::sum(sum)), count);
        vec squares = vec::zero();
        vec rest = vec::zero();
        for (std::ptrdiff_t i = 0; i < n; i += vec::size) {
            vec centred = vec::sub(load_first(x + i, n - i), mean);
            if (n - i < vec::size) centred = vec::first(centred, n - i);
            squares = vec::fma(centred, centred, squares);
            rest = vec::add(rest, centred);
        }
        // What rounding left out of the mean, which small epsilons would show where all values are the same.
        mean = vec::add(mean, vec::div(vec::set(vec::sum(rest)), count));
        const vec variance = vec::div(vec::set(vec::sum(squares)), count);
        // Where the squares overflow, NaN, which is noticed, and not 0.
        const vec overflow = vec::sub(variance, variance);
        const vec scale =
            vec::add(vec::div(vec::set(1.0f), vec::sqrt(vec::add(variance, vec::set(epsilon)))), overflow);
        for (std::ptrdiff_t i = 0; i < n; i += vec::size) {
            const vec centred = vec::sub(load_first(x + i, n - i), mean);
            store_first(x + i, n - i,
                        vec::fma(vec::mul(centred, scale), load_first(weight + i, n - i), load_first(bias + i, n - i)));
        }
    }
}
