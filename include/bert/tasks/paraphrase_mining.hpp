// The pairs of texts that are most alike among many. Depends on tasks/score_blocks and tasks/sentence_encoder.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/tasks/sentence_encoder.hpp>

#include <cstddef>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Options of paraphrase_mining().
struct ParaphraseMiningOptions {
    std::size_t top_k = 100;                  ///< neighbours of each text that are considered
    std::size_t max_pairs = 500000;           ///< most pairs returned
    Similarity measure = Similarity::cosine;  ///< by which texts are alike
};

/// Two texts, first < second, and how alike they are.
struct ParaphrasePair {
    float score = 0;   ///< the higher, the more alike
    Index first = 0;   ///< row of a text
    Index second = 0;  ///< row of the other text
};

/// The most alike pairs of rows of `embeddings` (n x d), best first, as
/// sentence_transformers.util.paraphrase_mining_embeddings finds them: each row's top_k nearest others, of these the
/// best max_pairs. Pairs of equal scores stand in ascending order. Memory does not grow with n x n. Errors: input (a
/// value that is not finite).
std::vector<ParaphrasePair> paraphrase_mining(const ConstRows<float>& embeddings,
                                              const ParaphraseMiningOptions& options = {},
                                              ThreadPool* threads = nullptr);

/// The most alike pairs of `texts`. Errors: as above and as SentenceEncoder::encode().
std::vector<ParaphrasePair> paraphrase_mining(const SentenceEncoder& encoder, const std::vector<std::string>& texts,
                                              const ParaphraseMiningOptions& options = {},
                                              const EmbedOptions& embed = {});

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/paraphrase_mining.ipp>
#endif
