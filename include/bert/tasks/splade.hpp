// Texts to sparse vectors over the words of the vocabulary (SPLADE), from a masked-LM head. Depends on io, model and
// tasks/task_model.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/model_path.hpp>
#include <bert/io/splade_config.hpp>
#include <bert/model/task_heads.hpp>
#include <bert/tasks/scores.hpp>
#include <bert/tasks/task_model.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// A vector of which only the entries that are not 0 are kept.
struct SparseVector {
    std::vector<std::int32_t> ids;  ///< the dimensions, ascending: ids of the vocabulary
    std::vector<float> values;      ///< one per id, all positive
    bool truncated = false;         ///< whether tokens of the text were left out to respect the model's limit
};

/// The dot product, by which sparse vectors are compared.
inline double dot(const SparseVector& a, const SparseVector& b) {
    double sum = 0;
    for (std::size_t i = 0, j = 0; i < a.ids.size() && j < b.ids.size();) {
        if (a.ids[i] == b.ids[j]) sum += static_cast<double>(a.values[i++]) * static_cast<double>(b.values[j++]);
        else if (a.ids[i] < b.ids[j]) ++i;
        else ++j;
    }
    return sum;
}

/// Options of one call of Splade.
struct SpladeOptions {
    std::optional<std::size_t> max_active_dims;  ///< keep the highest entries only; the folder's limit where not set
    std::optional<std::string> prompt;           ///< put before each text; the folder's default where not set
};

/// Sparse lexical embeddings, SPLADE (Formal et al. 2021, https://arxiv.org/abs/2109.10086): for each word of the
/// vocabulary log(1 + relu(logit)), the highest over the text's tokens, as sentence-transformers' SparseEncoder
/// computes it. Opens its folders, and plain ones with a masked-LM head. Const calls may be made from several threads
/// at once.
class Splade {
public:
    /// Errors: file, format, shape, vocabulary, unsupported (no such head in the folder, other modules).
    explicit Splade(const ModelPath& folder, const TaskOptions& options = {})
        : Splade(load_splade_config(folder), options) {}

    std::vector<SparseVector> encode(const std::vector<std::string>& texts, const SpladeOptions& options = {}) const {
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

    /// encode() with the prompt that the folder names "query", or without one where it names none.
    std::vector<SparseVector> encode_query(const std::vector<std::string>& texts, SpladeOptions options = {}) const {
        choose_prompt({"query"}, options);
        return encode(texts, options);
    }

    /// encode() with the first prompt that the folder names of "document", "passage" and "corpus", or without one.
    std::vector<SparseVector> encode_document(const std::vector<std::string>& texts, SpladeOptions options = {}) const {
        choose_prompt({"document", "passage", "corpus"}, options);
        return encode(texts, options);
    }

    /// The entries of a vector as words, highest first.
    std::vector<std::pair<std::string, float>> words(const SparseVector& vector) const {
        std::vector<std::pair<std::string, float>> result;
        for (const std::size_t i : highest(vector.values.data(), vector.values.size(), vector.values.size())) {
            result.emplace_back(task_.tokenizer().id_to_token(vector.ids[i]).value_or(""), vector.values[i]);
        }
        return result;
    }

    const SpladeConfig& config() const noexcept { return config_; }
    const TaskModel& task() const noexcept { return task_; }

private:
    Splade(SpladeConfig config, const TaskOptions& options)
        : config_(std::move(config)),
          head_(HeadFolder(config_.transformer_folder, Task::sparse_embedding, options.load),
                choose_weights(options.weights, config_.transformer_folder)),
          task_(config_.transformer_folder,
                with_length_limit(options, config_.max_seq_length, config_.transformer_folder),
                {config_.do_lower_case, {}}) {}

    std::string prompt_of(const SpladeOptions& options) const {
        if (options.prompt) return *options.prompt;
        return config_.default_prompt_name ? config_.prompts.at(*config_.default_prompt_name) : std::string();
    }

    void choose_prompt(const std::vector<const char*>& names, SpladeOptions& options) const {
        if (options.prompt) return;
        options.prompt = "";
        for (const char* name : names) {
            const auto prompt = config_.prompts.find(name);
            if (prompt == config_.prompts.end()) continue;
            options.prompt = prompt->second;
            return;
        }
    }

    /// One value per word of the vocabulary.
    std::vector<float> pool(const ConstRows<float>& hidden, Workspace& workspace) const {
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

    void keep_highest(const std::vector<float>& pooled, const SpladeOptions& options, SparseVector& vector) const {
        const auto most = options.max_active_dims ? options.max_active_dims : config_.max_active_dims;
        std::vector<std::size_t> kept = highest(pooled.data(), pooled.size(), most.value_or(pooled.size()));
        std::sort(kept.begin(), kept.end());
        for (const std::size_t i : kept) {
            if (pooled[i] == 0) continue;
            vector.ids.push_back(static_cast<std::int32_t>(i));
            vector.values.push_back(pooled[i]);
        }
    }

    SpladeConfig config_;
    AnyMaskedLmHead head_;
    TaskModel task_;
};

BERT_NAMESPACE_END
