// Workspaces lent to calls that may come from several threads at once. Depends on core.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/thread_pool.hpp>

#include <atomic>
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

    WorkspacePool(const WorkspacePool&) = delete;
    WorkspacePool& operator=(const WorkspacePool&) = delete;

    ~WorkspacePool() {
        const Idle* const idle = idle_.load(std::memory_order_acquire);
        if (idle && idle->forks == detail::fork_count()) delete idle;
    }

    ThreadPool& threads() noexcept { return threads_; }  ///< those that all workspaces share

    /// Frees the memory of all workspaces that are not on loan.
    void shrink() {
        Idle& idle = own_idle();
        const std::lock_guard<std::mutex> lock(idle.mutex);
        idle.workspaces.clear();
    }

    /// A workspace on loan until the end of the scope.
    class Loan {
    public:
        /// Takes a workspace that nobody uses, or makes one.
        explicit Loan(WorkspacePool& pool) : pool_(pool) {
            Idle& idle = pool_.own_idle();
            const std::lock_guard<std::mutex> lock(idle.mutex);
            if (idle.workspaces.empty()) {
                workspace_ = std::make_unique<Workspace>(&pool_.threads_);
            } else {
                workspace_ = std::move(idle.workspaces.back());
                idle.workspaces.pop_back();
            }
        }
        Loan(const Loan&) = delete;
        Loan& operator=(const Loan&) = delete;
        ~Loan() {
            try {
                Idle& idle = pool_.own_idle();
                const std::lock_guard<std::mutex> lock(idle.mutex);
                idle.workspaces.push_back(std::move(workspace_));
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
    /// What nobody uses, in one process.
    struct Idle {
        const std::size_t forks = detail::fork_count();
        std::mutex mutex;  // guards what follows
        std::vector<std::unique_ptr<Workspace>> workspaces;
    };

    Idle& own_idle() { return detail::state_of_this_process(idle_); }

    ThreadPool threads_;
    std::atomic<Idle*> idle_{nullptr};
};

BERT_NAMESPACE_END
