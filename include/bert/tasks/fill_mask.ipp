// Definitions of tasks/fill_mask.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/fill_mask.hpp>
#include <bert/tasks/scores.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

BERT_NAMESPACE_BEGIN

BERT_INLINE FillMask::FillMask(const ModelPath& folder, const TaskOptions& options)
    : FillMask(folder, HeadFolder(folder, Task::fill_mask, options.load), options) {}

BERT_INLINE FillMaskResult FillMask::fill(const std::string& text, const FillMaskOptions& options) const {
    return fill_batch({text}, options).front();
}

BERT_INLINE std::vector<FillMaskResult> FillMask::fill_batch(const std::vector<std::string>& texts,
                                                             const FillMaskOptions& options) const {
    FillMaskResult common;
    const auto targets = target_ids(options.targets, common.substituted);
    if (options.top_k < 1 || (targets.empty() && options.top_k > static_cast<std::size_t>(head_.vocab_size()))) {
        detail::fail(ErrorKind::input, "top_k should be from 1 to the ", head_.vocab_size(),
                     " words of the vocabulary, given ", options.top_k);
    }
    std::vector<FillMaskResult> results(texts.size(), common);
    std::vector<Encoding> waiting;  // the texts of `run` that are not computed yet
    std::size_t computed = 0;
    TaskRun run(task_, [&](const TaskStep& step) {
        for (Index i = 0; i < step.batch.texts(); ++i) {
            const std::size_t text = step.first + static_cast<std::size_t>(i);
            fill_text(waiting[text - computed], step.rows(i), targets, options.top_k, step.workspace, results[text]);
        }
    });
    for (std::size_t i = 0; i < texts.size(); ++i) {
        EncodeOptions limit;
        limit.max_length = task_.max_length();
        waiting.push_back(task_.tokenizer().encode(texts[i], limit));
        results[i].truncated = waiting.back().truncated;
        check_mask(i, waiting.back());
        run.add(waiting.back());
        if (!run.full() && i + 1 < texts.size()) continue;
        run.compute();
        computed += waiting.size();
        waiting.clear();
    }
    return results;
}

BERT_INLINE PseudoLikelihood FillMask::perplexity(const std::string& text) const {
    EncodeOptions options;
    options.max_length = task_.max_length();
    options.overflowing = true;
    Encoding encoding = task_.tokenizer().encode(text, options);
    const std::vector<Encoding> further = std::move(encoding.overflowing);
    PseudoLikelihood result;
    result.windows = 1 + further.size();
    add_likelihood(encoding, result);
    for (const Encoding& window : further) add_likelihood(window, result);
    if (result.tokens > 0) {
        result.perplexity = std::exp(-result.log_likelihood / static_cast<double>(result.tokens));
    }
    return result;
}

BERT_INLINE FillMask::FillMask(const ModelPath& folder, const HeadFolder& heads, const TaskOptions& options)
    : head_(heads, choose_weights(options.weights, folder)), task_(folder, options) {
    if (!task_.tokenizer().mask_id()) {
        detail::fail(ErrorKind::vocabulary, folder, ": the tokenizer has no mask token");
    }
}

BERT_INLINE std::vector<std::int32_t> FillMask::target_ids(const std::vector<std::string>& targets,
                                                           std::vector<std::string>& substituted) const {
    std::vector<std::int32_t> ids;
    EncodeOptions options;
    options.add_special_tokens = false;
    for (const std::string& target : targets) {
        auto id = task_.tokenizer().token_to_id(target);
        if (!id) {
            const Encoding encoding = task_.tokenizer().encode(target, options);
            if (encoding.empty()) continue;
            id = encoding.ids.front();
            substituted.push_back(target);
        }
        ids.push_back(*id);
    }
    if (ids.empty() && !targets.empty()) {
        detail::fail(ErrorKind::input, "none of the ", targets.size(), " targets has a token");
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
}

BERT_INLINE void FillMask::check_mask(std::size_t text, const Encoding& encoding) const {
    const std::int32_t mask = *task_.tokenizer().mask_id();
    if (std::find(encoding.ids.begin(), encoding.ids.end(), mask) != encoding.ids.end()) return;
    detail::fail(ErrorKind::input, "text ", text, " has no ", *task_.tokenizer().id_to_token(mask),
                 encoding.truncated ? " within the tokens that the model takes, " : "",
                 encoding.truncated ? std::to_string(encoding.size()) : "");
}

BERT_INLINE void FillMask::fill_text(const Encoding& encoding, const ConstRows<float>& hidden,
                                     const std::vector<std::int32_t>& targets, std::size_t top_k, Workspace& workspace,
                                     FillMaskResult& result) const {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < encoding.size(); ++i) {
        if (encoding.ids[i] == *task_.tokenizer().mask_id()) places.push_back(i);
    }
    Matrix rows(static_cast<Index>(places.size()), hidden.cols());
    for (std::size_t i = 0; i < places.size(); ++i) {
        rows.row(static_cast<Index>(i)) = hidden.row(static_cast<Index>(places[i]));
    }
    head_.for_each_row(rows, workspace, [&](Index row, const float* logits) {
        const std::size_t place = places[static_cast<std::size_t>(row)];
        result.masks.push_back({encoding.offsets[place], {}});
        const double total = log_sum_exp(logits, head_.vocab_size());
        for (const std::int32_t id : best(logits, targets, top_k)) {
            const double probability = std::exp(static_cast<double>(logits[id]) - total);
            result.masks.back().candidates.push_back({static_cast<float>(probability), id,
                                                      task_.tokenizer().decode({id}, false),
                                                      filled(encoding, place, id, places.size() == 1)});
        }
    });
}

BERT_INLINE std::vector<std::int32_t> FillMask::best(const float* logits, const std::vector<std::int32_t>& targets,
                                                     std::size_t top_k) const {
    std::vector<std::int32_t> ids;
    if (targets.empty()) {
        for (const std::size_t id : highest(logits, static_cast<std::size_t>(head_.vocab_size()), top_k)) {
            ids.push_back(static_cast<std::int32_t>(id));
        }
        return ids;
    }
    std::vector<float> scores;
    scores.reserve(targets.size());
    for (const std::int32_t id : targets) scores.push_back(logits[id]);
    for (const std::size_t i : highest(scores.data(), scores.size(), top_k)) ids.push_back(targets[i]);
    return ids;
}

BERT_INLINE std::string FillMask::filled(const Encoding& encoding, std::size_t place, std::int32_t id,
                                         bool only_mask) const {
    std::vector<std::int32_t> ids = encoding.ids;
    ids[place] = id;
    if (const auto pad = task_.tokenizer().pad_id()) ids.erase(std::remove(ids.begin(), ids.end(), *pad), ids.end());
    return task_.tokenizer().decode(ids, only_mask);
}

BERT_INLINE void FillMask::add_likelihood(const Encoding& window, PseudoLikelihood& result) const {
    std::vector<std::size_t> places;  // the masked token of each input
    for (std::size_t i = 0; i < window.size(); ++i) {
        if (window.special_tokens_mask[i] == 0) places.push_back(i);
    }
    TaskRun run(task_, [&](const TaskStep& step) {
        Matrix rows(step.batch.texts(), step.hidden.cols());
        const std::size_t* const masked = places.data() + step.first;
        for (Index i = 0; i < rows.rows(); ++i) rows.row(i) = step.rows(i).row(static_cast<Index>(masked[i]));
        head_.for_each_row(rows, step.workspace, [&](Index row, const float* logits) {
            const double logit = static_cast<double>(logits[window.ids[masked[row]]]);
            result.log_likelihood += logit - log_sum_exp(logits, head_.vocab_size());
        });
    });
    std::vector<std::int32_t> ids = window.ids;
    for (const std::size_t place : places) {
        ids[place] = *task_.tokenizer().mask_id();
        run.add(ids.data(), window.type_ids.data(), ids.size());
        ids[place] = window.ids[place];
        if (run.full()) run.compute();
    }
    run.compute();
    result.tokens += places.size();
}

BERT_NAMESPACE_END
