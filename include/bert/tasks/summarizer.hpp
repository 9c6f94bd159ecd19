// Extractive summaries: the sentences that say most of a text. Depends on text/sentences, tasks/sentence_encoder,
// tasks/lexrank and tasks/diversity.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/model_path.hpp>
#include <bert/tasks/lexrank.hpp>
#include <bert/tasks/sentence_encoder.hpp>
#include <bert/text/encoding.hpp>
#include <bert/text/sentences.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Options of a summary.
struct SummaryOptions {
    std::size_t sentences = 3;    ///< most sentences of a summary
    std::optional<double> ratio;  ///< instead: a share of the text's sentences, rounded, at least one
    /// How much a sentence must differ from those chosen already: 0 takes the most central ones, 1 looks at
    /// difference alone. See maximal_marginal_relevance().
    double diversity = 0.3;
    std::size_t min_tokens = 0;    ///< shorter sentences (in tokens, special ones included) are not chosen
    LexRankOptions centrality;     ///< how sentences are ranked
    SentenceOptions segmentation;  ///< how a text is cut into sentences
};

/// A sentence of a text.
struct SummarySentence {
    std::string text;        ///< as it stands in the text that was summarized
    Span span;               ///< its bytes in the text
    std::size_t index = 0;   ///< which sentence of the text it is
    double centrality = 0;   ///< its LexRank; all sentences of the text have the sum 1
    bool truncated = false;  ///< whether its end was left out of its embedding
};

/// The chosen sentences in the order of the text.
struct Summary {
    std::vector<SummarySentence> sentences;  ///< in the order of the text
    std::size_t total_sentences = 0;         ///< of the whole text

    /// The sentences with spaces between.
    std::string text() const;
};

/// Chooses sentences by rank: those of the highest centrality (scaled to 1) that are unlike each other, as ascending
/// rows. centrality: n values; embeddings: n x d. Errors: as maximal_marginal_relevance().
std::vector<Index> choose_sentences(const Vector<double>& centrality, const ConstRows<float>& embeddings,
                                    std::size_t count, double diversity);

/// Summarises texts by their own sentences: LexRank centrality of sentence embeddings, then maximal marginal relevance
/// against repetition. Const calls may be made from several threads at once.
class Summarizer {
public:
    /// Opens a folder for SentenceEncoder. Errors: as there.
    explicit Summarizer(const ModelPath& folder, const SentenceEncoderOptions& options = {});

    /// With an encoder of the caller's, shared with other tasks. Errors: input (null).
    explicit Summarizer(std::shared_ptr<const SentenceEncoder> encoder);

    /// The most telling sentences of a text; none of a text without any. Errors: input (options out of range), format
    /// (invalid UTF-8, where that is asked for).
    Summary summarize(std::string_view text, const SummaryOptions& options = {}) const;

    const SentenceEncoder& encoder() const noexcept { return *encoder_; }  ///< what sentences are embedded with

private:
    static std::size_t wanted(std::size_t total, const SummaryOptions& options);

    std::shared_ptr<const SentenceEncoder> encoder_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/summarizer.ipp>
#endif
