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
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
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

namespace detail {

/// How many forks lie between this process and the one that called this function first: other in a child.
inline std::size_t fork_count() noexcept {
#if defined(__unix__) || defined(__APPLE__)
    static std::atomic<std::size_t> count{0};
    static const int registered = ::pthread_atfork(nullptr, nullptr, [] { count.fetch_add(1); });
    static_cast<void>(registered);
    return count.load(std::memory_order_relaxed);
#else
    return 0;
#endif
}

}  // namespace detail

/// A fixed number of workers that share the tasks of one run() at a time.
///
/// The calling thread is one of the workers, so a pool of one starts no thread; the others start at the first run(),
/// not at construction. A run() made while the pool is busy (from another thread, or from inside a task) works on the
/// calling thread alone: threads are never oversubscribed and nothing waits for a stranger's work. Between the runs of
/// a pass threads wait without sleeping, for 200 microseconds at most.
///
/// A child made by fork() has none of its parent's threads; its first run() starts its own.
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
        const Crew* const crew = crew_.load(std::memory_order_acquire);
        if (crew && crew->forks == detail::fork_count()) delete crew;
    }

    std::size_t size() const noexcept { return size_; }

    /// Calls function(task, worker) once for every task in [0, tasks), worker being in [0, size()). Returns when all
    /// calls have returned; the first exception a task throws is rethrown here and the tasks not yet begun are dropped.
    template <class Function>
    void run(std::size_t tasks, const Function& function) {
        Crew* const crew = size_ > 1 && tasks > 1 ? &own_crew() : nullptr;
        if (!crew || crew->busy.exchange(true, std::memory_order_acquire)) {
            for (std::size_t task = 0; task < tasks; ++task) function(task, std::size_t{0});
            return;
        }
        struct Release {
            std::atomic<bool>& flag;
            ~Release() { flag.store(false, std::memory_order_release); }
        } const release{crew->busy};
        const Job job{[](const void* f, std::size_t task, std::size_t worker) {
                          (*static_cast<const Function*>(f))(task, worker);
                      },
                      &function, tasks};
        crew->error = nullptr;
        crew->next.store(0, std::memory_order_relaxed);
        if (executor_.run) run_on_executor(*crew, job);
        else crew->run(job, size_ - 1);
        if (crew->error) std::rethrow_exception(std::exchange(crew->error, nullptr));
    }

private:
    struct Job {
        void (*call)(const void*, std::size_t, std::size_t) = nullptr;
        const void* function = nullptr;
        std::size_t tasks = 0;
    };

    /// The pool's threads in one process, and what they share.
    struct Crew {
        /// `size`: workers, the calling thread included.
        explicit Crew(std::size_t size) : spins(size <= available_processors()) {}

        ~Crew() {
            stop.store(true);
            { const std::lock_guard<std::mutex> lock(mutex); }
            wake.notify_all();
            for (auto& thread : threads) thread.join();
        }

        /// A run on `helpers` threads of the pool's own and the calling one.
        void run(const Job& new_job, std::size_t helpers) {
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

        void start_threads(std::size_t helpers) {
            // Where the system refuses a thread the pool works with those it has.
            while (threads.size() < helpers && !refused) {
                try {
                    threads.emplace_back([this, worker = threads.size() + 1] { serve(worker); });
                } catch (const std::exception&) {
                    refused = true;
                }
            }
        }

        void work(const Job& of, std::size_t worker) noexcept {
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

        void serve(std::size_t worker) {
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

        /// Takes part in the run that is open, if one is.
        bool join() noexcept {
            std::size_t others = active.load(std::memory_order_relaxed);
            while (others != closed) {
                if (active.compare_exchange_weak(others, others + 1, std::memory_order_acquire)) return true;
            }
            return false;
        }

        /// Waits for `condition` in the way that costs least time, for a time in which the passes of a model come to
        /// their next step. Returns whether it happened.
        template <class Condition>
        bool spin(const Condition& condition) const {
            if (condition()) return true;
            if (!spins) return false;
            const auto start = std::chrono::steady_clock::now();
            do {
                for (int i = 0; i < 32; ++i) {
                    if (condition()) return true;
                    relax();
                }
            } while (std::chrono::steady_clock::now() - start < std::chrono::microseconds(200));
            return false;
        }

        const std::size_t forks = detail::fork_count();
        const bool spins;  // else the thread waited for may need this one's processor
        bool refused = false;
        std::vector<std::thread> threads;
        std::atomic<bool> busy{false};
        std::atomic<std::size_t> next{0};

        // A run: written while it is closed, read by those who joined.
        static constexpr std::size_t closed = static_cast<std::size_t>(-1);
        Job job;
        std::atomic<std::size_t> active{closed};  // threads that have joined it and are at work
        std::atomic<std::uint64_t> generation{0};
        std::atomic<bool> stop{false};

        std::mutex mutex;  // guards error, and falling asleep
        std::exception_ptr error;
        std::atomic<std::size_t> sleepers{0};
        std::condition_variable wake;
        std::condition_variable done;
    };

    /// The crew of this process. One that a fork left behind stays as it lies: its threads are not here, and its locks
    /// in whatever state they were.
    Crew& own_crew() {
        Crew* known = crew_.load(std::memory_order_acquire);
        if (known && known->forks == detail::fork_count()) return *known;
        auto fresh = std::make_unique<Crew>(size_);
        if (crew_.compare_exchange_strong(known, fresh.get(), std::memory_order_acq_rel)) return *fresh.release();
        return *known;
    }

    void run_on_executor(Crew& crew, const Job& job) {
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

    static void relax() noexcept {
#if defined(__x86_64__) && defined(__GNUC__)
        __builtin_ia32_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
        __asm__ volatile("yield");
#else
        std::this_thread::yield();
#endif
    }

    const std::size_t size_;
    const Executor executor_;  // without `run`: own threads
    std::atomic<Crew*> crew_{nullptr};
};

BERT_NAMESPACE_END
