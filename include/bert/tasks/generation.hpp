// Text generation over anything that computes next-token logits: greedy, sampled or with beams, for several prompts at
// once. Depends on tasks/beam_search and tasks/token_search.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/tasks/beam_search.hpp>
#include <bert/tasks/generation_options.hpp>
#include <bert/tasks/token_search.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The search for one prompt's continuations, of either kind.
class PromptSearch {
public:
    PromptSearch(const GenerationSettings& settings, std::size_t prompt, const std::vector<std::int32_t>& tokens,
                 std::uint64_t seed) {
        if (settings.num_beams > 1) beams_ = std::make_unique<BeamSearch>(settings, prompt, tokens, seed);
        else tokens_ = std::make_unique<TokenSearch>(settings, prompt, tokens, seed);
    }

    const std::vector<Continuation>& rows() const noexcept { return beams_ ? beams_->rows() : tokens_->rows(); }

    template <class OnToken>
    void advance(const ConstRows<float>& logits, const OnToken& on_token) {
        if (beams_) beams_->advance(logits);
        else tokens_->advance(logits, on_token);
    }

    std::vector<GeneratedSequence> take_results() { return beams_ ? beams_->take_results() : tokens_->take_results(); }

    Index first_row = 0;  ///< of the step at hand

private:
    std::unique_ptr<BeamSearch> beams_;
    std::unique_ptr<TokenSearch> tokens_;
};

/// Runs the searches of prompts [first, last) side by side to their ends.
template <class Model>
void generate_group(Model& model, const std::vector<std::vector<std::int32_t>>& prompts,
                    const std::vector<GenerationSettings>& settings, const GenerationOptions& options,
                    std::size_t first, std::size_t last, std::vector<std::vector<GeneratedSequence>>& results) {
    std::vector<PromptSearch> searches;
    for (std::size_t i = first; i < last; ++i) searches.emplace_back(settings[i], i, prompts[i], options.seed);
    const auto on_token = [&](const GeneratedToken& token) {
        if (options.on_token) options.on_token(token);
    };
    std::vector<Continuation> rows;
    Matrix logits;
    for (;;) {
        rows.clear();
        std::size_t running = 0;
        for (PromptSearch& search : searches) {
            // Parents are counted within a prompt; the model counts all rows of its last step.
            const auto before = static_cast<std::size_t>(search.first_row);
            search.first_row = static_cast<Index>(rows.size());
            running += !search.rows().empty();
            for (const Continuation& row : search.rows()) {
                rows.push_back(row);
                if (row.parent != Continuation::no_parent) rows.back().parent += before;
            }
        }
        if (options.progress) options.progress(last - running, prompts.size());
        if (rows.empty()) break;
        resize(logits, static_cast<Index>(rows.size()), settings[first].vocab_size);
        model.step(rows, logits);
        for (PromptSearch& search : searches) {
            const auto count = static_cast<Index>(search.rows().size());
            if (count > 0) search.advance(logits.middleRows(search.first_row, count), on_token);
        }
    }
    for (std::size_t i = first; i < last; ++i) results[i] = searches[i - first].take_results();
}

}  // namespace detail

/// The continuations of each prompt, best first with beams. `model` computes a step with
///
///     void step(const std::vector<Continuation>& rows, Rows<float> logits);  // logits: rows x vocab_size
///
/// after which it must be able to continue any of those rows, and no others. `folder`: the settings where `options`
/// has none; `source_tokens`: what a prompt costs of the token budget beside its sequences, or empty. A prompt's result
/// does not depend on the others of the call. Errors: input (settings out of range, a prompt that is empty, leaves no
/// room or is not of the vocabulary, logits that are not finite, no token allowed).
template <class Model>
std::vector<std::vector<GeneratedSequence>> generate(Model& model,
                                                     const std::vector<std::vector<std::int32_t>>& prompts,
                                                     const GenerationOptions& options, const GenerationConfig& folder,
                                                     const GenerationLimits& limits,
                                                     const std::vector<std::size_t>& source_tokens = {}) {
    std::vector<detail::GenerationSettings> settings;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
        if (prompts[i].empty()) detail::fail(ErrorKind::input, "prompt ", i, " has no tokens");
        for (const std::int32_t id : prompts[i]) {
            if (id >= 0 && id < limits.vocab_size) continue;
            detail::fail(ErrorKind::input, "prompt ", i, ": id ", id, " is outside the vocabulary of ",
                         limits.vocab_size);
        }
        settings.push_back(detail::settle(options, folder, limits, i, prompts[i].size()));
        if (options.on_token && settings.back().num_beams > 1) {
            detail::fail(ErrorKind::input,
                         "on_token goes with num_beams 1: the tokens of beams are settled at the end");
        }
    }
    std::vector<std::vector<GeneratedSequence>> results(prompts.size());
    const auto cost = [&](std::size_t i) {
        const auto sequences = std::max(settings[i].num_beams, settings[i].num_return_sequences);
        return static_cast<std::size_t>(sequences) * static_cast<std::size_t>(settings[i].max_length) +
               (source_tokens.empty() ? 0 : source_tokens[i]);
    };
    for (std::size_t first = 0; first < prompts.size();) {
        std::size_t last = first;
        std::size_t tokens = 0;
        while (last < prompts.size() && (last == first || tokens + cost(last) <= options.token_budget)) {
            tokens += cost(last++);
        }
        detail::generate_group(model, prompts, settings, options, first, last, results);
        first = last;
    }
    return results;
}

BERT_NAMESPACE_END
