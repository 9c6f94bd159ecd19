// The part of bert::compiled that reads texts.

#include <bert/text/added_tokens.ipp>
#include <bert/text/pipeline.ipp>
#include <bert/text/pre_tokenizer.ipp>
#include <bert/text/sentences.ipp>
#include <bert/text/stop_words.ipp>
#include <bert/text/tokenizer.ipp>
#include <bert/text/trie.ipp>
#include <bert/text/wordpiece.ipp>
