// An explicit pool of threads, of the library's own or lent by the caller: the library starts threads nowhere else.
// Depends on config and error.
#pragma once

#include <bert/config.hpp>
#include <bert/error.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

BERT_NAMESPACE_BEGIN

/// Processors this process may really use: its affinity mask and its cgroup's CPU quota count, not the machine's size.
/// At least 1.
inline unsigned available_processors() {
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

/// Threads of the caller's own for a ThreadPool to work on, so that the library starts none.
///
///     bert::Executor executor{pool.size(), [&pool](std::size_t copies, const std::function<void()>& job) {
///                                 pool.parallel_for(copies, [&](std::size_t) { job(); });
///                             }};
struct Executor {
    std::size_t size = 1;  ///< threads that may work at once; 1 to 1024 are used
    /// Calls job() up to `copies` times (at most `size`), on any threads, at once where it can, and comes back when all
    /// these calls have returned. Fewer calls make it slower, not wrong, so where all threads are busy it need not wait
    /// for them: the calling thread does what is left. job() throws nothing; what the executor throws goes to the
    /// caller of the library, and it may throw only once no job() runs any more.
    std::function<void(std::size_t copies, const std::function<void()>& job)> run;
};

/// A fixed number of workers that share the tasks of one run() at a time.
///
/// The calling thread is one of the workers, so a pool of one starts no thread; the others start at the first run(),
/// not at construction. A run() made while the pool is busy (from another thread, or from inside a task) works on the
/// calling thread alone: threads are never oversubscribed and nothing waits for a stranger's work. Between the runs of
/// a pass threads wait without sleeping, for 200 microseconds at most.
class ThreadPool {
public:
    /// `threads` workers; 0 stands for available_processors(). At most 1024 are used.
    explicit ThreadPool(unsigned threads = 0)
        : size_(std::min<std::size_t>(threads == 0 ? available_processors() : threads, 1024)) {}

    /// Works on the caller's threads instead. Errors: input (an executor without `run`).
    explicit ThreadPool(Executor executor)
        : size_(std::clamp<std::size_t>(executor.size, 1, 1024)), executor_(std::move(executor)) {
        if (!executor_.run) detail::fail(ErrorKind::input, "an Executor needs its function `run`");
    }

    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    ~ThreadPool() {
        stop_.store(true);
        { const std::lock_guard<std::mutex> lock(mutex_); }
        wake_.notify_all();
        for (auto& thread : threads_) thread.join();
    }

    std::size_t size() const noexcept { return size_; }

    /// Calls function(task, worker) once for every task in [0, tasks), worker being in [0, size()). Returns when all
    /// calls have returned; the first exception a task throws is rethrown here and the tasks not yet begun are dropped.
    template <class Function>
    void run(std::size_t tasks, const Function& function) {
        if (size_ == 1 || tasks < 2 || busy_.exchange(true, std::memory_order_acquire)) {
            for (std::size_t task = 0; task < tasks; ++task) function(task, std::size_t{0});
            return;
        }
        struct Release {
            std::atomic<bool>& flag;
            ~Release() { flag.store(false, std::memory_order_release); }
        } const release{busy_};
        const Job job{[](const void* f, std::size_t task, std::size_t worker) {
                          (*static_cast<const Function*>(f))(task, worker);
                      },
                      &function, tasks};
        if (executor_.run) run_on_executor(job);
        else run_on_threads(job);
        if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    }

private:
    struct Job {
        void (*call)(const void*, std::size_t, std::size_t) = nullptr;
        const void* function = nullptr;
        std::size_t tasks = 0;
    };

    void run_on_executor(const Job& job) {
        error_ = nullptr;
        next_.store(0, std::memory_order_relaxed);
        const std::size_t copies = std::min(size_, job.tasks);
        std::atomic<std::size_t> workers{0};
        executor_.run(copies, [&] {
            const std::size_t worker = workers.fetch_add(1, std::memory_order_relaxed);
            if (worker < copies) work(job, worker);
        });
        work(job, 0);
    }

    void run_on_threads(const Job& job) {
        start_threads();
        job_ = job;
        error_ = nullptr;
        next_.store(0, std::memory_order_relaxed);
        active_.store(0, std::memory_order_release);
        generation_.fetch_add(1);
        if (sleepers_.load() > 0) {
            { const std::lock_guard<std::mutex> lock(mutex_); }  // whoever counts as a sleeper waits by now
            wake_.notify_all();
        }
        work(job, 0);
        // Those still at work are waited for; nobody joins any more.
        const auto close = [this] {
            std::size_t none = 0;
            return active_.load(std::memory_order_relaxed) == 0 &&
                   active_.compare_exchange_strong(none, closed, std::memory_order_acquire);
        };
        if (spin(close)) return;
        std::unique_lock<std::mutex> lock(mutex_);
        done_.wait(lock, close);
    }

    /// Waits for `done` in the way that costs least time, for a time in which the passes of a model come to their next
    /// step. Returns whether it happened.
    template <class Condition>
    bool spin(const Condition& done) const {
        if (done()) return true;
        if (!spins_) return false;
        const auto start = std::chrono::steady_clock::now();
        do {
            for (int i = 0; i < 32; ++i) {
                if (done()) return true;
                relax();
            }
        } while (std::chrono::steady_clock::now() - start < std::chrono::microseconds(200));
        return false;
    }

    static void relax() noexcept {
#if defined(__x86_64__) && defined(__GNUC__)
        __builtin_ia32_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
        __asm__ volatile("yield");
#else
        std::this_thread::yield();
#endif
    }

    void start_threads() {
        // Where the system refuses a thread the pool works with those it has.
        while (threads_.size() + 1 < size_ && !refused_) {
            try {
                threads_.emplace_back([this, worker = threads_.size() + 1] { serve(worker); });
            } catch (const std::exception&) {
                refused_ = true;
            }
        }
    }

    void work(const Job& job, std::size_t worker) noexcept {
        for (std::size_t task; (task = next_.fetch_add(1, std::memory_order_relaxed)) < job.tasks;) {
            try {
                job.call(job.function, task, worker);
            } catch (...) {
                const std::lock_guard<std::mutex> lock(mutex_);
                if (!error_) error_ = std::current_exception();
                next_.store(job.tasks, std::memory_order_relaxed);
            }
        }
    }

    void serve(std::size_t worker) {
        std::uint64_t seen = 0;
        const auto called = [&] { return stop_.load() || generation_.load() != seen; };
        for (;;) {
            if (!spin(called)) {
                std::unique_lock<std::mutex> lock(mutex_);
                sleepers_.fetch_add(1);
                wake_.wait(lock, called);
                sleepers_.fetch_sub(1);
            }
            if (stop_.load()) return;
            seen = generation_.load();
            if (!join()) continue;
            work(job_, worker);
            if (active_.fetch_sub(1, std::memory_order_release) == 1) {
                { const std::lock_guard<std::mutex> lock(mutex_); }  // the caller waits by now, or will see it
                done_.notify_one();
            }
        }
    }

    /// Takes part in the run that is open, if one is.
    bool join() noexcept {
        std::size_t active = active_.load(std::memory_order_relaxed);
        while (active != closed) {
            if (active_.compare_exchange_weak(active, active + 1, std::memory_order_acquire)) return true;
        }
        return false;
    }

    const std::size_t size_;
    const Executor executor_;  // without `run`: own threads
    std::vector<std::thread> threads_;
    bool refused_ = false;
    const bool spins_ = size_ <= available_processors();  // else the thread waited for may need this one's processor
    std::atomic<bool> busy_{false};
    std::atomic<std::size_t> next_{0};

    // A run: written while it is closed, read by those who joined.
    static constexpr std::size_t closed = static_cast<std::size_t>(-1);
    Job job_;
    std::atomic<std::size_t> active_{closed};  // threads that have joined it and are at work
    std::atomic<std::uint64_t> generation_{0};
    std::atomic<bool> stop_{false};

    std::mutex mutex_;  // guards error_, and falling asleep
    std::exception_ptr error_;
    std::atomic<std::size_t> sleepers_{0};
    std::condition_variable wake_;
    std::condition_variable done_;
};

BERT_NAMESPACE_END
