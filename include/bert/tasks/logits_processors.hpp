// From a model's logits to the scores that the next token is chosen by: repetition, forbidden and forced tokens,
// temperature, top-k and top-p. Depends on tasks/generation_options.
#pragma once

#include <bert/tasks/generation_options.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

inline constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

/// Replaces scores by the logarithms of their softmax, unless all are minus infinity.
inline void log_softmax(std::vector<float>& scores) {
    const float largest = *std::max_element(scores.begin(), scores.end());
    if (largest == minus_infinity) return;
    double sum = 0;
    for (const float score : scores) sum += std::exp(static_cast<double>(score) - static_cast<double>(largest));
    const double log_sum = static_cast<double>(largest) + std::log(sum);
    for (float& score : scores) score = static_cast<float>(static_cast<double>(score) - log_sum);
}

/// Softmax in double precision.
inline std::vector<double> probabilities_of(const std::vector<float>& scores) {
    const auto largest = static_cast<double>(*std::max_element(scores.begin(), scores.end()));
    std::vector<double> p(scores.size());
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] = std::exp(static_cast<double>(scores[i]) - largest);
    for (double& value : p) value /= sum;
    return p;
}

/// transformers' logits processors, in its order and with its arithmetic, for one sequence at a time.
class LogitsProcessors {
public:
    explicit LogitsProcessors(const GenerationSettings& settings) : s_(settings) {
        // Without its end token a sequence could not end: a lone one is never a bad word.
        for (const auto& word : s_.bad_words_ids) {
            if (word.size() != 1 || !s_.is_end(word.front())) bad_words_.push_back(word);
        }
    }

    /// Changes the scores (one per token of the vocabulary) of what follows `sequence`, prompt included.
    void apply(const std::vector<std::int32_t>& sequence, std::vector<float>& scores) const {
        penalize_repetition(sequence, scores);
        forbid_repeated_ngrams(sequence, scores);
        forbid_bad_words(sequence, scores);
        const auto length = static_cast<Index>(sequence.size());
        if (length < s_.min_length) forbid(s_.eos_token_id, scores);
        if (s_.forced_bos_token_id && length == 1) force({*s_.forced_bos_token_id}, scores);
        if (!s_.forced_eos_token_id.empty() && length == s_.max_length - 1) force(s_.forced_eos_token_id, scores);
        forbid(s_.suppress_tokens, scores);
        const bool forced_first = s_.prompt_length == 1 && s_.forced_bos_token_id;
        if (length == s_.prompt_length + (forced_first ? 1 : 0)) forbid(s_.begin_suppress_tokens, scores);
        if (s_.do_sample) warp(scores);
        if (s_.renormalize_logits) log_softmax(scores);
    }

private:
    static void force(const std::vector<std::int32_t>& tokens, std::vector<float>& scores) {
        std::fill(scores.begin(), scores.end(), minus_infinity);
        for (const std::int32_t token : tokens) scores[static_cast<std::size_t>(token)] = 0;
    }

    static void forbid(const std::vector<std::int32_t>& tokens, std::vector<float>& scores) {
        for (const std::int32_t token : tokens) {
            if (token >= 0 && static_cast<std::size_t>(token) < scores.size()) {
                scores[static_cast<std::size_t>(token)] = minus_infinity;
            }
        }
    }

    /// Keskar et al. 2019, https://arxiv.org/abs/1909.05858, with negative scores made worse by multiplying.
    void penalize_repetition(const std::vector<std::int32_t>& sequence, std::vector<float>& scores) const {
        if (s_.repetition_penalty == 1) return;
        const auto penalty = static_cast<float>(s_.repetition_penalty);
        std::vector<std::int32_t> tokens = sequence;
        std::sort(tokens.begin(), tokens.end());
        tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
        for (const std::int32_t token : tokens) {
            if (static_cast<std::size_t>(token) >= scores.size()) continue;
            float& score = scores[static_cast<std::size_t>(token)];
            score = score < 0 ? score * penalty : score / penalty;
        }
    }

    void forbid_repeated_ngrams(const std::vector<std::int32_t>& sequence, std::vector<float>& scores) const {
        const auto n = static_cast<std::size_t>(s_.no_repeat_ngram_size);
        if (n == 0 || sequence.size() < n) return;
        const auto prefix = sequence.end() - static_cast<std::ptrdiff_t>(n - 1);
        for (std::size_t begin = 0; begin + n <= sequence.size(); ++begin) {
            const auto window = sequence.begin() + static_cast<std::ptrdiff_t>(begin);
            if (std::equal(prefix, sequence.end(), window)) forbid({sequence[begin + n - 1]}, scores);
        }
    }

    void forbid_bad_words(const std::vector<std::int32_t>& sequence, std::vector<float>& scores) const {
        for (const auto& word : bad_words_) {
            const std::size_t before = word.size() - 1;
            if (before > sequence.size()) continue;
            if (std::equal(word.begin(), word.end() - 1, sequence.end() - static_cast<std::ptrdiff_t>(before))) {
                forbid({word.back()}, scores);
            }
        }
    }

    void warp(std::vector<float>& scores) const {
        // Beams need a token to go on with beside the end tokens.
        const std::size_t keep = s_.num_beams > 1 ? std::max<std::size_t>(s_.eos_token_id.size(), 1) + 1 : 1;
        if (s_.temperature != 1) {
            for (float& score : scores) score /= static_cast<float>(s_.temperature);
        }
        if (s_.top_k > 0) keep_likeliest(std::max(static_cast<std::size_t>(s_.top_k), keep), scores);
        if (s_.top_p < 1) keep_nucleus(keep, scores);
        if (s_.min_p > 0) keep_close_to_best(keep, scores);
    }

    static void keep_likeliest(std::size_t k, std::vector<float>& scores) {
        if (k >= scores.size()) return;
        std::vector<float> sorted = scores;
        const auto kth = sorted.begin() + static_cast<std::ptrdiff_t>(k - 1);
        std::nth_element(sorted.begin(), kth, sorted.end(), std::greater<float>());
        for (float& score : scores) {
            if (score < *kth) score = minus_infinity;
        }
    }

    /// Token numbers by ascending score.
    static std::vector<std::size_t> ascending(const std::vector<float>& scores) {
        std::vector<std::size_t> order(scores.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
        return order;
    }

    /// Holtzman et al. 2019, https://arxiv.org/abs/1904.09751.
    void keep_nucleus(std::size_t keep, std::vector<float>& scores) const {
        const std::vector<double> p = probabilities_of(scores);
        const std::vector<std::size_t> order = ascending(scores);
        double cumulative = 0;
        for (std::size_t i = 0; i + keep < order.size(); ++i) {
            cumulative += p[order[i]];
            if (cumulative > 1 - s_.top_p) break;
            scores[order[i]] = minus_infinity;
        }
    }

    void keep_close_to_best(std::size_t keep, std::vector<float>& scores) const {
        const std::vector<double> p = probabilities_of(scores);
        const std::vector<std::size_t> order = ascending(scores);
        const double least = s_.min_p * p[order.back()];
        for (std::size_t i = 0; i + keep < order.size(); ++i) {
            if (p[order[i]] < least) scores[order[i]] = minus_infinity;
        }
    }

    const GenerationSettings& s_;
    std::vector<std::vector<std::int32_t>> bad_words_;
};

}  // namespace detail

BERT_NAMESPACE_END
