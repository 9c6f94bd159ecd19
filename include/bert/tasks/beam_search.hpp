// Beam search, as transformers does it. Depends on tasks/token_search.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/tasks/generation_options.hpp>
#include <bert/tasks/logits_processors.hpp>
#include <bert/tasks/token_search.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The beams of one prompt. Scores are sums of 32-bit floats, with -1e9 standing for "out of the race", so that ties
/// and roundings fall as they do in the reference implementation; equal scores go by their place.
class BeamSearch {
public:
    BeamSearch(const GenerationSettings& settings, std::size_t prompt, std::vector<std::int32_t> tokens,
               std::uint64_t seed)
        : s_(settings),
          processors_(s_),
          prompt_(prompt),
          beams_(static_cast<std::size_t>(s_.num_beams)),
          uniform_(seed, 0) {
        running_.assign(beams_, Beam{tokens, {}, out_of_the_race, 0, false});
        running_.front().score = 0;  // only one of the beams, which are all the same as yet, is in the race
        best_.assign(beams_, Beam{{}, {}, out_of_the_race, 0, false});
        rows_.push_back({prompt_, Continuation::no_parent, std::move(tokens), s_.max_length - 1});
    }
    BeamSearch(const BeamSearch&) = delete;
    BeamSearch& operator=(const BeamSearch&) = delete;

    /// What to compute; empty when the search has ended. Parents are rows of the last call of this search.
    const std::vector<Continuation>& rows() const noexcept { return rows_; }

    /// Takes the logits of rows().
    void advance(const ConstRows<float>& logits) {
        std::vector<Beam> candidates = choose_candidates(logits);
        const std::size_t length = candidates.front().tokens.size();
        std::vector<bool> ends(candidates.size());
        for (std::size_t i = 0; i < ends.size(); ++i) {
            ends[i] = s_.is_end(candidates[i].tokens.back()) || static_cast<Index>(length) >= s_.max_length;
        }
        const bool can_go_on = !std::all_of(ends.begin(), ends.end(), [](bool end) { return end; });
        choose_running(candidates, ends);
        choose_best(std::move(candidates), ends, length);

        const bool enough = s_.early_stopping == EarlyStopping::yes &&
                            std::all_of(best_.begin(), best_.end(), [](const Beam& beam) { return beam.finished; });
        rows_.clear();
        if (!may_improve(length) || enough || !can_go_on) return;
        for (const Beam& beam : running_) {
            if (s_.use_cache) rows_.push_back({prompt_, beam.row, {beam.tokens.back()}, s_.max_length - 1});
            else rows_.push_back({prompt_, Continuation::no_parent, beam.tokens, s_.max_length - 1});
        }
    }

    std::vector<GeneratedSequence> take_results() {
        std::vector<GeneratedSequence> results;
        for (std::size_t i = 0; i < static_cast<std::size_t>(s_.num_return_sequences); ++i) {
            Beam& beam = best_[i];
            if (!beam.finished) break;  // fewer sequences than beams were possible
            GeneratedSequence& result = results.emplace_back();
            result.tokens.assign(beam.tokens.begin() + static_cast<std::ptrdiff_t>(s_.prompt_length),
                                 beam.tokens.end());
            result.token_scores = std::move(beam.token_scores);
            result.score = beam.score;
            result.finish = s_.is_end(result.tokens.back()) ? FinishReason::end_token : FinishReason::length;
        }
        return results;
    }

private:
    static constexpr float out_of_the_race = -1e9f;

    struct Beam {
        std::vector<std::int32_t> tokens;  // the prompt's as well
        std::vector<float> token_scores;
        float score;
        std::size_t row;  // of the last step, that it continues
        bool finished;
    };

    /// Indices of the `count` largest values, in descending order.
    template <class T>
    static std::vector<std::size_t> largest(const std::vector<T>& values, std::size_t count) {
        std::vector<std::size_t> order(values.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        count = std::min(count, order.size());
        std::partial_sort(
            order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] > values[b] || (values[a] == values[b] && a < b); });
        order.resize(count);
        return order;
    }

    /// The beams that follow the running ones: enough that num_beams do not end here, best first.
    std::vector<Beam> choose_candidates(const ConstRows<float>& logits) {
        const auto vocab = static_cast<std::size_t>(s_.vocab_size);
        std::vector<float> log_probabilities;
        std::vector<float> sums;
        for (std::size_t i = 0; i < beams_; ++i) {
            std::vector<float> scores = scores_of(logits, rows_.size() == 1 ? 0 : static_cast<Index>(i));
            log_softmax(scores);
            processors_.apply(running_[i].tokens, scores);
            log_probabilities.insert(log_probabilities.end(), scores.begin(), scores.end());
            for (const float score : scores) sums.push_back(score + running_[i].score);
        }
        const std::size_t count = std::max<std::size_t>(2, 1 + s_.eos_token_id.size()) * beams_;
        const std::vector<std::size_t> chosen = s_.do_sample ? draw(sums, count) : largest(sums, count);
        if (sums[chosen.front()] == minus_infinity) fail_without_choice(running_.front().tokens.size());
        std::vector<Beam> candidates;
        for (const std::size_t at : chosen) {
            const std::size_t from = at / vocab;
            Beam& beam = candidates.emplace_back(running_[from]);
            beam.tokens.push_back(static_cast<std::int32_t>(at % vocab));
            beam.token_scores.push_back(log_probabilities[at]);
            beam.score = sums[at];
            beam.row = rows_.size() == 1 ? 0 : from;
        }
        return candidates;
    }

    /// `count` different indices in the order of drawing, with the softmax of `sums` as their probabilities: the
    /// largest of sums with Gumbel noise (https://arxiv.org/abs/1903.06059).
    std::vector<std::size_t> draw(const std::vector<float>& sums, std::size_t count) {
        std::vector<double> keys(sums.size());
        for (std::size_t i = 0; i < keys.size(); ++i) {
            keys[i] = static_cast<double>(sums[i]) - std::log(-std::log(uniform_.next()));
        }
        return largest(keys, count);
    }

    void choose_running(const std::vector<Beam>& candidates, const std::vector<bool>& ends) {
        std::vector<float> scores(candidates.size());
        for (std::size_t i = 0; i < scores.size(); ++i) {
            scores[i] = candidates[i].score + (ends[i] ? out_of_the_race : 0.0f);
        }
        std::vector<Beam> next;
        for (const std::size_t i : largest(scores, beams_)) {
            next.push_back(candidates[i]);
            next.back().score = scores[i];
        }
        running_ = std::move(next);
    }

    /// Lets the candidates that end here compete with the finished ones. Those beyond the first num_beams were only
    /// reserves.
    void choose_best(std::vector<Beam> candidates, const std::vector<bool>& ends, std::size_t length) {
        std::vector<Beam> all = std::move(best_);
        std::vector<float> scores;
        scores.reserve(all.size());
        for (const Beam& beam : all) scores.push_back(beam.score);
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            Beam& beam = candidates[i];
            beam.finished = ends[i] && i < beams_;
            beam.score = penalized(beam.score, length - static_cast<std::size_t>(s_.prompt_length), s_.length_penalty);
            if (!beam.finished) beam.score += out_of_the_race;
            scores.push_back(beam.score);
            all.push_back(std::move(beam));
        }
        best_.clear();
        for (const std::size_t i : largest(scores, beams_)) best_.push_back(std::move(all[i]));
    }

    /// Whether the best running beam could still become better than a finished one.
    bool may_improve(std::size_t length) const {
        const bool longest = s_.early_stopping == EarlyStopping::never && s_.length_penalty > 0;
        const Index tokens = (longest ? s_.nominal_max_length : static_cast<Index>(length)) - s_.prompt_length;
        const float possible = penalized(running_.front().score, static_cast<std::size_t>(tokens), s_.length_penalty);
        float worst = best_.front().score;
        for (const Beam& beam : best_) worst = std::min(worst, beam.score);
        return std::any_of(best_.begin(), best_.end(),
                           [&](const Beam& beam) { return possible > (beam.finished ? worst : out_of_the_race); });
    }

    GenerationSettings s_;
    LogitsProcessors processors_;  // refers to s_
    std::size_t prompt_;
    std::size_t beams_;
    UniformNumbers uniform_;
    std::vector<Beam> running_;
    std::vector<Beam> best_;  // finished ones, best first, then room for more
    std::vector<Continuation> rows_;
};

}  // namespace detail

BERT_NAMESPACE_END
