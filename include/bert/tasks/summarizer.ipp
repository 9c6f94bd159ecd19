// Definitions of tasks/summarizer.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/diversity.hpp>
#include <bert/tasks/summarizer.hpp>

#include <algorithm>
#include <cmath>

BERT_NAMESPACE_BEGIN

BERT_INLINE std::string Summary::text() const {
    std::string joined;
    for (const SummarySentence& sentence : sentences) joined += (joined.empty() ? "" : " ") + sentence.text;
    return joined;
}

BERT_INLINE std::vector<Index> choose_sentences(const Vector<double>& centrality, const ConstRows<float>& embeddings,
                                                std::size_t count, double diversity) {
    const double highest = centrality.size() > 0 ? centrality.maxCoeff() : 0;
    const Vector<double> relevance = highest > 0 ? Vector<double>(centrality / highest) : centrality;
    std::vector<Index> chosen = maximal_marginal_relevance(relevance, embeddings, count, diversity);
    std::sort(chosen.begin(), chosen.end());
    return chosen;
}

BERT_INLINE Summarizer::Summarizer(const ModelPath& folder, const SentenceEncoderOptions& options)
    : encoder_(std::make_shared<const SentenceEncoder>(folder, options)) {}

BERT_INLINE Summarizer::Summarizer(std::shared_ptr<const SentenceEncoder> encoder) : encoder_(std::move(encoder)) {
    if (!encoder_) detail::fail(ErrorKind::input, "Summarizer: the encoder is null");
}

BERT_INLINE Summary Summarizer::summarize(std::string_view text, const SummaryOptions& options) const {
    const std::vector<Span> spans = split_sentences(text, options.segmentation);
    const std::size_t count = wanted(spans.size(), options);
    Summary summary;
    summary.total_sentences = spans.size();
    if (!(options.diversity >= 0 && options.diversity <= 1)) {
        detail::fail(ErrorKind::input, "diversity should be from 0 to 1, given ", options.diversity);
    }
    if (spans.empty()) return summary;

    std::vector<std::string> sentences;
    sentences.reserve(spans.size());
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

BERT_INLINE std::size_t Summarizer::wanted(std::size_t total, const SummaryOptions& options) {
    if (!options.ratio) return options.sentences;
    if (!(*options.ratio > 0 && *options.ratio <= 1)) {
        detail::fail(ErrorKind::input, "ratio should be above 0 and at most 1, given ", *options.ratio);
    }
    const double share = std::round(*options.ratio * static_cast<double>(total));
    return std::max<std::size_t>(1, static_cast<std::size_t>(share));
}

BERT_NAMESPACE_END
