// The words and phrases of a text that are closest to it in meaning. Depends on text, tasks/sentence_encoder and
// tasks/diversity. Follows KeyBERT (Grootendorst 2020, https://github.com/MaartenGr/KeyBERT).
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/model_path.hpp>
#include <bert/tasks/diversity.hpp>
#include <bert/tasks/sentence_encoder.hpp>
#include <bert/tasks/similarity.hpp>
#include <bert/text/encoding.hpp>
#include <bert/text/stop_words.hpp>
#include <bert/text/unicode.hpp>
#include <bert/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// How keywords are kept from saying the same.
enum class KeywordDiversity {
    none,     ///< the closest to the text
    mmr,      ///< maximal marginal relevance, see maximal_marginal_relevance()
    max_sum,  ///< the least alike of the closest, see max_sum_distance()
};

/// Options of keyword extraction.
struct KeywordOptions {
    std::size_t top_n = 5;      ///< most keywords returned
    std::size_t min_ngram = 1;  ///< words of a keyword
    std::size_t max_ngram = 1;
    /// Words in lower case that are taken out first: the words around one become neighbours. Empty for none.
    std::vector<std::string> stop_words = english_stop_words();
    KeywordDiversity method = KeywordDiversity::none;
    double diversity = 0.5;       ///< of mmr, from 0 to 1
    std::size_t candidates = 20;  ///< of max_sum: how many of the closest to choose from
    EmbedOptions embed;           ///< how the text and its phrases are embedded
    InvalidUtf8 invalid_utf8 = InvalidUtf8::replace;
};

/// A phrase that occurs in a text.
struct KeywordCandidate {
    std::string text;         ///< its words in lower case with a space between
    std::vector<Span> spans;  ///< the bytes of each occurrence, from the first word to the last, stop words included
};

struct Keyword {
    std::string text;
    float score = 0;  ///< cosine with the whole text
    std::vector<Span> spans;
};

/// The keywords of a text, best first.
struct KeywordResult {
    std::vector<Keyword> keywords;
    bool truncated = false;  ///< whether the end of the text was left out of its embedding
};

/// The different n-grams of a text in alphabetical order (of code points): words are runs of two or more letters,
/// digits, marks and underscores, as scikit-learn's CountVectorizer finds them, in lower case. Scripts written without
/// spaces give one word per run. Errors: input (n-gram lengths out of order), format (invalid UTF-8, where that is
/// asked for).
inline std::vector<KeywordCandidate> keyword_candidates(std::string_view text, const KeywordOptions& options = {}) {
    if (options.min_ngram < 1 || options.max_ngram < options.min_ngram) {
        detail::fail(ErrorKind::input, "n-grams should have from 1 to as many words as asked for, given ",
                     options.min_ngram, " to ", options.max_ngram);
    }
    const detail::ValidText valid(text, options.invalid_utf8);
    const std::string_view view = valid.view();
    const std::set<std::string> stop_words(options.stop_words.begin(), options.stop_words.end());

    std::vector<std::pair<std::string, Span>> words;
    std::string word;
    std::size_t characters = 0;
    std::size_t begin = 0;
    for (std::size_t at = 0; at <= view.size();) {
        const detail::DecodedCharacter c =
            at < view.size() ? detail::decode_utf8(view.data() + at) : detail::DecodedCharacter{U' ', 1};
        if (detail::unicode::is_word(c.code)) {
            if (characters++ == 0) begin = at;
            detail::unicode::lower(c.code, detail::unicode::character(c.code), [&](char32_t lower) {
                char bytes[4];
                word.append(bytes, detail::encode_utf8(lower, bytes));
            });
        } else {
            if (characters >= 2 && stop_words.count(word) == 0) {
                words.emplace_back(word, Span{valid.original_position(begin), valid.original_position(at)});
            }
            word.clear();
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

/// Chooses keywords by their embeddings (n x d) and that of the text (1 x d): rows and their cosines with the text,
/// best first, equal ones in the order of rows. Errors: shape, input (options out of range, a value that is not
/// finite).
inline std::vector<std::pair<Index, float>> choose_keywords(const ConstRows<float>& text,
                                                            const ConstRows<float>& candidates,
                                                            const KeywordOptions& options = {}) {
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
    for (const Index row : chosen) result.emplace_back(row, cosines(0, row));
    return result;
}

/// Finds keywords. Const calls may be made from several threads at once.
class KeywordExtractor {
public:
    /// Opens a folder for SentenceEncoder. Errors: as there.
    explicit KeywordExtractor(const ModelPath& folder, const SentenceEncoderOptions& options = {})
        : encoder_(std::make_shared<const SentenceEncoder>(folder, options)) {}

    /// With an encoder of the caller's, shared with other tasks. Errors: input (null).
    explicit KeywordExtractor(std::shared_ptr<const SentenceEncoder> encoder) : encoder_(std::move(encoder)) {
        if (!encoder_) detail::fail(ErrorKind::input, "KeywordExtractor: the encoder is null");
    }

    /// The keywords of a text; none of a text without words. Errors: as keyword_candidates(), choose_keywords() and
    /// SentenceEncoder::embed().
    KeywordResult extract(std::string_view text, const KeywordOptions& options = {}) const {
        std::vector<KeywordCandidate> candidates = keyword_candidates(text, options);
        KeywordResult result;
        if (candidates.empty()) return result;
        std::vector<std::string> phrases;
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

    const SentenceEncoder& encoder() const noexcept { return *encoder_; }

private:
    std::shared_ptr<const SentenceEncoder> encoder_;
};

BERT_NAMESPACE_END
