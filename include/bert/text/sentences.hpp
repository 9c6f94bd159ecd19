// Where sentences begin and end: rules for several scripts, without a model. Depends on text/utf8, unicode and
// encoding.
#pragma once

#include <bert/config.hpp>
#include <bert/text/encoding.hpp>
#include <bert/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Options of split_sentences().
struct SentenceOptions {
    /// Abbreviations besides the built-in English ones, without their final full stop and in lower case ("bzw", "núm").
    std::vector<std::string> abbreviations;
    InvalidUtf8 invalid_utf8 = InvalidUtf8::replace;  ///< what becomes of bytes that are not UTF-8
};

namespace detail {

bool contains(const std::vector<std::string>& words, std::string_view word);

template <std::size_t size>
bool contains(const std::string_view (&words)[size], std::string_view word) {
    return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

/// Titles and the like, after which the sentence always goes on.
inline constexpr std::string_view leading_abbreviations[] = {
    "mr",  "mrs", "ms",   "dr",  "prof", "st",   "sr", "rev", "hon", "gen", "capt", "lt",     "sgt", "maj",
    "gov", "sen", "pres", "mme", "mlle", "supt", "vs", "cf",  "viz", "al",  "ca",   "approx", "e.g", "i.e"};

/// Abbreviations where a number follows, words by themselves otherwise.
inline constexpr std::string_view numbered_abbreviations[] = {"no", "nos", "fig", "figs", "eq",  "eqs", "sec",
                                                              "ch", "vol", "p",   "pp",   "art", "para"};

/// Abbreviations that a sentence may end with: it does where a word follows that begins sentences.
inline constexpr std::string_view open_abbreviations[] = {
    "etc", "inc", "ltd", "co",  "corp", "bros", "jr",   "esq", "dept", "est", "ave", "blvd", "rd",  "jan", "feb",
    "mar", "apr", "jun", "jul", "aug",  "sep",  "sept", "oct", "nov",  "dec", "mon", "tue",  "wed", "thu", "fri"};

/// English words that seldom follow an abbreviation inside a sentence with a capital.
inline constexpr std::string_view sentence_starters[] = {
    "a",     "an",   "the",  "this",  "that",   "these",   "those",     "it",   "its",   "he",   "she",       "we",
    "they",  "you",  "his",  "her",   "our",    "their",   "my",        "in",   "on",    "at",   "as",        "by",
    "for",   "from", "with", "after", "before", "but",     "and",       "or",   "so",    "if",   "when",      "while",
    "where", "what", "who",  "why",   "how",    "however", "though",    "then", "there", "here", "some",      "many",
    "most",  "all",  "no",   "not",   "now",    "today",   "yesterday", "once", "since", "also", "according", "i"};

}  // namespace detail

/// The sentences of a text in order, as ranges of its bytes without the white space around them. A text of white space
/// alone has none.
///
/// The rules:
/// 1. An empty line or a paragraph separator (U+2029) ends a sentence; a single line feed is a space.
/// 2. Marks that mean nothing else end a sentence wherever they stand: 。！？ of Chinese and Japanese, the danda of
///    Indic scripts, ؟ and ۔ of Arabic script, and those of Armenian, Greek (U+037E), Ethiopic, Tibetan, Myanmar, Khmer
///    and Mongolian.
/// 3. Runs of . ! ? … end one where white space, the end of the text or a Chinese or Japanese character follows,
/// closing
///    quotes and brackets being part of the sentence.
/// 4. A full stop or … before a small letter does not end one, nor do other marks inside quotes or brackets.
/// 5. A full stop does not end one after a number or a capital letter that begins the sentence ("1. First"), after
///    abbreviations that something follows ("Dr.", "e.g.") or the caller's own, nor after others with a number ("Fig.
///    3"). After abbreviations that may stand last ("etc.", "Inc.", "U.S.", "a.m.") and initials it ends one only
///    before a word that often begins sentences.
/// Scripts that mark no ends (Thai, Lao) are split by rule 1 alone. Errors: format (invalid UTF-8, where that is asked
/// for).
std::vector<Span> split_sentences(std::string_view text, const SentenceOptions& options = {});

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/text/sentences.ipp>
#endif
