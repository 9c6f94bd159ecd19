// English words that say little about a text's subject. Depends on config.hpp only.
#pragma once

#include <bert/config.hpp>

#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Function words of English, in lower case, as words of two letters or more.
const std::vector<std::string>& english_stop_words();

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/text/stop_words.ipp>
#endif
