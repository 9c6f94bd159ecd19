// What the words of a text do to its embedding, and the tokens of two texts to their similarity. Depends on
// tasks/sentence_encoder and tasks/similarity.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/tasks/sentence_encoder.hpp>
#include <bert/text/encoding.hpp>

#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// A word of a text and its weight in the text's embedding.
struct WordContribution {
    Span span;         ///< its bytes in the text
    float change = 0;  ///< 1 - cosine between the embeddings of the text and of the text without the word
};

/// What each word does to a text's embedding, by leaving it out (occlusion, Zeiler and Fergus 2014,
/// https://arxiv.org/abs/1311.2901): exact for every model, at the price of a pass per word. Words are those of the
/// tokenizer (punctuation marks by themselves); those behind the encoder's limit are not listed. Errors: as
/// SentenceEncoder::encode().
std::vector<WordContribution> word_contributions(const SentenceEncoder& encoder, const std::string& text,
                                                 const EmbedOptions& options = {});

/// The cosine of two texts as a sum over pairs of their tokens.
struct SimilarityContributions {
    Encoding first;        ///< the tokens of the texts, special ones included
    Encoding second;       ///< (`truncated` tells whether tokens were cut off)
    Matrix contributions;  ///< tokens of the first x tokens of the second: their sum is the cosine
    float cosine = 0;      ///< 0 where an embedding is zero
};

/// Which pairs of tokens make two texts alike: with a pooling that is a weighted sum of hidden states, the cosine of
/// two embeddings is exactly the sum of the products of their tokens' parts, divided by both lengths. Texts are taken
/// without a prompt. Errors: unsupported (max pooling, several poolings, Dense modules), as SentenceEncoder::encode().
SimilarityContributions similarity_contributions(const SentenceEncoder& encoder, const std::string& first,
                                                 const std::string& second);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/explain/contributions.ipp>
#endif
