// Definitions of tasks/embedding_quantization.hpp.
#pragma once

#include <bert/tasks/embedding_quantization.hpp>

#include <bitset>
#include <cstring>

BERT_NAMESPACE_BEGIN

BERT_INLINE Matrix quantization_ranges(const ConstRows<float>& calibration) {
    detail::check_finite(calibration, "quantization_ranges");
    if (calibration.rows() == 0) {
        detail::fail(ErrorKind::input, "quantization_ranges: there are no embeddings to calibrate with");
    }
    Matrix ranges(2, calibration.cols());
    ranges.row(0) = calibration.colwise().minCoeff();
    ranges.row(1) = calibration.colwise().maxCoeff();
    return ranges;
}

namespace detail {

BERT_INLINE Vector<float> quantization_steps(const ConstRows<float>& ranges, Index dimension) {
    if (ranges.rows() != 2 || ranges.cols() != dimension) {
        fail(ErrorKind::shape, "quantisation ranges should be 2 x ", dimension, ", given ", ranges.rows(), " x ",
             ranges.cols());
    }
    Vector<float> steps = (ranges.row(1) - ranges.row(0)).transpose() / 255.0f;
    for (Index i = 0; i < dimension; ++i) {
        if (!ranges.col(i).allFinite() || !std::isfinite(steps(i))) {
            fail(ErrorKind::input, "the quantisation range of dimension ", i, " is not finite");
        }
        if (steps(i) == 0.0f) steps(i) = 1.0f;
    }
    return steps;
}

/// Ranges of the embeddings themselves. Errors: input (one embedding has no range).
BERT_INLINE Matrix own_ranges(const ConstRows<float>& embeddings) {
    if (embeddings.rows() == 0) return Matrix::Zero(2, embeddings.cols());
    if (embeddings.rows() == 1) {
        fail(ErrorKind::input, "a single embedding has no quantisation ranges: give those of a representative set");
    }
    return quantization_ranges(embeddings);
}

BERT_INLINE Index packed_bytes(Index dimension) noexcept {
    return (dimension + 7) / 8;
}

}  // namespace detail

BERT_INLINE RowMatrix<std::int8_t> quantize_int8(const ConstRows<float>& embeddings, const ConstRows<float>& ranges) {
    return detail::quantize_scalar<std::int8_t>(embeddings, ranges);
}

BERT_INLINE RowMatrix<std::int8_t> quantize_int8(const ConstRows<float>& embeddings) {
    return quantize_int8(embeddings, detail::own_ranges(embeddings));
}

BERT_INLINE RowMatrix<std::uint8_t> quantize_uint8(const ConstRows<float>& embeddings, const ConstRows<float>& ranges) {
    return detail::quantize_scalar<std::uint8_t>(embeddings, ranges);
}

BERT_INLINE RowMatrix<std::uint8_t> quantize_uint8(const ConstRows<float>& embeddings) {
    return quantize_uint8(embeddings, detail::own_ranges(embeddings));
}

BERT_INLINE RowMatrix<std::uint8_t> quantize_ubinary(const ConstRows<float>& embeddings) {
    return detail::quantize_bits<std::uint8_t>(embeddings);
}

BERT_INLINE RowMatrix<std::int8_t> quantize_binary(const ConstRows<float>& embeddings) {
    return detail::quantize_bits<std::int8_t>(embeddings);
}

namespace detail {

BERT_INLINE std::size_t hamming_distance(const void* a, const void* b, std::size_t bytes) {
    const auto* x = static_cast<const unsigned char*>(a);
    const auto* y = static_cast<const unsigned char*>(b);
    std::size_t bits = 0;
    for (std::size_t at = 0; at < bytes; at += 8) {
        const std::size_t count = std::min<std::size_t>(8, bytes - at);
        std::uint64_t u = 0;
        std::uint64_t v = 0;
        std::memcpy(&u, x + at, count);
        std::memcpy(&v, y + at, count);
        bits += std::bitset<64>(u ^ v).count();
    }
    return bits;
}

}  // namespace detail

BERT_INLINE std::vector<std::vector<SearchHit>> semantic_search_int8(const ConstRows<float>& queries,
                                                                     const ConstRows<std::int8_t>& corpus,
                                                                     const ConstRows<float>& ranges,
                                                                     const QuantizedSearchOptions& options,
                                                                     ThreadPool* threads) {
    return detail::search_scalar<std::int8_t>(queries, corpus, ranges, options, threads);
}

BERT_INLINE std::vector<std::vector<SearchHit>> semantic_search_uint8(const ConstRows<float>& queries,
                                                                      const ConstRows<std::uint8_t>& corpus,
                                                                      const ConstRows<float>& ranges,
                                                                      const QuantizedSearchOptions& options,
                                                                      ThreadPool* threads) {
    return detail::search_scalar<std::uint8_t>(queries, corpus, ranges, options, threads);
}

BERT_INLINE std::vector<std::vector<SearchHit>> semantic_search_ubinary(const ConstRows<float>& queries,
                                                                        const ConstRows<std::uint8_t>& corpus,
                                                                        const QuantizedSearchOptions& options,
                                                                        ThreadPool* threads) {
    return detail::search_bits<std::uint8_t>(queries, corpus, options, threads);
}

BERT_INLINE std::vector<std::vector<SearchHit>> semantic_search_binary(const ConstRows<float>& queries,
                                                                       const ConstRows<std::int8_t>& corpus,
                                                                       const QuantizedSearchOptions& options,
                                                                       ThreadPool* threads) {
    return detail::search_bits<std::int8_t>(queries, corpus, options, threads);
}

BERT_NAMESPACE_END
