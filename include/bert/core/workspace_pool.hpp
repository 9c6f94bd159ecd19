// Workspaces lent to calls that may come from several threads at once. Depends on core.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/thread_pool.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// A pool of threads and the workspaces that use it, kept from call to call.
class WorkspacePool {
public:
    /// threads: see ThreadPool. `executor`, where given, takes their place.
    explicit WorkspacePool(unsigned threads, const std::optional<Executor>& executor = std::nullopt)
        : threads_(executor ? ThreadPool(*executor) : ThreadPool(threads)) {}

    ThreadPool& threads() noexcept { return threads_; }  ///< those that all workspaces share

    /// Frees the memory of all workspaces that are not on loan.
    void shrink() {
        const std::lock_guard<std::mutex> lock(mutex_);
        idle_.clear();
    }

    /// A workspace on loan until the end of the scope.
    class Loan {
    public:
        /// Takes a workspace that nobody uses, or makes one.
        explicit Loan(WorkspacePool& pool) : pool_(pool) {
            const std::lock_guard<std::mutex> lock(pool_.mutex_);
            if (pool_.idle_.empty()) {
                workspace_ = std::make_unique<Workspace>(&pool_.threads_);
            } else {
                workspace_ = std::move(pool_.idle_.back());
                pool_.idle_.pop_back();
            }
        }
        Loan(const Loan&) = delete;
        Loan& operator=(const Loan&) = delete;
        ~Loan() {
            try {
                const std::lock_guard<std::mutex> lock(pool_.mutex_);
                pool_.idle_.push_back(std::move(workspace_));
            } catch (const std::exception&) {
                // Without memory to keep it, the workspace is freed and the next call makes its own.
            }
        }

        Workspace& operator*() const noexcept { return *workspace_; }  ///< valid as long as this

    private:
        WorkspacePool& pool_;
        std::unique_ptr<Workspace> workspace_;
    };

private:
    ThreadPool threads_;
    std::mutex mutex_;  // guards what follows
    std::vector<std::unique_ptr<Workspace>> idle_;
};

BERT_NAMESPACE_END
