// Names of the classes, for headers of programs that hold pointers or references to them: costs next to nothing to
// include. Depends on config.
#pragma once

#include <bert/config.hpp>

BERT_NAMESPACE_BEGIN

class Error;

class Tokenizer;
struct Encoding;

class ModelPath;
struct ModelConfig;
struct Batch;
class Workspace;
class ThreadPool;

template <class W>
class BertModel;
template <class W>
class DecoderModel;
class AnyBertModel;
class AnyDecoderModel;

class CausalLM;
class Colbert;
class FillMask;
class HeadTrainer;
class KeywordExtractor;
class NextSentence;
class QuestionAnswering;
class Reranker;
class SentenceEncoder;
class Seq2Seq;
class Splade;
class Summarizer;
class TextClassifier;
class TokenClassifier;
class ZeroShotClassifier;

BERT_NAMESPACE_END
