// Definitions of tasks/splade.hpp.
#pragma once

#include <bert/tasks/scores.hpp>
#include <bert/tasks/splade.hpp>

#include <algorithm>
#include <cmath>

BERT_NAMESPACE_BEGIN

BERT_INLINE double dot(const SparseVector& a, const SparseVector& b) {
    double sum = 0;
    for (std::size_t i = 0, j = 0; i < a.ids.size() && j < b.ids.size();) {
        if (a.ids[i] == b.ids[j]) sum += static_cast<double>(a.values[i++]) * static_cast<double>(b.values[j++]);
        else if (a.ids[i] < b.ids[j]) ++i;
        else ++j;
    }
    return sum;
}

BERT_INLINE Splade::Splade(const ModelPath& folder, const TaskOptions& options)
    : Splade(load_splade_config(folder), options) {}

BERT_INLINE std::vector<SparseVector> Splade::encode(const std::vector<std::string>& texts,
                                                     const SpladeOptions& options) const {
    const std::string prompt = prompt_of(options);
    std::vector<SparseVector> vectors(texts.size());
    TaskRun run(task_, [&](const TaskStep& step) {
        for (Index i = 0; i < step.batch.texts(); ++i) {
            keep_highest(pool(step.rows(i), step.workspace), options,
                         vectors[step.first + static_cast<std::size_t>(i)]);
        }
    });
    EncodeOptions limit;
    limit.max_length = task_.max_length();
    TokenIds ids;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        task_.tokenizer().encode_ids(prompt + texts[i], limit, ids);
        vectors[i].truncated = ids.truncated;
        run.add(ids);
        if (run.full()) run.compute();
    }
    run.compute();
    return vectors;
}

BERT_INLINE std::vector<SparseVector> Splade::encode_query(const std::vector<std::string>& texts,
                                                           SpladeOptions options) const {
    choose_prompt({"query"}, options);
    return encode(texts, options);
}

BERT_INLINE std::vector<SparseVector> Splade::encode_document(const std::vector<std::string>& texts,
                                                              SpladeOptions options) const {
    choose_prompt({"document", "passage", "corpus"}, options);
    return encode(texts, options);
}

BERT_INLINE std::vector<std::pair<std::string, float>> Splade::words(const SparseVector& vector) const {
    std::vector<std::pair<std::string, float>> result;
    for (const std::size_t i : highest(vector.values.data(), vector.values.size(), vector.values.size())) {
        result.emplace_back(task_.tokenizer().id_to_token(vector.ids[i]).value_or(""), vector.values[i]);
    }
    return result;
}

BERT_INLINE Splade::Splade(SpladeConfig config, const TaskOptions& options)
    : config_(std::move(config)),
      head_(HeadFolder(config_.transformer_folder, Task::sparse_embedding, options.load),
            choose_weights(options.weights, config_.transformer_folder)),
      task_(config_.transformer_folder, with_length_limit(options, config_.max_seq_length, config_.transformer_folder),
            {config_.do_lower_case, {}}) {}

BERT_INLINE std::string Splade::prompt_of(const SpladeOptions& options) const {
    if (options.prompt) return *options.prompt;
    return config_.default_prompt_name ? config_.prompts.at(*config_.default_prompt_name) : std::string();
}

BERT_INLINE void Splade::choose_prompt(const std::vector<const char*>& names, SpladeOptions& options) const {
    if (options.prompt) return;
    options.prompt = "";
    for (const char* name : names) {
        const auto prompt = config_.prompts.find(name);
        if (prompt == config_.prompts.end()) continue;
        options.prompt = prompt->second;
        return;
    }
}

BERT_INLINE std::vector<float> Splade::pool(const ConstRows<float>& hidden, Workspace& workspace) const {
    std::vector<float> pooled(static_cast<std::size_t>(head_.vocab_size()), 0.0f);
    head_.for_each_row(hidden, workspace, [&](Index, const float* logits) {
        for (std::size_t i = 0; i < pooled.size(); ++i) {
            if (!(logits[i] > 0)) continue;
            float value = std::log1p(logits[i]);
            if (config_.log_twice) value = std::log1p(value);
            pooled[i] = config_.sum ? pooled[i] + value : std::max(pooled[i], value);
        }
    });
    return pooled;
}

BERT_INLINE void Splade::keep_highest(const std::vector<float>& pooled, const SpladeOptions& options,
                                      SparseVector& vector) const {
    const auto most = options.max_active_dims ? options.max_active_dims : config_.max_active_dims;
    std::vector<std::size_t> kept = highest(pooled.data(), pooled.size(), most.value_or(pooled.size()));
    std::sort(kept.begin(), kept.end());
    for (const std::size_t i : kept) {
        if (pooled[i] == 0) continue;
        vector.ids.push_back(static_cast<std::int32_t>(i));
        vector.values.push_back(pooled[i]);
    }
}

BERT_NAMESPACE_END
