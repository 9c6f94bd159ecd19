// What every task stands on: tokenizer, model, threads and scratch memory of a model opened, and the computing of many
// tokenized inputs in bounded steps. Depends on core, text, nn and model.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/matrix.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/core/workspace_pool.hpp>
#include <bert/io/model_path.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/nn/batch.hpp>
#include <bert/text/encoding.hpp>
#include <bert/text/tokenizer.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// How a task is opened.
struct TaskOptions {
    std::optional<WeightType> weights;      ///< what the model computes with; see choose_weights()
    unsigned threads = 0;                   ///< 0: as many as the process may use
    std::optional<Executor> executor;       ///< the caller's own threads, instead of `threads` of the library's
    LoadOptions load;                       ///< how the model's files are opened
    std::optional<std::size_t> max_length;  ///< most tokens of an input; what model and tokenizer take if not set
    /// Accept a vocabulary much smaller than the embedding table. Some folders are published so; in others the
    /// vocabulary file was cut short, which would go unnoticed.
    bool allow_unused_embeddings = false;
    InvalidUtf8 invalid_utf8 = InvalidUtf8::replace;  ///< what to do with text that is not UTF-8
    /// Tokens computed at once: bounds the memory of a call, whatever the number and length of texts. No effect on
    /// results.
    std::size_t token_budget = 1024;
};

/// What a task changes in a folder's tokenizer.
struct TokenizerChanges {
    bool lowercase_first = false;  ///< that of TokenizerOptions
    std::vector<std::string>
        special_tokens;  ///< texts to read as one special token each, where they are in the vocabulary
};

/// `options` with the limit that `folder` names (in tokens), where they have none of their own.
TaskOptions with_length_limit(TaskOptions options, const std::optional<std::size_t>& limit, const ModelPath& folder);

/// Some inputs after the model has run.
struct TaskStep {
    std::size_t first;          ///< number of the step's first input, counted from the start of the run
    const Batch& batch;         ///< the inputs of this step
    Eigen::Map<Matrix> hidden;  ///< last hidden states: batch.tokens() x hidden
    Workspace& workspace;       ///< for what the task computes from them

    /// Last hidden states of the step's input `i` (from 0): tokens x hidden.
    ConstRows<float> rows(Index i) const;
};

/// A folder opened for a task. Const calls may be made from several threads at once: they share the model, and the pool
/// of threads goes to one of them at a time.
class TaskModel {
public:
    /// Opens tokenizer and model.
    /// Errors: file, format, shape, vocabulary (tokenizer and model do not fit together), unsupported; input (options).
    explicit TaskModel(const ModelPath& folder, const TaskOptions& options = {}, const TokenizerChanges& changes = {});

    const ModelPath& folder() const noexcept { return folder_; }                    ///< as it was opened
    const Tokenizer& tokenizer() const noexcept { return parts_.tokenizer; }        ///< as the folder has it
    const AnyBertModel& model() const noexcept { return parts_.model; }             ///< what it computes with
    const ModelConfig& config() const noexcept { return parts_.model.config(); }    ///< of the model
    std::size_t threads() const noexcept { return workspaces_->threads().size(); }  ///< that it computes with
    std::size_t token_budget() const noexcept { return token_budget_; }             ///< tokens to compute at once

    /// Most tokens of an input, special tokens included: what the options say, else the model's limit, or the
    /// tokenizer's where that is lower.
    std::size_t max_length() const noexcept { return max_length_; }

    /// Frees the scratch memory that is kept from call to call: as much as the largest of them needed.
    void shrink() const { workspaces_->shrink(); }

    /// Scratch memory and threads for one call.
    WorkspacePool::Loan borrow_workspace() const { return WorkspacePool::Loan(*workspaces_); }

private:
    struct Parts {
        Tokenizer tokenizer;
        AnyBertModel model;
    };

    /// Opens the tokenizer and the layers of the model at the same time. Where neither tokenizer nor model can be
    /// opened, the tokenizer's error is thrown.
    static Parts open(const ModelPath& folder, const TaskOptions& options, const TokenizerChanges& changes,
                      ThreadPool& pool);

    static TokenizerConfig changed(TokenizerConfig config, const std::vector<std::string>& special_tokens);

    void check_vocabulary(bool allow_unused_embeddings) const;

    void choose_max_length(const std::optional<std::size_t>& wanted);

    ModelPath folder_;
    std::size_t token_budget_;
    std::size_t max_length_ = 0;
    std::unique_ptr<WorkspacePool> workspaces_;
    Parts parts_;
};

/// One call's work: collects tokenized inputs and computes them packed, without padding, a bounded number of tokens at
/// a time. The use is: add inputs; compute() whenever full(), and at the end.
class TaskRun {
public:
    using Consume = std::function<void(const TaskStep&)>;  ///< takes what was computed of some texts, in order

    /// `consume` gets every step in the order of the inputs. `model` must outlive this object.
    TaskRun(const TaskModel& model, Consume consume) : TaskRun(model, model.token_budget(), std::move(consume)) {}

    /// With another token budget than the model was opened with.
    TaskRun(const TaskModel& model, std::size_t token_budget, Consume consume);

    Workspace& workspace() const noexcept { return *loan_; }  ///< for as long as this lives

    /// Whether as many tokens wait as are computed at once.
    bool full() const noexcept { return static_cast<std::size_t>(waiting_.tokens()) >= token_budget_; }

    /// Appends an input of `count` tokens.
    void add(const std::int32_t* ids, const std::int32_t* type_ids, std::size_t count);
    void add(const Encoding& encoding) { waiting_.add(encoding); }  ///< puts a text behind those that wait

    /// Appends every window of a text as an input of its own.
    void add(const TokenIds& text);

    /// Computes everything that waits, at most the budget of tokens at once (one input at least). Errors: those of
    /// BertModel::forward() and of `consume`.
    void compute();

private:
    void compute_step(std::size_t first, std::size_t last);

    const AnyBertModel& model_;
    std::size_t token_budget_;
    Consume consume_;
    WorkspacePool::Loan loan_;
    std::size_t done_ = 0;  // inputs computed by earlier calls of compute()
    Batch waiting_;
    Batch step_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/task_model.ipp>
#endif
