// The words and phrases of a text that are closest to it in meaning. Depends on text, tasks/sentence_encoder and
// tasks/diversity. Follows KeyBERT (Grootendorst 2020, https://github.com/MaartenGr/KeyBERT).
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/model_path.hpp>
#include <bert/tasks/sentence_encoder.hpp>
#include <bert/text/encoding.hpp>
#include <bert/text/stop_words.hpp>
#include <bert/text/utf8.hpp>

#include <cstddef>
#include <memory>
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
    std::size_t max_ngram = 1;  ///< as many at most
    /// Words in lower case that are taken out first: the words around one become neighbours. Empty for none.
    std::vector<std::string> stop_words = english_stop_words();
    KeywordDiversity method = KeywordDiversity::none;  ///< how candidates that are alike are kept apart
    double diversity = 0.5;                            ///< of mmr, from 0 to 1
    std::size_t candidates = 20;                       ///< of max_sum: how many of the closest to choose from
    EmbedOptions embed;                                ///< how the text and its phrases are embedded
    InvalidUtf8 invalid_utf8 = InvalidUtf8::replace;   ///< what becomes of bytes that are not UTF-8
};

/// A phrase that occurs in a text.
struct KeywordCandidate {
    std::string text;         ///< its words in lower case with a space between
    std::vector<Span> spans;  ///< the bytes of each occurrence, from the first word to the last, stop words included
};

/// A keyword and where it occurs.
struct Keyword {
    std::string text;         ///< see KeywordCandidate
    float score = 0;          ///< cosine with the whole text
    std::vector<Span> spans;  ///< see KeywordCandidate
};

/// The keywords of a text, best first.
struct KeywordResult {
    std::vector<Keyword> keywords;  ///< the best first
    bool truncated = false;         ///< whether the end of the text was left out of its embedding
};

/// The different n-grams of a text in alphabetical order (of code points): words are runs of two or more letters,
/// digits, marks and underscores, as scikit-learn's CountVectorizer finds them, in lower case. Scripts written without
/// spaces give one word per run. Errors: input (n-gram lengths out of order), format (invalid UTF-8, where that is
/// asked for).
std::vector<KeywordCandidate> keyword_candidates(std::string_view text, const KeywordOptions& options = {});

/// Chooses keywords by their embeddings (n x d) and that of the text (1 x d): rows and their cosines with the text,
/// best first, equal ones in the order of rows. Errors: shape, input (options out of range, a value that is not
/// finite).
std::vector<std::pair<Index, float>> choose_keywords(const ConstRows<float>& text, const ConstRows<float>& candidates,
                                                     const KeywordOptions& options = {});

/// Finds keywords. Const calls may be made from several threads at once.
class KeywordExtractor {
public:
    /// Opens a folder for SentenceEncoder. Errors: as there.
    explicit KeywordExtractor(const ModelPath& folder, const SentenceEncoderOptions& options = {});

    /// With an encoder of the caller's, shared with other tasks. Errors: input (null).
    explicit KeywordExtractor(std::shared_ptr<const SentenceEncoder> encoder);

    /// The keywords of a text; none of a text without words. Errors: as keyword_candidates(), choose_keywords() and
    /// SentenceEncoder::embed().
    KeywordResult extract(std::string_view text, const KeywordOptions& options = {}) const;

    /// What documents and candidates are embedded with.
    const SentenceEncoder& encoder() const noexcept { return *encoder_; }

private:
    std::shared_ptr<const SentenceEncoder> encoder_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/keywords.ipp>
#endif
