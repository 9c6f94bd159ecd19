// Answers to questions as spans of a context of any length. Depends on model, text and tasks/task_model.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/model_path.hpp>
#include <bert/model/task_heads.hpp>
#include <bert/tasks/pooled_classifier.hpp>
#include <bert/tasks/task_model.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Options of one call of QuestionAnswering; the defaults are those of `transformers`' pipeline.
struct AnswerOptions {
    std::size_t top_k = 1;            ///< most answers to return
    std::size_t max_answer_len = 15;  ///< most tokens of an answer
    /// Let "there is no answer" compete: as an empty answer at {0, 0}, scored by the window that likes it least.
    bool handle_impossible_answer = false;
    bool align_to_words = true;             ///< widen answers to whole words
    std::optional<std::size_t> max_length;  ///< tokens of a window; 384, or the model's limit where that is lower
    std::optional<std::size_t> doc_stride;  ///< tokens of context that windows share; 128, or half a window
};

/// A span of the context.
struct Answer {
    double score = 0;  ///< probability of its start times that of its end; spans of equal text add up
    Span span;         ///< bytes of the context
    std::string text;  ///< those bytes
};

/// What became of a question.
struct AnswerResult {
    std::vector<Answer> answers;  ///< best first
    double no_answer_score = 0;   ///< of "there is no answer", whether or not it was asked for
    std::size_t windows = 1;      ///< into which the context was cut
};

/// Extractive question answering (BertForQuestionAnswering) as `transformers` 4's question-answering pipeline does it:
/// question and context are a pair with real token types; a long context is cut into overlapping windows, and start and
/// end are chosen in each by the product of their probabilities, never outside of the context. Const calls may be made
/// from several threads at once.
class QuestionAnswering {
public:
    /// Errors: file, format, shape, vocabulary, unsupported (no such head in the folder).
    explicit QuestionAnswering(const ModelPath& folder, const TaskOptions& options = {});

    /// Errors: input (empty question or context, a question that leaves no room for the context, options out of range).
    AnswerResult answer(const std::string& question, const std::string& context,
                        const AnswerOptions& options = {}) const;

    /// Several pairs of question (first) and context (second).
    std::vector<AnswerResult> answer_batch(const std::vector<TextPair>& pairs, const AnswerOptions& options = {}) const;

    const TaskModel& task() const noexcept { return task_; }  ///< model and tokenizer

private:
    struct Window {
        std::size_t pair;
        Encoding encoding;
    };

    /// The answers of one context so far.
    struct Collector {
        explicit Collector(std::string_view text) : context(text) {}

        std::string_view context;
        std::vector<Answer> answers;
        std::unordered_map<std::string, std::size_t> by_text;  // lower-cased text of an answer to its place
        double no_answer = 1e6;                                // more than any probability
        std::size_t windows = 0;
    };

    struct Candidate {
        std::size_t start;
        std::size_t end;
        float score;
    };

    QuestionAnswering(const ModelPath& folder, const HeadFolder& heads, const TaskOptions& options);

    EncodeOptions window_options(const AnswerOptions& options) const;

    /// The windows of a context, each behind the whole question.
    std::vector<Encoding> encode(const TextPair& pair, const EncodeOptions& limits, std::size_t number) const;

    /// Adds the best spans of a window. logits: tokens x 2, of being the start and the end.
    void collect(const Encoding& window, const ConstRows<float>& logits, const AnswerOptions& options,
                 Collector& collector) const;

    /// Softmax over the context and [CLS], which stands for "there is no answer"; 0 elsewhere.
    static std::vector<float> probabilities(const Encoding& window,
                                            const Eigen::Ref<const Eigen::VectorXf, 0, Eigen::InnerStride<>>& logits);

    static Span span_of(const Encoding& window, const Candidate& candidate, bool align_to_words);

    static void add(const Span& span, double score, Collector& collector);

    static AnswerResult finish(Collector collector, const AnswerOptions& options);

    Linear<float> head_;
    TaskModel task_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/question_answering.ipp>
#endif
