// Attention of one head, in tiles of queries that see all their keys at once. Read after generic/encoder.inl, which
// see. The includer defines `float_row_tile`, the rows of a register tile.
//
// What is multiplied is laid out in lanes of 32 bits: a float each, or as many narrower values as one instruction adds
// up. Those of keys and queries are neighbouring dimensions, those of values and probabilities neighbouring keys.

// Panels are two vectors wide, whatever linear() does: a head is 32 or 64 wide.
inline constexpr int head_vecs = 2;
inline constexpr std::ptrdiff_t head_panel = head_vecs * vec::size;

/// How a head is multiplied: in floats. A class for narrower values has the same members.
struct FloatHead {
    using Session = detail::NoSession;
    static constexpr std::ptrdiff_t unit = 1;       // values of a lane
    static constexpr std::ptrdiff_t lane_step = 1;  // lanes up to a multiple of which rows are filled up with zeros
    static constexpr int query_tile = float_row_tile;
    static constexpr float score_factor = 1.0f;  // exponential(score_factor x) = e^x

    /// Up to vec::size lanes of a key or query of which n > 0 dimensions are left; what is missing is 0.
    static BERT_ALWAYS_INLINE vec along(const float* x, std::ptrdiff_t n, float factor) {
        return vec::mul(load_first(x, n), vec::set(factor));
    }
    /// Lanes of `unit` neighbouring values, of which `keys` > 0 are left; of each n > 0 dimensions.
    static BERT_ALWAYS_INLINE vec across(const float* x, std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t n) {
        return load_first(x, n);
    }
    static BERT_ALWAYS_INLINE vec exponential(vec x) { return exp(x); }
    /// Probabilities of the keys from `key` on, in a row of lanes.
    static BERT_ALWAYS_INLINE void store(float* row, std::ptrdiff_t key, vec x) { vec::store(row + key, x); }
    static BERT_ALWAYS_INLINE float get(const float* row, std::ptrdiff_t key) { return row[key]; }

    /// sums = x * panel, see tile_products().
    template <int Rows>
    static BERT_ALWAYS_INLINE void multiply(const float* x, std::ptrdiff_t x_stride, std::ptrdiff_t lanes,
                                            const float* panel, float* sums, std::ptrdiff_t stride) {
        tile_products<Rows, head_vecs>(x, x_stride, lanes, panel, nullptr, sums, stride, detail::NothingAhead());
    }
};

/// Lanes that `n` values take.
template <class Head>
BERT_ALWAYS_INLINE std::ptrdiff_t lanes_of(std::ptrdiff_t n) {
    return round_up((n + Head::unit - 1) / Head::unit, Head::lane_step);
}

/// How many floats, or lanes, the parts of a head's scratch memory take.
template <class Head>
struct HeadSizes {
    std::ptrdiff_t key_lanes;    // of a key
    std::ptrdiff_t value_lanes;  // of a dimension of all values
    std::ptrdiff_t keys;         // scaled and transposed: for each lane, that of head_panel keys in a row
    std::ptrdiff_t values;       // for each lane, that of head_panel dimensions in a row
    std::ptrdiff_t queries;      // query_tile rows
    std::ptrdiff_t scores;       // query_tile rows, which become probabilities

    BERT_ALWAYS_INLINE HeadSizes(std::ptrdiff_t key_count, std::ptrdiff_t head_dim)
        : key_lanes(lanes_of<Head>(head_dim)),
          value_lanes(lanes_of<Head>(key_count)),
          keys(round_up(key_count, head_panel) * key_lanes),
          values(value_lanes * round_up(head_dim, head_panel)),
          queries(Head::unit == 1 ? 0 : Head::query_tile * round_up(key_lanes, vec::size)),
          scores(Head::query_tile * round_up(key_count, head_panel)) {}
};

template <class Head>
std::size_t attention_scratch(std::ptrdiff_t keys, std::ptrdiff_t head_dim) {
    const HeadSizes<Head> sizes(keys, head_dim);
    return static_cast<std::size_t>(sizes.keys + sizes.values + sizes.queries + sizes.scores);
}

template <class Head>
void pack_keys(const AttentionArguments<float>& a, std::ptrdiff_t key_lanes, float* panel) {
    for (std::ptrdiff_t first = 0; first < a.keys; first += head_panel, panel += key_lanes * head_panel) {
        const auto load = [&](std::ptrdiff_t key, std::ptrdiff_t lane) {
            const std::ptrdiff_t d = lane * Head::unit;
            return Head::along(a.k + (first + key) * a.k_stride + d, a.head_dim - d, a.scale * Head::score_factor);
        };
        pack_rows(a.keys - first, key_lanes, head_panel, load, panel);
    }
}

template <class Head>
void pack_values(const AttentionArguments<float>& a, std::ptrdiff_t value_lanes, float* panel) {
    for (std::ptrdiff_t column = 0; column < a.head_dim; column += head_panel) {
        for (std::ptrdiff_t lane = 0; lane < value_lanes; ++lane, panel += head_panel) {
            const std::ptrdiff_t key = lane * Head::unit;
            for (std::ptrdiff_t part = 0; part < head_panel; part += vec::size) {
                const std::ptrdiff_t d = column + part;
                vec::store(panel + part,
                           d < a.head_dim && key < a.keys
                               ? Head::across(a.v + key * a.v_stride + d, a.v_stride, a.keys - key, a.head_dim - d)
                               : vec::zero());
            }
        }
    }
}

/// Softmax without its division: replaces the `keys` scores of each row (the last ones -infinity up to whole vectors)
/// by e^(score - largest) and gives 1/sum. Rows take turns: one by one they would wait for their own largest and sum.
template <class Head, int Rows>
BERT_ALWAYS_INLINE void exponentials(float* scores, std::ptrdiff_t keys, float (&scales)[Rows]) {
    vec largest[Rows];
    for (int r = 0; r < Rows; ++r) largest[r] = vec::load(scores + r * keys);
    for (std::ptrdiff_t i = vec::size; i < keys; i += vec::size) {
        for (int r = 0; r < Rows; ++r) largest[r] = vec::max(largest[r], vec::load(scores + r * keys + i));
    }
    for (int r = 0; r < Rows; ++r) largest[r] = vec::set(vec::largest(largest[r]));
    vec sums[Rows];
    for (int r = 0; r < Rows; ++r) {
        float* const row = scores + r * keys;
        sums[r] = vec::zero();
        for (std::ptrdiff_t i = 0; i < keys; i += vec::size) {
            const vec value = Head::exponential(vec::sub(vec::load(row + i), largest[r]));
            Head::store(row, i, value);
            sums[r] = vec::add(sums[r], value);
        }
    }
    for (int r = 0; r < Rows; ++r) scales[r] = 1.0f / vec::sum(sums[r]);
}

/// Where the parts of a head's scratch memory are.
struct HeadPanels {
    const float* keys;
    const float* values;
    float* queries;
    float* scores;
};

/// Attention of the `Rows` queries from `first` on.
template <class Head, int Rows>
void attend(const AttentionArguments<float>& a, std::ptrdiff_t first, const HeadSizes<Head>& sizes,
            const HeadPanels& panels) {
    const float* q = a.q + first * a.q_stride;
    std::ptrdiff_t q_stride = a.q_stride;
    if constexpr (Head::unit > 1) {
        q_stride = round_up(sizes.key_lanes, vec::size);
        for (int r = 0; r < Rows; ++r) {
            for (std::ptrdiff_t lane = 0; lane < sizes.key_lanes; lane += vec::size) {
                const std::ptrdiff_t d = lane * Head::unit;
                vec::store(panels.queries + r * q_stride + lane,
                           Head::along(q + r * a.q_stride + d, a.head_dim - d, 1.0f));
            }
        }
        q = panels.queries;
    }
    // The keys that the last of these queries sees; those before it may see fewer.
    const std::ptrdiff_t seen = a.causal ? a.keys - a.queries + first + Rows : a.keys;
    const std::ptrdiff_t padded = round_up(seen, head_panel);
    for (std::ptrdiff_t key = 0; key < padded; key += head_panel) {
        Head::template multiply<Rows>(q, q_stride, sizes.key_lanes, panels.keys + key * sizes.key_lanes,
                                      panels.scores + key, padded);
    }
    for (int r = 0; r < Rows; ++r) {
        float* const row = panels.scores + r * padded;
        for (std::ptrdiff_t key = a.causal ? seen - Rows + r + 1 : seen; key < padded; ++key) row[key] = -infinity;
        if (a.mask) {
            for (std::ptrdiff_t key = 0; key < seen; ++key) row[key] = a.mask[key] ? row[key] : -infinity;
        }
    }
    float scales[Rows];
    exponentials<Head>(panels.scores, padded, scales);
    for (int r = 0; r < Rows && a.probabilities; ++r) {
        float* const map = a.probabilities + (first + r) * a.keys;
        for (std::ptrdiff_t key = 0; key < a.keys; ++key) {
            map[key] = key < seen ? Head::get(panels.scores + r * padded, key) * scales[r] : 0.0f;
        }
    }
    const std::ptrdiff_t value_lanes = lanes_of<Head>(seen);
    float* const out = a.out + first * a.out_stride;
    for (std::ptrdiff_t column = 0; column < a.head_dim; column += head_panel) {
        alignas(64) float sums[Head::query_tile * head_panel];
        Head::template multiply<Rows>(panels.scores, padded, value_lanes, panels.values + column * sizes.value_lanes,
                                      sums, head_panel);
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

/// Attention of the queries from `first` on, in tiles of `Rows` and of ever fewer.
template <class Head, int Rows>
BERT_ALWAYS_INLINE void attend_tiles(const AttentionArguments<float>& a, std::ptrdiff_t first,
                                     const HeadSizes<Head>& sizes, const HeadPanels& panels) {
    for (; a.queries - first >= Rows; first += Rows) attend<Head, Rows>(a, first, sizes, panels);
    if constexpr (Rows > 1) attend_tiles<Head, Rows / 2>(a, first, sizes, panels);
}

template <class Head>
void attention(const AttentionArguments<float>& a) {
    [[maybe_unused]] const typename Head::Session session;
    const HeadSizes<Head> sizes(a.keys, a.head_dim);
    float* const values = a.scratch + sizes.keys;
    float* const queries = values + sizes.values;
    pack_keys<Head>(a, sizes.key_lanes, a.scratch);
    pack_values<Head>(a, sizes.value_lanes, values);
    attend_tiles<Head, Head::query_tile>(a, 0, sizes, {a.scratch, values, queries, queries + sizes.queries});
}

template <class Head>
inline constexpr AttentionKernel<float> attention_with{attention_scratch<Head>, attention<Head>};
