// Definitions of tasks/keywords.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/diversity.hpp>
#include <bert/tasks/keywords.hpp>
#include <bert/tasks/similarity.hpp>
#include <bert/text/lower_case.hpp>
#include <bert/text/unicode.hpp>
#include <bert/text/utf8.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

BERT_NAMESPACE_BEGIN

BERT_INLINE std::vector<KeywordCandidate> keyword_candidates(std::string_view text, const KeywordOptions& options) {
    if (options.min_ngram < 1 || options.max_ngram < options.min_ngram) {
        detail::fail(ErrorKind::input, "n-grams should have from 1 to as many words as asked for, given ",
                     options.min_ngram, " to ", options.max_ngram);
    }
    const detail::ValidText valid(text, options.invalid_utf8);
    const std::string_view view = valid.view();
    const std::set<std::string> stop_words(options.stop_words.begin(), options.stop_words.end());

    std::vector<std::pair<std::string, Span>> words;
    std::size_t characters = 0;
    std::size_t begin = 0;
    for (std::size_t at = 0; at <= view.size();) {
        const detail::DecodedCharacter c =
            at < view.size() ? detail::decode_utf8(view.data() + at) : detail::DecodedCharacter{U' ', 1};
        if (detail::unicode::is_word(c.code)) {
            if (characters++ == 0) begin = at;
        } else {
            std::string word = characters >= 2 ? detail::lower_case(view.substr(begin, at - begin)) : "";
            if (!word.empty() && stop_words.count(word) == 0) {
                words.emplace_back(std::move(word), Span{valid.original_position(begin), valid.original_position(at)});
            }
            characters = 0;
        }
        at += c.size;
    }

    std::map<std::string, std::vector<Span>> phrases;
    for (std::size_t first = 0; first < words.size(); ++first) {
        std::string phrase;
        for (std::size_t last = first; last < words.size() && last - first < options.max_ngram; ++last) {
            if (last > first) phrase += ' ';
            phrase += words[last].first;
            if (last - first + 1 >= options.min_ngram) {
                phrases[phrase].push_back({words[first].second.begin, words[last].second.end});
            }
        }
    }
    std::vector<KeywordCandidate> result;
    result.reserve(phrases.size());
    for (auto& [phrase, spans] : phrases) result.push_back({phrase, std::move(spans)});
    return result;
}

BERT_INLINE std::vector<std::pair<Index, float>> choose_keywords(const ConstRows<float>& text,
                                                                 const ConstRows<float>& candidates,
                                                                 const KeywordOptions& options) {
    detail::check_finite(text, "keywords: the text");
    detail::check_finite(candidates, "keywords: candidates");
    if (text.rows() != 1) detail::fail(ErrorKind::shape, "keywords: ", text.rows(), " embeddings of one text");
    const Matrix cosines = similarity(text, candidates);
    const Vector<double> relevance = cosines.row(0).transpose().cast<double>();
    std::vector<Index> chosen;
    switch (options.method) {
        case KeywordDiversity::mmr:
            chosen = maximal_marginal_relevance(relevance, candidates, options.top_n, options.diversity);
            break;
        case KeywordDiversity::max_sum:
            chosen = max_sum_distance(relevance, candidates, options.top_n, options.candidates);
            break;
        case KeywordDiversity::none:
            chosen.resize(static_cast<std::size_t>(candidates.rows()));
            std::iota(chosen.begin(), chosen.end(), Index{0});
            break;
    }
    std::sort(chosen.begin(), chosen.end(),
              [&](Index a, Index b) { return cosines(0, a) != cosines(0, b) ? cosines(0, a) > cosines(0, b) : a < b; });
    if (chosen.size() > options.top_n) chosen.resize(options.top_n);
    std::vector<std::pair<Index, float>> result;
    result.reserve(chosen.size());
    for (const Index row : chosen) result.emplace_back(row, cosines(0, row));
    return result;
}

BERT_INLINE KeywordExtractor::KeywordExtractor(const ModelPath& folder, const SentenceEncoderOptions& options)
    : encoder_(std::make_shared<const SentenceEncoder>(folder, options)) {}

BERT_INLINE KeywordExtractor::KeywordExtractor(std::shared_ptr<const SentenceEncoder> encoder)
    : encoder_(std::move(encoder)) {
    if (!encoder_) detail::fail(ErrorKind::input, "KeywordExtractor: the encoder is null");
}

BERT_INLINE KeywordResult KeywordExtractor::extract(std::string_view text, const KeywordOptions& options) const {
    std::vector<KeywordCandidate> candidates = keyword_candidates(text, options);
    KeywordResult result;
    if (candidates.empty()) return result;
    std::vector<std::string> phrases;
    phrases.reserve(candidates.size());
    for (const KeywordCandidate& candidate : candidates) phrases.push_back(candidate.text);
    const SentenceEmbeddings whole = encoder_->embed({std::string(text)}, options.embed);
    const Matrix embeddings = encoder_->encode(phrases, options.embed);
    result.truncated = whole.texts.front().truncated;
    for (const auto& [row, score] : choose_keywords(whole.embeddings, embeddings, options)) {
        KeywordCandidate& candidate = candidates[static_cast<std::size_t>(row)];
        result.keywords.push_back({std::move(candidate.text), score, std::move(candidate.spans)});
    }
    return result;
}

BERT_NAMESPACE_END
