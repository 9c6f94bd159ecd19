// Definitions of tasks/explain/contributions.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/sentence_config.hpp>
#include <bert/tasks/explain/contributions.hpp>
#include <bert/tasks/similarity.hpp>
#include <bert/text/encode_options.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <variant>

BERT_NAMESPACE_BEGIN

BERT_INLINE std::vector<WordContribution> word_contributions(const SentenceEncoder& encoder, const std::string& text,
                                                             const EmbedOptions& options) {
    EncodeOptions limit;
    limit.max_length = encoder.max_seq_length();
    const Encoding encoding = encoder.tokenizer().encode(text, limit);
    std::vector<WordContribution> words;
    for (std::size_t token = 0; token < encoding.size(); ++token) {
        if (encoding.word_ids[token] < 0) continue;
        const bool goes_on = token > 0 && encoding.word_ids[token - 1] == encoding.word_ids[token];
        if (goes_on) words.back().span.end = encoding.offsets[token].end;
        else words.push_back({encoding.offsets[token], 0});
    }
    const Matrix whole = encoder.encode({text}, options);
    // Copies of a text of any length: a few at a time.
    const std::size_t at_once = std::max<std::size_t>(1, (std::size_t{1} << 20) / (text.size() + 1));
    for (std::size_t first = 0; first < words.size(); first += at_once) {
        const std::size_t last = std::min(words.size(), first + at_once);
        std::vector<std::string> texts;
        for (std::size_t i = first; i < last; ++i) {
            texts.push_back(std::string(text).erase(words[i].span.begin, words[i].span.end - words[i].span.begin));
        }
        const Matrix cosines = similarity(whole, encoder.encode(texts, options));
        for (std::size_t i = first; i < last; ++i) words[i].change = 1 - cosines(0, static_cast<Index>(i - first));
    }
    return words;
}

namespace detail {

/// The share that pooling gives to each token: an embedding is their weighted sum. Errors: unsupported.
BERT_INLINE Vector<double> pooling_weights(PoolingMode mode, Index tokens) {
    Vector<double> weights = Vector<double>::Zero(tokens);
    const auto n = static_cast<double>(tokens);
    switch (mode) {
        case PoolingMode::cls: weights(0) = 1; break;
        case PoolingMode::last_token: weights(tokens - 1) = 1; break;
        case PoolingMode::mean: weights.setConstant(1 / n); break;
        case PoolingMode::mean_sqrt_len: weights.setConstant(1 / std::sqrt(n)); break;
        case PoolingMode::weighted_mean:
            weights.setLinSpaced(tokens, 1, n);
            weights /= weights.sum();
            break;
        case PoolingMode::max: fail(ErrorKind::unsupported, "max pooling is no sum over tokens");
    }
    return weights;
}

/// The parts of an embedding that come from each token: tokens x dimension.
BERT_INLINE RowMatrix<double> token_parts(const SentenceEncoder& encoder, const std::string& text, Encoding& encoding) {
    EncodeOptions limit;
    limit.max_length = encoder.max_seq_length();
    encoding = encoder.tokenizer().encode(text, limit);
    const Matrix hidden = encoder.model().forward(encoding).last_hidden_state;
    const Vector<double> weights = pooling_weights(encoder.config().pooling.front(), hidden.rows());
    return weights.asDiagonal() * hidden.leftCols(encoder.dimension()).cast<double>();
}

}  // namespace detail

BERT_INLINE SimilarityContributions similarity_contributions(const SentenceEncoder& encoder, const std::string& first,
                                                             const std::string& second) {
    const SentenceConfig& config = encoder.config();
    const bool dense = std::any_of(config.modules.begin(), config.modules.end(),
                                   [](const auto& module) { return std::holds_alternative<DenseConfig>(module); });
    if (dense || config.pooling.size() != 1) {
        detail::fail(ErrorKind::unsupported, "the similarity of embeddings with ",
                     dense ? "Dense modules" : "several poolings", " is no sum over tokens");
    }
    SimilarityContributions result;
    const RowMatrix<double> a = detail::token_parts(encoder, first, result.first);
    const RowMatrix<double> b = detail::token_parts(encoder, second, result.second);
    const double lengths = a.colwise().sum().norm() * b.colwise().sum().norm();
    RowMatrix<double> products = a * b.transpose();
    if (lengths > 0) products /= lengths;
    else products.setZero();
    result.contributions = products.cast<float>();
    result.cosine = static_cast<float>(products.sum());
    return result;
}

BERT_NAMESPACE_END
