// Choosing one token after another: the likeliest, or one drawn at random. Depends on tasks/logits_processors.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/tasks/generation_options.hpp>
#include <bert/tasks/logits_processors.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What a model has to compute next: the logits after the last of `tokens`, which continue the sequence that was row
/// `parent` of the step before, or start a new one where that is `no_parent`.
struct Continuation {
    static constexpr std::size_t no_parent = static_cast<std::size_t>(-1);  ///< where a sequence begins

    std::size_t prompt = 0;            ///< index of the prompt
    std::size_t parent = no_parent;    ///< row of the step before, or no_parent
    std::vector<std::int32_t> tokens;  ///< ids to go on with
    Index max_tokens = 0;              ///< most tokens that the sequence may be made to hold by this and later steps
};

namespace detail {

/// Uniform numbers of (0, 1), the same on every platform.
class UniformNumbers {
public:
    UniformNumbers(std::uint64_t seed, std::size_t stream)
        : engine_(seed ^ (0x9E3779B97F4A7C15u * (static_cast<std::uint64_t>(stream) + 1))) {}

    double next() { return (static_cast<double>(engine_() >> 11) + 0.5) * 0x1p-53; }

private:
    std::mt19937_64 engine_;
};

/// The logits of a row as scores. Errors: input (not finite).
inline std::vector<float> scores_of(const ConstRows<float>& logits, Index row) {
    const float* const values = logits.data() + row * logits.outerStride();
    std::vector<float> scores(values, values + logits.cols());
    for (const float score : scores) {
        if (!std::isfinite(score)) fail(ErrorKind::input, "the model's logits are not finite");
    }
    return scores;
}

[[noreturn]] inline void fail_without_choice(std::size_t length) {
    fail(ErrorKind::input, "every token is forbidden after ", length, " tokens");
}

/// The score of a sequence whose tokens have the given sum of scores.
inline float penalized(float sum, std::size_t tokens, double length_penalty) {
    return sum / static_cast<float>(std::pow(static_cast<double>(tokens), length_penalty));
}

/// The sequences of one prompt, each going its own way.
class TokenSearch {
public:
    TokenSearch(const GenerationSettings& settings, std::size_t prompt, std::vector<std::int32_t> tokens,
                std::uint64_t seed)
        : s_(settings), processors_(s_), prompt_(prompt) {
        for (Index i = 0; i < s_.num_return_sequences; ++i) {
            const auto stream = static_cast<std::size_t>(i);
            sequences_.push_back({stream, tokens, {}, UniformNumbers(seed, stream)});
        }
        rows_.push_back({prompt_, Continuation::no_parent, std::move(tokens), s_.max_length - 1});
    }
    TokenSearch(const TokenSearch&) = delete;
    TokenSearch& operator=(const TokenSearch&) = delete;

    /// What to compute; empty when all sequences have ended. Parents are rows of the last call of this search.
    const std::vector<Continuation>& rows() const noexcept { return rows_; }

    /// Takes the logits of rows(). on_token: see GenerationOptions.
    template <class OnToken>
    void advance(const ConstRows<float>& logits, const OnToken& on_token) {
        const bool first = results_.empty();
        if (first) results_.resize(sequences_.size());
        std::vector<Sequence> running;
        rows_.clear();
        for (std::size_t i = 0; i < sequences_.size(); ++i) {
            Sequence& sequence = sequences_[i];
            const std::size_t row = first ? 0 : i;
            std::vector<float> scores = scores_of(logits, static_cast<Index>(row));
            processors_.apply(sequence.tokens, scores);
            const std::int32_t token = choose(scores, sequence);
            log_softmax(scores);
            sequence.tokens.push_back(token);
            sequence.scores.push_back(scores[static_cast<std::size_t>(token)]);
            const bool end = s_.is_end(token);
            const bool last = end || static_cast<Index>(sequence.tokens.size()) >= s_.max_length;
            on_token(GeneratedToken{prompt_, sequence.index, token, sequence.scores.back(), last});
            if (last) {
                finish(sequence, end ? FinishReason::end_token : FinishReason::length);
            } else {
                rows_.push_back(continuation(sequence, row));
                running.push_back(std::move(sequence));
            }
        }
        sequences_ = std::move(running);
    }

    std::vector<GeneratedSequence> take_results() { return std::move(results_); }

private:
    struct Sequence {
        std::size_t index;                 // among those of the prompt
        std::vector<std::int32_t> tokens;  // the prompt's as well
        std::vector<float> scores;
        UniformNumbers uniform;
    };

    Continuation continuation(const Sequence& sequence, std::size_t row) const {
        if (!s_.use_cache) return {prompt_, Continuation::no_parent, sequence.tokens, s_.max_length - 1};
        return {prompt_, row, {sequence.tokens.back()}, s_.max_length - 1};
    }

    std::int32_t choose(const std::vector<float>& scores, Sequence& sequence) const {
        const auto best = std::max_element(scores.begin(), scores.end());
        if (*best == minus_infinity) fail_without_choice(sequence.tokens.size());
        if (!s_.do_sample) return static_cast<std::int32_t>(best - scores.begin());
        const std::vector<double> p = probabilities_of(scores);
        double left = sequence.uniform.next();
        std::size_t token = static_cast<std::size_t>(best - scores.begin());  // where rounding leaves something over
        for (std::size_t i = 0; i < p.size(); ++i) {
            if (p[i] > left) {
                token = i;
                break;
            }
            left -= p[i];
        }
        return static_cast<std::int32_t>(token);
    }

    void finish(Sequence& sequence, FinishReason reason) {
        GeneratedSequence& result = results_[sequence.index];
        result.tokens.assign(sequence.tokens.begin() + static_cast<std::ptrdiff_t>(s_.prompt_length),
                             sequence.tokens.end());
        float sum = 0;
        for (const float score : sequence.scores) sum += score;
        result.score = penalized(sum, result.tokens.size(), s_.length_penalty);
        result.token_scores = std::move(sequence.scores);
        result.finish = reason;
    }

    GenerationSettings s_;
    LogitsProcessors processors_;  // refers to s_
    std::size_t prompt_;
    std::vector<Sequence> sequences_;  // those still running
    std::vector<Continuation> rows_;
    std::vector<GeneratedSequence> results_;
};

}  // namespace detail

BERT_NAMESPACE_END
