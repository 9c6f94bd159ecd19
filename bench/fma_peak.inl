// The multiply-add peak of one instruction set: read once per set, inside its namespace and target region. The includer
// defines `vec` (a vector of that set) `chains`, the independent sums that registers have
// room for, and `operations`, what vec::fma does for each of its lanes.

/// Runs `steps` multiply-adds in each chain and writes their sums to `out`, so that nothing can be left out.
inline void multiply_add(const float* factors, std::ptrdiff_t steps, float* out) {
    const vec a = vec::load(factors);
    const vec b = vec::load(factors + vec::size);
    vec sums[chains];
    for (int i = 0; i < chains; ++i) sums[i] = vec::set(factors[i]);
    for (std::ptrdiff_t step = 0; step < steps; ++step) {
        for (int i = 0; i < chains; ++i) sums[i] = vec::fma(a, b, sums[i]);
    }
    for (int i = 0; i < chains; ++i) vec::store(out + i * vec::size, sums[i]);
}

inline constexpr Peak peak{multiply_add, operations* chains* vec::size};
