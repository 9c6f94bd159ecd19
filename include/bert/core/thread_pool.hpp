// An explicit pool of threads, of the library's own or lent by the caller: the library starts threads nowhere else.
// Depends on config and error.
#pragma once

#include <bert/config.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
BERT_NAMESPACE_BEGIN

/// Processors this process may really use: its affinity mask and its cgroup's CPU quota count, not the machine's size.
/// At least 1.
unsigned available_processors();

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
std::size_t fork_count() noexcept;

/// What `state` holds for this process, made of `arguments` where there is none. What a fork left behind stays as it
/// lies: its threads are not here, and its locks in whatever state they were. A State has a member `forks`, the number
/// of forks when it was made.
template <class State, class... Arguments>
State& state_of_this_process(std::atomic<State*>& state, const Arguments&... arguments) {
    State* known = state.load(std::memory_order_acquire);
    if (known && known->forks == fork_count()) return *known;
    auto fresh = std::make_unique<State>(arguments...);
    if (state.compare_exchange_strong(known, fresh.get(), std::memory_order_acq_rel)) return *fresh.release();
    return *known;
}

}  // namespace detail

/// A fixed number of workers that share the tasks of one run() at a time.
///
/// The calling thread is one of the workers, so a pool of one starts no thread; the others start at the first run(),
/// not at construction. A run() made while the pool's threads are at work (for another thread, or for the run whose
/// task makes it) works on the calling thread alone: threads are never oversubscribed and nothing waits for a
/// stranger's work. Between the runs of a pass threads wait without sleeping, for 200 microseconds at most.
///
/// A child made by fork() has none of its parent's threads; its first run() starts its own.
class ThreadPool {
public:
    /// `threads` workers; 0 stands for available_processors(). At most 1024 are used.
    explicit ThreadPool(unsigned threads = 0);

    /// Works on the caller's threads instead. Errors: input (an executor without `run`).
    explicit ThreadPool(Executor executor);

    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    ~ThreadPool();

    std::size_t size() const noexcept { return size_; }  ///< threads that work, the calling one included

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

        ~Crew();

        /// A run on `helpers` threads of the pool's own and the calling one.
        void run(const Job& new_job, std::size_t helpers);

        void start_threads(std::size_t helpers);

        void work(const Job& of, std::size_t worker) noexcept;

        void serve(std::size_t worker);

        /// Takes part in the run that is open, if one is.
        bool join() noexcept;

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

    /// The crew of this process.
    Crew& own_crew();

    void run_on_executor(Crew& crew, const Job& job);

    static void relax() noexcept;

    const std::size_t size_;
    const Executor executor_;  // without `run`: own threads
    std::atomic<Crew*> crew_{nullptr};
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/core/thread_pool.ipp>
#endif
