// Embeddings in 8 bits or 1 bit a dimension, and search among them with rescoring. Depends on tasks/semantic_search.
// Follows sentence_transformers.util.quantization.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/error.hpp>
#include <bert/tasks/score_blocks.hpp>
#include <bert/tasks/semantic_search.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

BERT_NAMESPACE_BEGIN

/// The least and the greatest value of each dimension: 2 x d. What embeddings are quantised with has to be kept, to
/// quantise queries and to rescore. Errors: input (no rows, a value that is not finite).
Matrix quantization_ranges(const ConstRows<float>& calibration);

namespace detail {

/// The width of a quantisation step in each dimension; 1 where the range is a point. Errors: shape, input.
Vector<float> quantization_steps(const ConstRows<float>& ranges, Index dimension);

template <class Code>
RowMatrix<Code> quantize_scalar(const ConstRows<float>& embeddings, const ConstRows<float>& ranges) {
    check_finite(embeddings, "quantisation");
    const Vector<float> steps = quantization_steps(ranges, embeddings.cols());
    constexpr int offset = std::is_signed_v<Code> ? 128 : 0;
    RowMatrix<Code> codes(embeddings.rows(), embeddings.cols());
    for (Index row = 0; row < codes.rows(); ++row) {
        for (Index i = 0; i < codes.cols(); ++i) {
            const float level = std::floor((embeddings(row, i) - ranges(0, i)) / steps(i));
            codes(row, i) = static_cast<Code>(static_cast<int>(std::clamp(level, 0.0f, 255.0f)) - offset);
        }
    }
    return codes;
}

Index packed_bytes(Index dimension) noexcept;

template <class Code>
RowMatrix<Code> quantize_bits(const ConstRows<float>& embeddings) {
    check_finite(embeddings, "quantisation");
    constexpr unsigned flipped = std::is_signed_v<Code> ? 0x80 : 0;
    RowMatrix<Code> codes(embeddings.rows(), packed_bytes(embeddings.cols()));
    for (Index row = 0; row < codes.rows(); ++row) {
        for (Index byte = 0; byte < codes.cols(); ++byte) {
            unsigned bits = 0;
            for (Index i = 8 * byte; i < std::min(8 * byte + 8, embeddings.cols()); ++i) {
                if (embeddings(row, i) > 0) bits |= 0x80u >> (i % 8);
            }
            codes(row, byte) = static_cast<Code>(bits ^ flipped);
        }
    }
    return codes;
}

}  // namespace detail

/// Codes from -128 to 127, 255 steps over each dimension's range; values beyond it become its ends. `ranges`: see
/// quantization_ranges(). Errors: shape, input (a value or range that is not finite).
RowMatrix<std::int8_t> quantize_int8(const ConstRows<float>& embeddings, const ConstRows<float>& ranges);

/// The same with the ranges of the embeddings themselves. Errors: input (a single embedding).
RowMatrix<std::int8_t> quantize_int8(const ConstRows<float>& embeddings);

/// As quantize_int8(), with codes from 0 to 255.
RowMatrix<std::uint8_t> quantize_uint8(const ConstRows<float>& embeddings, const ConstRows<float>& ranges);

/// The same with the ranges of the embeddings themselves. Errors: input (a single embedding).
RowMatrix<std::uint8_t> quantize_uint8(const ConstRows<float>& embeddings);

/// One bit a dimension, set where the value is positive: n x ceil(d / 8) bytes, the first dimension in the highest bit.
/// Errors: input (a value that is not finite).
RowMatrix<std::uint8_t> quantize_ubinary(const ConstRows<float>& embeddings);

/// As quantize_ubinary(), each byte less 128 as a signed number (the highest bit flipped).
RowMatrix<std::int8_t> quantize_binary(const ConstRows<float>& embeddings);

/// Options of searches among quantised embeddings.
struct QuantizedSearchOptions {
    std::size_t top_k = 10;              ///< of hits a query
    bool rescore = true;                 ///< rank the best candidates again with the float query
    std::size_t rescore_multiplier = 2;  ///< candidates to rescore, as a multiple of top_k; at least 1
};

namespace detail {

/// Scores all rows of a corpus with `coarse(query, row)`, keeps the best and, where asked, scores those again with
/// `fine(query, row)`.
template <class Coarse, class Fine>
std::vector<std::vector<SearchHit>> search_and_rescore(Index queries, Index corpus,
                                                       const QuantizedSearchOptions& options, ThreadPool* threads,
                                                       const Coarse& coarse, const Fine& fine) {
    if (options.rescore_multiplier < 1) fail(ErrorKind::input, "rescore_multiplier should be at least 1, given 0");
    const std::size_t multiplier = options.rescore ? options.rescore_multiplier : 1;
    const auto rows = static_cast<std::size_t>(corpus);
    const std::size_t limit = options.top_k > rows / multiplier ? rows : options.top_k * multiplier;
    std::vector<std::vector<SearchHit>> result(static_cast<std::size_t>(queries));
    Workspace workspace(threads);
    workspace.run(result.size(), [&](std::size_t task, std::size_t) {
        const auto query = static_cast<Index>(task);
        BestCandidates best(limit);
        for (Index row = 0; row < corpus; ++row) best.add(coarse(query, row), row);
        std::vector<Candidate> found = best.take();
        if (options.rescore) {
            for (Candidate& candidate : found) candidate.score = fine(query, candidate.row);
            std::sort(found.begin(), found.end(), ranks_before);
        }
        found.resize(std::min(found.size(), options.top_k));
        result[task] = to_hits(found);
    });
    return result;
}

template <class Code>
std::vector<std::vector<SearchHit>> search_scalar(const ConstRows<float>& queries, const ConstRows<Code>& corpus,
                                                  const ConstRows<float>& ranges, const QuantizedSearchOptions& options,
                                                  ThreadPool* threads) {
    check_same_dimension(queries.cols(), corpus.cols(), "quantised search");
    const RowMatrix<Code> codes = quantize_scalar<Code>(queries, ranges);
    const Vector<float> steps = quantization_steps(ranges, queries.cols());
    constexpr int offset = std::is_signed_v<Code> ? 128 : 0;
    return search_and_rescore(
        queries.rows(), corpus.rows(), options, threads,
        [&](Index query, Index row) {
            std::int64_t sum = 0;
            for (Index i = 0; i < codes.cols(); ++i) sum += std::int64_t{codes(query, i)} * corpus(row, i);
            return static_cast<double>(sum);
        },
        [&](Index query, Index row) {
            double sum = 0;
            for (Index i = 0; i < codes.cols(); ++i) {
                const double value =
                    (int{corpus(row, i)} + offset) * static_cast<double>(steps(i)) + static_cast<double>(ranges(0, i));
                sum += static_cast<double>(queries(query, i)) * value;
            }
            return sum;
        });
}

/// Bits in which two codes differ.
std::size_t hamming_distance(const void* a, const void* b, std::size_t bytes);

template <class Code>
std::vector<std::vector<SearchHit>> search_bits(const ConstRows<float>& queries, const ConstRows<Code>& corpus,
                                                const QuantizedSearchOptions& options, ThreadPool* threads) {
    if (corpus.cols() != packed_bytes(queries.cols())) {
        fail(ErrorKind::shape, "quantised search: queries of ", queries.cols(), " dimensions need codes of ",
             packed_bytes(queries.cols()), " bytes, given ", corpus.cols());
    }
    constexpr unsigned flipped = std::is_signed_v<Code> ? 0x80 : 0;
    const RowMatrix<Code> codes = quantize_bits<Code>(queries);
    return search_and_rescore(
        queries.rows(), corpus.rows(), options, threads,
        [&](Index query, Index row) {
            return -static_cast<double>(hamming_distance(codes.row(query).data(), corpus.row(row).data(),
                                                         static_cast<std::size_t>(codes.cols())));
        },
        [&](Index query, Index row) {
            double sum = 0;
            for (Index i = 0; i < queries.cols(); ++i) {
                const unsigned byte = static_cast<unsigned char>(corpus(row, i / 8)) ^ flipped;
                if (byte & (0x80u >> (i % 8))) sum += static_cast<double>(queries(query, i));
            }
            return sum;
        });
}

}  // namespace detail

/// Search among int8 codes (m x d) made with `ranges`, as sentence-transformers searches exactly: the best top_k *
/// rescore_multiplier rows by the product of codes, ranked again by the product of the float query (n x d) and the
/// restored embeddings. A hit's score is that product, or without rescoring the product of codes. Equal scores: the
/// lower corpus_id first. Errors: shape, input.
std::vector<std::vector<SearchHit>> semantic_search_int8(const ConstRows<float>& queries,
                                                         const ConstRows<std::int8_t>& corpus,
                                                         const ConstRows<float>& ranges,
                                                         const QuantizedSearchOptions& options = {},
                                                         ThreadPool* threads = nullptr);

/// The same among uint8 codes.
std::vector<std::vector<SearchHit>> semantic_search_uint8(const ConstRows<float>& queries,
                                                          const ConstRows<std::uint8_t>& corpus,
                                                          const ConstRows<float>& ranges,
                                                          const QuantizedSearchOptions& options = {},
                                                          ThreadPool* threads = nullptr);

/// Search among codes of quantize_ubinary(): the best top_k * rescore_multiplier rows by Hamming distance, ranked again
/// by the product of the float query and the bits. A hit's score is that product, or without rescoring the negated
/// distance. Equal scores: the lower corpus_id first. Errors: shape, input.
std::vector<std::vector<SearchHit>> semantic_search_ubinary(const ConstRows<float>& queries,
                                                            const ConstRows<std::uint8_t>& corpus,
                                                            const QuantizedSearchOptions& options = {},
                                                            ThreadPool* threads = nullptr);

/// The same among codes of quantize_binary().
std::vector<std::vector<SearchHit>> semantic_search_binary(const ConstRows<float>& queries,
                                                           const ConstRows<std::int8_t>& corpus,
                                                           const QuantizedSearchOptions& options = {},
                                                           ThreadPool* threads = nullptr);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/embedding_quantization.ipp>
#endif
