// What every task stands on: tokenizer, model, threads and scratch memory of a model opened, and the computing of many
// tokenized inputs in bounded steps. Depends on core, text, nn and model.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/matrix.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/core/workspace_pool.hpp>
#include <bert/error.hpp>
#include <bert/io/model_path.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/nn/batch.hpp>
#include <bert/text/encoding.hpp>
#include <bert/text/tokenizer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
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
inline TaskOptions with_length_limit(TaskOptions options, const std::optional<std::size_t>& limit,
                                     const ModelPath& folder) {
    if (!options.max_length && limit) {
        const Index positions = load_model_config(folder).max_position_embeddings;
        options.max_length = std::min(*limit, static_cast<std::size_t>(positions));
    }
    return options;
}

/// Some inputs after the model has run.
struct TaskStep {
    std::size_t first;          ///< number of the step's first input, counted from the start of the run
    const Batch& batch;         ///< the inputs of this step
    Eigen::Map<Matrix> hidden;  ///< last hidden states: batch.tokens() x hidden
    Workspace& workspace;       ///< for what the task computes from them

    /// Last hidden states of the step's input `i` (from 0): tokens x hidden.
    ConstRows<float> rows(Index i) const {
        return hidden.middleRows(batch.offsets[static_cast<std::size_t>(i)], batch.length(i));
    }
};

/// A folder opened for a task. Const calls may be made from several threads at once: they share the model, and the pool
/// of threads goes to one of them at a time.
class TaskModel {
public:
    /// Opens tokenizer and model.
    /// Errors: file, format, shape, vocabulary (tokenizer and model do not fit together), unsupported; input (options).
    explicit TaskModel(const ModelPath& folder, const TaskOptions& options = {}, const TokenizerChanges& changes = {})
        : folder_(folder),
          token_budget_(options.token_budget),
          workspaces_(std::make_unique<WorkspacePool>(options.threads, options.executor)),
          parts_(open(folder, options, changes, workspaces_->threads())) {
        check_vocabulary(options.allow_unused_embeddings);
        choose_max_length(options.max_length);
    }

    const ModelPath& folder() const noexcept { return folder_; }
    const Tokenizer& tokenizer() const noexcept { return parts_.tokenizer; }
    const AnyBertModel& model() const noexcept { return parts_.model; }
    const ModelConfig& config() const noexcept { return parts_.model.config(); }
    std::size_t threads() const noexcept { return workspaces_->threads().size(); }
    std::size_t token_budget() const noexcept { return token_budget_; }

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

    /// Opens tokenizer and model at the same time. Where neither can be opened, the tokenizer's error is thrown.
    static Parts open(const ModelPath& folder, const TaskOptions& options, const TokenizerChanges& changes,
                      ThreadPool& pool) {
        std::optional<Tokenizer> tokenizer;
        std::optional<AnyBertModel> model;
        std::exception_ptr errors[2];
        pool.run(2, [&](std::size_t part, std::size_t) {
            try {
                if (part == 0) {
                    tokenizer.emplace(changed(load_tokenizer_config(folder), changes.special_tokens),
                                      TokenizerOptions{options.invalid_utf8, changes.lowercase_first});
                } else {
                    model.emplace(AnyBertModel::load(folder, options.weights, options.load));
                }
            } catch (...) {
                errors[part] = std::current_exception();
            }
        });
        for (const auto& error : errors) {
            if (error) std::rethrow_exception(error);
        }
        return {*std::move(tokenizer), *std::move(model)};
    }

    static TokenizerConfig changed(TokenizerConfig config, const std::vector<std::string>& special_tokens) {
        for (const std::string& token : special_tokens) {
            const auto added = std::find_if(config.added_tokens.begin(), config.added_tokens.end(),
                                            [&](const AddedToken& known) { return known.content == token; });
            const bool in_vocabulary = std::any_of(config.vocabulary.begin(), config.vocabulary.end(),
                                                   [&](const auto& entry) { return entry.token == token; });
            AddedToken special;
            special.content = token;
            special.special = true;
            if (added != config.added_tokens.end()) *added = special;
            else if (in_vocabulary) config.added_tokens.push_back(special);
        }
        return config;
    }

    void check_vocabulary(bool allow_unused_embeddings) const {
        const auto tokens = static_cast<Index>(tokenizer().vocab_size());
        const Index rows = config().vocab_size;
        // Tables are often padded to a round number of rows.
        constexpr Index padding = 256;
        if (tokens > rows || (tokens + padding <= rows && !allow_unused_embeddings)) {
            detail::fail(ErrorKind::vocabulary, folder_, ": the vocabulary has ", tokens, " ids, but the model ", rows,
                         " word embeddings", tokens > rows ? "" : " (allow_unused_embeddings accepts that)");
        }
    }

    void choose_max_length(const std::optional<std::size_t>& wanted) {
        const auto positions = static_cast<std::size_t>(config().max_position_embeddings);
        if (wanted && *wanted > positions) {
            detail::fail(ErrorKind::input, "max_length should be at most ", positions, ", given ", *wanted);
        }
        max_length_ = wanted.value_or(std::min(positions, tokenizer().model_max_length().value_or(positions)));
        const std::size_t special = tokenizer().num_special_tokens(false);
        if (max_length_ <= special) {
            detail::fail(ErrorKind::input, "max_length should leave room beside ", special, " special tokens, given ",
                         max_length_);
        }
    }

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
    using Consume = std::function<void(const TaskStep&)>;

    /// `consume` gets every step in the order of the inputs. `model` must outlive this object.
    TaskRun(const TaskModel& model, Consume consume) : TaskRun(model, model.token_budget(), std::move(consume)) {}

    /// With another token budget than the model was opened with.
    TaskRun(const TaskModel& model, std::size_t token_budget, Consume consume)
        : model_(model.model()),
          token_budget_(token_budget),
          consume_(std::move(consume)),
          loan_(model.borrow_workspace()) {}

    Workspace& workspace() const noexcept { return *loan_; }

    /// Whether as many tokens wait as are computed at once.
    bool full() const noexcept { return static_cast<std::size_t>(waiting_.tokens()) >= token_budget_; }

    /// Appends an input of `count` tokens.
    void add(const std::int32_t* ids, const std::int32_t* type_ids, std::size_t count) {
        waiting_.add(ids, type_ids, count);
    }
    void add(const Encoding& encoding) { waiting_.add(encoding); }

    /// Appends every window of a text as an input of its own.
    void add(const TokenIds& text) {
        std::size_t begin = 0;
        for (const std::size_t end : text.window_ends) {
            add(text.ids.data() + begin, text.type_ids.data() + begin, end - begin);
            begin = end;
        }
    }

    /// Computes everything that waits, at most the budget of tokens at once (one input at least). Errors: those of
    /// BertModel::forward() and of `consume`.
    void compute() {
        const auto inputs = static_cast<std::size_t>(waiting_.texts());
        for (std::size_t begin = 0; begin < inputs;) {
            const auto tokens_to = [&](std::size_t end) {
                return static_cast<std::size_t>(waiting_.offsets[end] - waiting_.offsets[begin]);
            };
            std::size_t end = begin + 1;
            while (end < inputs && tokens_to(end + 1) <= token_budget_) ++end;
            compute_step(begin, end);
            begin = end;
        }
        done_ += inputs;
        waiting_.clear();
    }

private:
    void compute_step(std::size_t first, std::size_t last) {
        step_.clear();
        const Index begin = waiting_.offsets[first];
        const Index end = waiting_.offsets[last];
        step_.ids.assign(waiting_.ids.begin() + begin, waiting_.ids.begin() + end);
        step_.type_ids.assign(waiting_.type_ids.begin() + begin, waiting_.type_ids.begin() + end);
        if (!waiting_.attention_mask.empty()) {
            step_.attention_mask.assign(waiting_.attention_mask.begin() + begin, waiting_.attention_mask.begin() + end);
        }
        for (std::size_t i = first; i < last; ++i) step_.offsets.push_back(waiting_.offsets[i + 1] - begin);
        const Workspace::Frame frame(*loan_);
        const Index hidden_size = model_.config().hidden_size;
        Eigen::Map<Matrix> hidden((*loan_).take<float>(static_cast<std::size_t>(step_.tokens() * hidden_size)),
                                  step_.tokens(), hidden_size);
        model_.forward(step_, hidden, *loan_);
        consume_({done_ + first, step_, hidden, *loan_});
    }

    const AnyBertModel& model_;
    std::size_t token_budget_;
    Consume consume_;
    WorkspacePool::Loan loan_;
    std::size_t done_ = 0;  // inputs computed by earlier calls of compute()
    Batch waiting_;
    Batch step_;
};

BERT_NAMESPACE_END
