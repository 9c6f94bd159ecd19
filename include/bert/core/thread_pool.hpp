// An explicit pool of threads, of the library's own or lent by the caller: the library starts threads nowhere else.
// Depends on config and error.
#pragma once

#include <bert/config.hpp>
#include <bert/error.hpp>

#include <algorithm>
#include <atomic>
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
#include <unistd.h>
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
/// calling thread alone: threads are never oversubscribed and nothing waits for a stranger's work.
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
        Crew* const crew = crew_.load(std::memory_order_acquire);
        if (crew && crew->process == this_process()) delete crew;
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
        else run_on_threads(*crew, job);
        if (crew->error) std::rethrow_exception(std::exchange(crew->error, nullptr));
    }

private:
    struct Job {
        void (*call)(const void*, std::size_t, std::size_t) = nullptr;
        const void* function = nullptr;
        std::size_t tasks = 0;
    };

    /// What the workers of one process share.
    struct Crew {
        const long process = this_process();
        std::atomic<bool> busy{false};
        std::atomic<std::size_t> next{0};

        std::mutex mutex;  // guards what follows
        std::condition_variable wake;
        std::condition_variable done;
        Job job;
        std::exception_ptr error;
        std::size_t running = 0;
        std::uint64_t generation = 0;
        bool stop = false;

        std::vector<std::thread> threads;  // of the pool's own; used by run() alone

        ~Crew() {
            {
                const std::lock_guard<std::mutex> lock(mutex);
                stop = true;
            }
            wake.notify_all();
            for (auto& thread : threads) thread.join();
        }
    };

    static long this_process() noexcept {
#if defined(__unix__) || defined(__APPLE__)
        return static_cast<long>(::getpid());
#else
        return 0;
#endif
    }

    /// The crew of this process. One that a fork left behind stays as it lies, its locks in whatever state they were.
    Crew& own_crew() {
        Crew* known = crew_.load(std::memory_order_acquire);
        if (known && known->process == this_process()) return *known;
        auto fresh = std::make_unique<Crew>();
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
            if (worker < copies.most) work(copies.crew, copies.job, worker);
        });
        work(crew, job, 0);
    }

    void run_on_threads(Crew& crew, const Job& job) {
        start_threads(crew);
        {
            const std::lock_guard<std::mutex> lock(crew.mutex);
            crew.job = job;
            crew.running = crew.threads.size();
            ++crew.generation;
        }
        crew.wake.notify_all();
        work(crew, job, 0);
        std::unique_lock<std::mutex> lock(crew.mutex);
        crew.done.wait(lock, [&crew] { return crew.running == 0; });
    }

    void start_threads(Crew& crew) const {
        // Where the system refuses a thread, this run works with those there are.
        while (crew.threads.size() + 1 < size_) {
            try {
                crew.threads.emplace_back(
                    [&crew, worker = crew.threads.size() + 1, seen = crew.generation] { serve(crew, worker, seen); });
            } catch (const std::exception&) {
                return;
            }
        }
    }

    static void work(Crew& crew, const Job& job, std::size_t worker) noexcept {
        for (std::size_t task; (task = crew.next.fetch_add(1, std::memory_order_relaxed)) < job.tasks;) {
            try {
                job.call(job.function, task, worker);
            } catch (...) {
                const std::lock_guard<std::mutex> lock(crew.mutex);
                if (!crew.error) crew.error = std::current_exception();
                crew.next.store(job.tasks, std::memory_order_relaxed);
            }
        }
    }

    /// `seen`: the generation of the last job that is not this thread's business.
    static void serve(Crew& crew, std::size_t worker, std::uint64_t seen) {
        std::unique_lock<std::mutex> lock(crew.mutex);
        for (;;) {
            crew.wake.wait(lock, [&] { return crew.stop || crew.generation != seen; });
            if (crew.stop) return;
            seen = crew.generation;
            const Job job = crew.job;
            lock.unlock();
            work(crew, job, worker);
            lock.lock();
            if (--crew.running == 0) crew.done.notify_one();
        }
    }

    const std::size_t size_;
    const Executor executor_;  // without `run`: own threads
    std::atomic<Crew*> crew_{nullptr};
};

BERT_NAMESPACE_END
