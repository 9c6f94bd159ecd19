// Texts to sparse vectors over the words of the vocabulary (SPLADE), from a masked-LM head. Depends on io, model and
// tasks/task_model.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/model_path.hpp>
#include <bert/io/splade_config.hpp>
#include <bert/model/task_heads.hpp>
#include <bert/tasks/task_model.hpp>

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
double dot(const SparseVector& a, const SparseVector& b);

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
    explicit Splade(const ModelPath& folder, const TaskOptions& options = {});

    /// The weights of each text's words, in order. Errors: input (a prompt that the folder does not have).
    std::vector<SparseVector> encode(const std::vector<std::string>& texts, const SpladeOptions& options = {}) const;

    /// encode() with the prompt that the folder names "query", or without one where it names none.
    std::vector<SparseVector> encode_query(const std::vector<std::string>& texts, SpladeOptions options = {}) const;

    /// encode() with the first prompt that the folder names of "document", "passage" and "corpus", or without one.
    std::vector<SparseVector> encode_document(const std::vector<std::string>& texts, SpladeOptions options = {}) const;

    /// The entries of a vector as words, highest first.
    std::vector<std::pair<std::string, float>> words(const SparseVector& vector) const;

    const SpladeConfig& config() const noexcept { return config_; }  ///< as the folder has it
    const TaskModel& task() const noexcept { return task_; }         ///< model and tokenizer

private:
    Splade(SpladeConfig config, const TaskOptions& options);

    std::string prompt_of(const SpladeOptions& options) const;

    void choose_prompt(const std::vector<const char*>& names, SpladeOptions& options) const;

    /// One value per word of the vocabulary.
    std::vector<float> pool(const ConstRows<float>& hidden, Workspace& workspace) const;

    void keep_highest(const std::vector<float>& pooled, const SpladeOptions& options, SparseVector& vector) const;

    SpladeConfig config_;
    AnyMaskedLmHead head_;
    TaskModel task_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/splade.ipp>
#endif
