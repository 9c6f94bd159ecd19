// Definitions of text/stop_words.hpp.
#pragma once

#include <bert/text/stop_words.hpp>

BERT_NAMESPACE_BEGIN

BERT_INLINE const std::vector<std::string>& english_stop_words() {
    static const std::vector<std::string> words = {
        // articles, pronouns and determiners
        "an", "the", "this", "that", "these", "those", "me", "my", "mine", "myself", "we", "us", "our", "ours",
        "ourselves", "you", "your", "yours", "yourself", "yourselves", "he", "him", "his", "himself", "she", "her",
        "hers", "herself", "it", "its", "itself", "they", "them", "their", "theirs", "themselves", "one", "ones", "who",
        "whom", "whose", "which", "what", "whoever", "whatever", "whichever", "some", "any", "no", "none", "each",
        "every", "either", "neither", "both", "all", "few", "many", "much", "more", "most", "less", "least", "several",
        "other", "others", "another", "such", "same", "own", "anyone", "anything", "someone", "something", "everyone",
        "everything", "nobody", "nothing", "somebody", "everybody", "anybody",
        // prepositions
        "about", "above", "across", "after", "against", "along", "amid", "among", "around", "as", "at", "before",
        "behind", "below", "beneath", "beside", "besides", "between", "beyond", "by", "despite", "down", "during",
        "except", "for", "from", "in", "inside", "into", "like", "near", "of", "off", "on", "onto", "out", "outside",
        "over", "past", "per", "since", "through", "throughout", "till", "to", "toward", "towards", "under", "until",
        "unto", "up", "upon", "via", "with", "within", "without",
        // conjunctions
        "and", "but", "or", "nor", "so", "yet", "if", "unless", "because", "although", "though", "while", "whereas",
        "whether", "than", "once",
        // forms of auxiliary verbs, with and without the apostrophe's end
        "am", "is", "are", "was", "were", "be", "been", "being", "have", "has", "had", "having", "do", "does", "did",
        "doing", "done", "can", "could", "may", "might", "must", "shall", "should", "will", "would", "ought", "isn",
        "aren", "wasn", "weren", "hasn", "haven", "hadn", "don", "doesn", "didn", "couldn", "shouldn", "wouldn", "won",
        "cannot", "ll", "ve", "re",
        // adverbs of place, time and degree
        "here", "there", "where", "when", "why", "how", "wherever", "whenever", "however", "now", "then", "again",
        "ever", "never", "always", "often", "sometimes", "already", "still", "just", "only", "also", "too", "very",
        "quite", "rather", "almost", "even", "not", "else", "enough", "perhaps", "maybe", "therefore", "thus", "hence",
        "moreover", "furthermore", "meanwhile", "otherwise", "instead", "indeed", "further", "well", "back", "away"};
    return words;
}

BERT_NAMESPACE_END
