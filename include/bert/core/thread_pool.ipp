// Definitions of core/thread_pool.hpp.
#pragma once

#include <bert/core/thread_pool.hpp>
#include <bert/error.hpp>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>

#if defined(__linux__)
#include <sched.h>
#endif

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

BERT_NAMESPACE_BEGIN

BERT_INLINE unsigned available_processors() {
    unsigned count = std::max(1u, std::thread::hardware_concurrency());
#if defined(__linux__)
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        count = std::min(count, static_cast<unsigned>(std::max(1, CPU_COUNT(&set))));
    }
    double quota = 0;
    double period = 0;
    std::string word;
    std::ifstream v2("/sys/fs/cgroup/cpu.max");
    if (v2 >> word >> period && word != "max") {
        try {
            quota = std::stod(word);
        } catch (const std::exception&) {
            quota = 0;
        }
    } else {
        std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
        std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
    }
    if (quota > 0 && period > 0) count = std::min(count, static_cast<unsigned>(std::max(1.0, quota / period + 0.5)));
#endif
    return count;
}

namespace detail {

inline std::atomic<std::size_t> forks{0};

#if defined(__unix__) || defined(__APPLE__)
/// Done before main() and not at the first use: the process may fork while another thread is about to use a pool first,
/// and the child would wait for that thread, which it does not have.
inline const int counts_forks = ::pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1); });
#endif

BERT_INLINE std::size_t fork_count() noexcept {
    return forks.load(std::memory_order_relaxed);
}

}  // namespace detail

BERT_INLINE ThreadPool::ThreadPool(unsigned threads)
    : size_(std::min<std::size_t>(threads == 0 ? available_processors() : threads, 1024)) {}

BERT_INLINE ThreadPool::ThreadPool(Executor executor)
    : size_(std::clamp<std::size_t>(executor.size, 1, 1024)), executor_(std::move(executor)) {
    if (!executor_.run) detail::fail(ErrorKind::input, "an Executor needs its function `run`");
}

BERT_INLINE ThreadPool::~ThreadPool() {
    const Crew* const crew = crew_.load(std::memory_order_acquire);
    if (crew && crew->forks == detail::fork_count()) delete crew;
}

BERT_INLINE ThreadPool::Crew::~Crew() {
    stop.store(true);
    { const std::lock_guard<std::mutex> lock(mutex); }
    wake.notify_all();
    for (auto& thread : threads) thread.join();
}

BERT_INLINE void ThreadPool::Crew::run(const Job& new_job, std::size_t helpers) {
    start_threads(helpers);
    job = new_job;
    active.store(0, std::memory_order_release);
    generation.fetch_add(1);
    if (sleepers.load() > 0) {
        { const std::lock_guard<std::mutex> lock(mutex); }  // whoever counts as a sleeper waits by now
        wake.notify_all();
    }
    work(new_job, 0);
    // Those still at work are waited for; nobody joins any more.
    const auto close = [this] {
        std::size_t none = 0;
        return active.load(std::memory_order_relaxed) == 0 &&
               active.compare_exchange_strong(none, closed, std::memory_order_acquire);
    };
    if (spin(close)) return;
    std::unique_lock<std::mutex> lock(mutex);
    done.wait(lock, close);
}

BERT_INLINE void ThreadPool::Crew::start_threads(std::size_t helpers) {
    // Where the system refuses a thread the pool works with those it has.
    while (threads.size() < helpers && !refused) {
        try {
            threads.emplace_back([this, worker = threads.size() + 1] { serve(worker); });
        } catch (const std::exception&) {
            refused = true;
        }
    }
}

BERT_INLINE void ThreadPool::Crew::work(const Job& of, std::size_t worker) noexcept {
    for (std::size_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < of.tasks;) {
        try {
            of.call(of.function, task, worker);
        } catch (...) {
            const std::lock_guard<std::mutex> lock(mutex);
            if (!error) error = std::current_exception();
            next.store(of.tasks, std::memory_order_relaxed);
        }
    }
}

BERT_INLINE void ThreadPool::Crew::serve(std::size_t worker) {
    std::uint64_t seen = 0;
    const auto called = [&] { return stop.load() || generation.load() != seen; };
    for (;;) {
        if (!spin(called)) {
            std::unique_lock<std::mutex> lock(mutex);
            sleepers.fetch_add(1);
            wake.wait(lock, called);
            sleepers.fetch_sub(1);
        }
        if (stop.load()) return;
        seen = generation.load();
        if (!join()) continue;
        work(job, worker);
        if (active.fetch_sub(1, std::memory_order_release) == 1) {
            { const std::lock_guard<std::mutex> lock(mutex); }  // the caller waits by now, or will see it
            done.notify_one();
        }
    }
}

BERT_INLINE bool ThreadPool::Crew::join() noexcept {
    std::size_t others = active.load(std::memory_order_relaxed);
    while (others != closed) {
        if (active.compare_exchange_weak(others, others + 1, std::memory_order_acquire)) return true;
    }
    return false;
}

BERT_INLINE auto ThreadPool::own_crew() -> Crew& {
    return detail::state_of_this_process(crew_, size_);
}

BERT_INLINE void ThreadPool::run_on_executor(Crew& crew, const Job& job) {
    struct Copies {
        Crew& crew;
        const Job& job;
        const std::size_t most;
        std::atomic<std::size_t> workers{0};
    } copies{crew, job, std::min(size_, job.tasks)};
    // One pointer: what std::function keeps without asking for memory.
    executor_.run(copies.most, [&copies] {
        const std::size_t worker = copies.workers.fetch_add(1, std::memory_order_relaxed);
        if (worker < copies.most) copies.crew.work(copies.job, worker);
    });
    crew.work(job, 0);
}

BERT_INLINE void ThreadPool::relax() noexcept {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    __asm__ volatile("yield");
#else
    std::this_thread::yield();
#endif
}

BERT_NAMESPACE_END
