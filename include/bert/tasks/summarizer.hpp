// Extractive summaries: the sentences that say most of a text. Depends on text/sentences, tasks/sentence_encoder,
// tasks/lexrank and tasks/diversity.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/model_path.hpp>
#include <bert/tasks/diversity.hpp>
#include <bert/tasks/lexrank.hpp>
#include <bert/tasks/sentence_encoder.hpp>
#include <bert/text/encoding.hpp>
#include <bert/text/sentences.hpp>

#include <algorithm>
#include <cmath>
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
    std::size_t min_tokens = 0;  ///< shorter sentences (in tokens, special ones included) are not chosen
    LexRankOptions centrality;
    SentenceOptions segmentation;
};

/// A sentence of a text.
struct SummarySentence {
    std::string text;
    Span span;               ///< its bytes in the text
    std::size_t index = 0;   ///< which sentence of the text it is
    double centrality = 0;   ///< its LexRank; all sentences of the text have the sum 1
    bool truncated = false;  ///< whether its end was left out of its embedding
};

/// The chosen sentences in the order of the text.
struct Summary {
    std::vector<SummarySentence> sentences;
    std::size_t total_sentences = 0;  ///< of the whole text

    /// The sentences with spaces between.
    std::string text() const {
        std::string joined;
        for (const SummarySentence& sentence : sentences) joined += (joined.empty() ? "" : " ") + sentence.text;
        return joined;
    }
};

/// Chooses sentences by rank: those of the highest centrality (scaled to 1) that are unlike each other, as ascending
/// rows. centrality: n values; embeddings: n x d. Errors: as maximal_marginal_relevance().
inline std::vector<Index> choose_sentences(const Vector<double>& centrality, const ConstRows<float>& embeddings,
                                           std::size_t count, double diversity) {
    const double highest = centrality.size() > 0 ? centrality.maxCoeff() : 0;
    const Vector<double> relevance = highest > 0 ? Vector<double>(centrality / highest) : centrality;
    std::vector<Index> chosen = maximal_marginal_relevance(relevance, embeddings, count, diversity);
    std::sort(chosen.begin(), chosen.end());
    return chosen;
}

/// Summarises texts by their own sentences: LexRank centrality of sentence embeddings, then maximal marginal relevance
/// against repetition. Const calls may be made from several threads at once.
class Summarizer {
public:
    /// Opens a folder for SentenceEncoder. Errors: as there.
    explicit Summarizer(const ModelPath& folder, const SentenceEncoderOptions& options = {})
        : encoder_(std::make_shared<const SentenceEncoder>(folder, options)) {}

    /// With an encoder of the caller's, shared with other tasks. Errors: input (null).
    explicit Summarizer(std::shared_ptr<const SentenceEncoder> encoder) : encoder_(std::move(encoder)) {
        if (!encoder_) detail::fail(ErrorKind::input, "Summarizer: the encoder is null");
    }

    /// The most telling sentences of a text; none of a text without any. Errors: input (options out of range), format
    /// (invalid UTF-8, where that is asked for).
    Summary summarize(std::string_view text, const SummaryOptions& options = {}) const {
        const std::vector<Span> spans = split_sentences(text, options.segmentation);
        const std::size_t count = wanted(spans.size(), options);
        Summary summary;
        summary.total_sentences = spans.size();
        if (!(options.diversity >= 0 && options.diversity <= 1)) {
            detail::fail(ErrorKind::input, "diversity should be from 0 to 1, given ", options.diversity);
        }
        if (spans.empty()) return summary;

        std::vector<std::string> sentences;
        for (const Span& span : spans) sentences.emplace_back(text.substr(span.begin, span.end - span.begin));
        const SentenceEmbeddings embedded = encoder_->embed(sentences);
        const Vector<double> centrality = lexrank(embedded.embeddings, options.centrality);

        std::vector<Index> eligible;
        for (std::size_t i = 0; i < spans.size(); ++i) {
            if (embedded.texts[i].tokens >= options.min_tokens) eligible.push_back(static_cast<Index>(i));
        }
        Matrix rows(static_cast<Index>(eligible.size()), embedded.embeddings.cols());
        Vector<double> ranks(rows.rows());
        for (std::size_t i = 0; i < eligible.size(); ++i) {
            rows.row(static_cast<Index>(i)) = embedded.embeddings.row(eligible[i]);
            ranks(static_cast<Index>(i)) = centrality(eligible[i]);
        }
        for (const Index chosen : choose_sentences(ranks, rows, count, options.diversity)) {
            const auto at = static_cast<std::size_t>(eligible[static_cast<std::size_t>(chosen)]);
            summary.sentences.push_back({std::move(sentences[at]), spans[at], at, centrality(static_cast<Index>(at)),
                                         embedded.texts[at].truncated});
        }
        return summary;
    }

    const SentenceEncoder& encoder() const noexcept { return *encoder_; }

private:
    static std::size_t wanted(std::size_t total, const SummaryOptions& options) {
        if (!options.ratio) return options.sentences;
        if (!(*options.ratio > 0 && *options.ratio <= 1)) {
            detail::fail(ErrorKind::input, "ratio should be above 0 and at most 1, given ", *options.ratio);
        }
        const double share = std::round(*options.ratio * static_cast<double>(total));
        return std::max<std::size_t>(1, static_cast<std::size_t>(share));
    }

    std::shared_ptr<const SentenceEncoder> encoder_;
};

BERT_NAMESPACE_END
