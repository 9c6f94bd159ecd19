// Definitions of tasks/question_answering.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/question_answering.hpp>
#include <bert/tasks/scores.hpp>
#include <bert/text/lower_case.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

BERT_NAMESPACE_BEGIN

BERT_INLINE QuestionAnswering::QuestionAnswering(const ModelPath& folder, const TaskOptions& options)
    : QuestionAnswering(folder, HeadFolder(folder, Task::question_answering, options.load), options) {}

BERT_INLINE AnswerResult QuestionAnswering::answer(const std::string& question, const std::string& context,
                                                   const AnswerOptions& options) const {
    return answer_batch({{question, context}}, options).front();
}

BERT_INLINE std::vector<AnswerResult> QuestionAnswering::answer_batch(const std::vector<TextPair>& pairs,
                                                                      const AnswerOptions& options) const {
    const EncodeOptions limits = window_options(options);
    std::vector<Collector> collectors;
    collectors.reserve(pairs.size());
    for (const TextPair& pair : pairs) collectors.emplace_back(pair.second);
    std::vector<Window> waiting;  // the inputs of `run` that are not computed yet
    std::size_t computed = 0;
    TaskRun run(task_, [&](const TaskStep& step) {
        Matrix logits(step.hidden.rows(), 2);
        head_.forward(step.hidden, logits, step.workspace);
        detail::check_outputs<float>(logits);
        for (Index i = 0; i < step.batch.texts(); ++i) {
            const Window& window = waiting[step.first - computed + static_cast<std::size_t>(i)];
            const Index begin = step.batch.offsets[static_cast<std::size_t>(i)];
            collect(window.encoding, logits.middleRows(begin, step.batch.length(i)), options, collectors[window.pair]);
        }
    });
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        std::vector<Encoding> windows = encode(pairs[i], limits, i);
        collectors[i].windows = windows.size();
        for (Encoding& window : windows) {
            run.add(window);
            waiting.push_back({i, std::move(window)});
        }
        if (!run.full() && i + 1 < pairs.size()) continue;
        run.compute();
        computed += waiting.size();
        waiting.clear();
    }
    std::vector<AnswerResult> results;
    results.reserve(collectors.size());
    for (Collector& collector : collectors) results.push_back(finish(std::move(collector), options));
    return results;
}

BERT_INLINE QuestionAnswering::QuestionAnswering(const ModelPath& folder, const HeadFolder& heads,
                                                 const TaskOptions& options)
    : head_(heads.linear("qa_outputs", 2)), task_(folder, options) {}

BERT_INLINE EncodeOptions QuestionAnswering::window_options(const AnswerOptions& options) const {
    if (options.top_k < 1) detail::fail(ErrorKind::input, "top_k should be at least 1");
    if (options.max_answer_len < 1) detail::fail(ErrorKind::input, "max_answer_len should be at least 1");
    constexpr std::size_t usual_window = 384;
    constexpr std::size_t usual_stride = 128;
    EncodeOptions limits;
    limits.max_length = options.max_length.value_or(std::min(task_.max_length(), usual_window));
    if (*limits.max_length > task_.max_length()) {
        detail::fail(ErrorKind::input, "max_length should be at most ", task_.max_length(), ", given ",
                     *limits.max_length);
    }
    limits.stride = options.doc_stride.value_or(std::min(*limits.max_length / 2, usual_stride));
    limits.truncation = TruncationStrategy::only_second;
    limits.overflowing = true;
    return limits;
}

BERT_INLINE std::vector<Encoding> QuestionAnswering::encode(const TextPair& pair, const EncodeOptions& limits,
                                                            std::size_t number) const {
    if (pair.first.empty() || pair.second.empty()) {
        detail::fail(ErrorKind::input, "pair ", number, ": the ", pair.first.empty() ? "question" : "context",
                     " is empty");
    }
    EncodeOptions alone;
    alone.add_special_tokens = false;
    TokenIds question;
    TokenIds context;
    task_.tokenizer().encode_ids(pair.first, alone, question);
    task_.tokenizer().encode_ids(pair.second, alone, context);
    if (context.ids.empty()) {
        detail::fail(ErrorKind::input, "pair ", number, ": the context has no tokens");
    }
    const std::size_t taken = question.ids.size() + task_.tokenizer().num_special_tokens(true);
    if (taken + context.ids.size() > *limits.max_length && taken + limits.stride >= *limits.max_length) {
        detail::fail(ErrorKind::input, "pair ", number, ": the question has ", question.ids.size(),
                     " tokens, which leaves no room for the context in windows of ", *limits.max_length,
                     " tokens that share ", limits.stride);
    }
    std::vector<Encoding> windows{task_.tokenizer().encode(pair.first, pair.second, limits)};
    std::vector<Encoding> further = std::move(windows.front().overflowing);
    for (Encoding& window : further) windows.push_back(std::move(window));
    return windows;
}

BERT_INLINE void QuestionAnswering::collect(const Encoding& window, const ConstRows<float>& logits,
                                            const AnswerOptions& options, Collector& collector) const {
    const std::vector<float> start = probabilities(window, logits.col(0));
    const std::vector<float> end = probabilities(window, logits.col(1));
    collector.no_answer = std::min(collector.no_answer, static_cast<double>(start[0] * end[0]));

    std::vector<Candidate> candidates;
    for (std::size_t s = 0; s < window.size(); ++s) {
        if (window.sequence_ids[s] != 1) continue;
        const std::size_t last = std::min(window.size() - s, options.max_answer_len) + s;
        for (std::size_t e = s; e < last && window.sequence_ids[e] == 1; ++e) {
            candidates.push_back({s, e, start[s] * end[e]});
        }
    }
    // Different spans may be widened to the same words, so more are taken than asked for.
    const std::size_t top_k = std::min(options.top_k, candidates.size());
    const std::size_t wanted = options.align_to_words ? top_k * 2 + 10 : top_k;
    const auto taken = candidates.begin() + static_cast<std::ptrdiff_t>(std::min(wanted, candidates.size()));
    std::partial_sort(candidates.begin(), taken, candidates.end(), [](const Candidate& a, const Candidate& b) {
        if (a.score != b.score) return a.score > b.score;
        return a.start != b.start ? a.start < b.start : a.end < b.end;
    });
    for (auto candidate = candidates.begin(); candidate != taken; ++candidate) {
        add(span_of(window, *candidate, options.align_to_words), static_cast<double>(candidate->score), collector);
    }
}

BERT_INLINE std::vector<float> QuestionAnswering::probabilities(
    const Encoding& window, const Eigen::Ref<const Eigen::VectorXf, 0, Eigen::InnerStride<>>& logits) {
    std::vector<float> allowed;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < window.size(); ++i) {
        if (i > 0 && window.sequence_ids[i] != 1) continue;
        places.push_back(i);
        allowed.push_back(logits[static_cast<Index>(i)]);
    }
    const double total = log_sum_exp(allowed.data(), static_cast<Index>(allowed.size()));
    std::vector<float> result(window.size(), 0.0f);
    for (std::size_t i = 0; i < places.size(); ++i) {
        result[places[i]] = static_cast<float>(std::exp(static_cast<double>(allowed[i]) - total));
    }
    return result;
}

BERT_INLINE Span QuestionAnswering::span_of(const Encoding& window, const Candidate& candidate, bool align_to_words) {
    std::size_t first = candidate.start;
    std::size_t last = candidate.end;
    const auto& words = window.word_ids;
    if (align_to_words && words[first] >= 0 && words[last] >= 0) {
        const auto same_word = [&](std::size_t a, std::size_t b) {
            return words[a] == words[b] && window.sequence_ids[b] == 1;
        };
        while (first > 0 && same_word(first, first - 1)) --first;
        while (last + 1 < window.size() && same_word(last, last + 1)) ++last;
    }
    return {window.offsets[first].begin, window.offsets[last].end};
}

BERT_INLINE void QuestionAnswering::add(const Span& span, double score, Collector& collector) {
    const std::string_view text = collector.context.substr(span.begin, span.end - span.begin);
    const auto [known, added] = collector.by_text.try_emplace(detail::lower_case(text), collector.answers.size());
    if (added) collector.answers.push_back({score, span, std::string(text)});
    else collector.answers[known->second].score += score;
}

BERT_INLINE AnswerResult QuestionAnswering::finish(Collector collector, const AnswerOptions& options) {
    AnswerResult result;
    result.answers = std::move(collector.answers);
    result.no_answer_score = collector.no_answer;
    result.windows = collector.windows;
    if (options.handle_impossible_answer) result.answers.push_back({collector.no_answer, {}, {}});
    std::stable_sort(result.answers.begin(), result.answers.end(),
                     [](const Answer& a, const Answer& b) { return a.score > b.score; });
    if (result.answers.size() > options.top_k) result.answers.resize(options.top_k);
    return result;
}

BERT_NAMESPACE_END
