// What every task stands on: a folder opened as tokenizer, model, threads and scratch memory, and the computing of many
// tokenized inputs in bounded steps. Depends on core, text, nn and model.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/matrix.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/error.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/nn/batch.hpp>
#include <bert/text/encoding.hpp>
#include <bert/text/tokenizer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// How a task is opened.
struct TaskOptions {
    WeightType weights = WeightType::float32;  ///< what the model computes with
    unsigned threads = 0;                      ///< 0: as many as the process may use
    LoadOptions load;                          ///< how the model's files are opened
    /// Accept a vocabulary much smaller than the embedding table. Some folders are published so; in others the
    /// vocabulary file was cut short, which would go unnoticed.
    bool allow_unused_embeddings = false;
    InvalidUtf8 invalid_utf8 = InvalidUtf8::replace;  ///< what to do with text that is not UTF-8
    /// Tokens computed at once: bounds the memory of a call, whatever the number and length of texts. No effect on
    /// results.
    std::size_t token_budget = 1024;
};

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

namespace detail {

/// What all calls on one TaskModel share besides the model.
struct TaskThreads {
    explicit TaskThreads(unsigned count) : pool(count) {}
    ThreadPool pool;
    std::mutex mutex;  // guards what follows
    std::vector<std::unique_ptr<Workspace>> idle;
};

}  // namespace detail

/// A folder opened for a task. Const calls may be made from several threads at once: they share the model, and the pool
/// of threads goes to one of them at a time.
class TaskModel {
public:
    /// Opens tokenizer and model. `lowercase_first` is that of TokenizerOptions.
    /// Errors: file, format, shape, vocabulary (tokenizer and model do not fit together), unsupported.
    explicit TaskModel(const std::filesystem::path& folder, const TaskOptions& options = {},
                       bool lowercase_first = false)
        : folder_(folder),
          token_budget_(options.token_budget),
          tokenizer_(Tokenizer::load(folder, {options.invalid_utf8, lowercase_first})),
          model_(AnyBertModel::load(folder, options.weights, options.load)),
          threads_(std::make_unique<detail::TaskThreads>(options.threads)) {
        check_vocabulary(options.allow_unused_embeddings);
    }

    const std::filesystem::path& folder() const noexcept { return folder_; }
    const Tokenizer& tokenizer() const noexcept { return tokenizer_; }
    const AnyBertModel& model() const noexcept { return model_; }
    const ModelConfig& config() const noexcept { return model_.config(); }
    std::size_t threads() const noexcept { return threads_->pool.size(); }
    std::size_t token_budget() const noexcept { return token_budget_; }

    /// Most tokens of an input: the model's limit, or the tokenizer's where that is lower.
    std::size_t max_length() const noexcept {
        const auto positions = static_cast<std::size_t>(config().max_position_embeddings);
        return std::min(positions, tokenizer_.model_max_length().value_or(positions));
    }

    /// A workspace with the threads of the pool, on loan until the end of the scope.
    class Loan {
    public:
        explicit Loan(const TaskModel& model) : threads_(*model.threads_) {
            const std::lock_guard<std::mutex> lock(threads_.mutex);
            if (threads_.idle.empty()) {
                workspace_ = std::make_unique<Workspace>(&threads_.pool);
            } else {
                workspace_ = std::move(threads_.idle.back());
                threads_.idle.pop_back();
            }
        }
        Loan(const Loan&) = delete;
        Loan& operator=(const Loan&) = delete;
        ~Loan() {
            try {
                const std::lock_guard<std::mutex> lock(threads_.mutex);
                threads_.idle.push_back(std::move(workspace_));
            } catch (const std::exception&) {
                // Without memory to keep it, the workspace is freed and the next call makes its own.
            }
        }

        Workspace& operator*() const noexcept { return *workspace_; }

    private:
        detail::TaskThreads& threads_;
        std::unique_ptr<Workspace> workspace_;
    };

private:
    void check_vocabulary(bool allow_unused_embeddings) const {
        const auto tokens = static_cast<Index>(tokenizer_.vocab_size());
        const Index rows = config().vocab_size;
        // Tables are often padded to a round number of rows.
        constexpr Index padding = 256;
        if (tokens > rows || (tokens + padding <= rows && !allow_unused_embeddings)) {
            detail::fail(ErrorKind::vocabulary, folder_, ": the vocabulary has ", tokens, " ids, but the model ", rows,
                         " word embeddings", tokens > rows ? "" : " (allow_unused_embeddings accepts that)");
        }
    }

    std::filesystem::path folder_;
    std::size_t token_budget_;
    Tokenizer tokenizer_;
    AnyBertModel model_;
    std::unique_ptr<detail::TaskThreads> threads_;
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
        : model_(model.model()), token_budget_(token_budget), consume_(std::move(consume)), loan_(model) {}

    Workspace& workspace() const noexcept { return *loan_; }

    /// Whether as many tokens wait as are computed at once.
    bool full() const noexcept { return static_cast<std::size_t>(waiting_.tokens()) >= token_budget_; }

    /// Appends an input of `count` tokens.
    void add(const std::int32_t* ids, const std::int32_t* type_ids, std::size_t count) {
        waiting_.add(ids, type_ids, count);
    }
    void add(const Encoding& encoding) { add(encoding.ids.data(), encoding.type_ids.data(), encoding.size()); }

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
        for (std::size_t i = first; i < last; ++i) {
            const auto begin = static_cast<std::size_t>(waiting_.offsets[i]);
            step_.add(waiting_.ids.data() + begin, waiting_.type_ids.data() + begin,
                      static_cast<std::size_t>(waiting_.length(static_cast<Index>(i))));
        }
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
    TaskModel::Loan loan_;
    std::size_t done_ = 0;  // inputs computed by earlier calls of compute()
    Batch waiting_;
    Batch step_;
};

BERT_NAMESPACE_END
