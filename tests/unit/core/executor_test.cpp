// Threads of the caller's own under ThreadPool: each task once, worker numbers apart, exceptions, executors that do
// less than they could.
#include "../test_support.hpp"

#include <bert/core/thread_pool.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using bert::Executor;
using bert::ThreadPool;
using Job = std::function<void()>;

/// Starts a thread for every copy of a job, as no caller would but as any pool looks from here.
Executor threads_each_time(std::size_t size) {
    return {size, [](std::size_t copies, const Job& job) {
                std::vector<std::thread> threads;
                for (std::size_t i = 0; i < copies; ++i) threads.emplace_back(job);
                for (auto& thread : threads) thread.join();
            }};
}

/// Calls the job `calls` times on the calling thread, whatever was asked for.
Executor one_after_another(std::size_t size, std::size_t calls) {
    return {size, [calls](std::size_t, const Job& job) {
                for (std::size_t i = 0; i < calls; ++i) job();
            }};
}

void expect_every_task_once(ThreadPool& pool) {
    for (const std::size_t tasks : {0u, 1u, 2u, 7u, 1000u}) {
        std::vector<std::atomic<int>> calls(tasks);
        std::vector<std::atomic<int>> inside(pool.size());
        std::atomic<bool> worker_shared{false};
        pool.run(tasks, [&](std::size_t task, std::size_t worker) {
            if (inside.at(worker)++ != 0) worker_shared = true;
            ++calls[task];
            --inside[worker];
        });
        for (const auto& count : calls) ASSERT_EQ(count, 1);
        EXPECT_FALSE(worker_shared);
    }
}

TEST(Executor, RunsEveryTaskOnceWithWorkersApart) {
    for (const std::size_t size : {1u, 2u, 5u}) {
        ThreadPool pool(threads_each_time(size));
        EXPECT_EQ(pool.size(), size);
        expect_every_task_once(pool);
    }
}

TEST(Executor, MayCallLessOrMoreOftenThanAsked) {
    for (const std::size_t calls : {0u, 1u, 3u, 20u}) {
        ThreadPool pool(one_after_another(3, calls));
        expect_every_task_once(pool);
    }
}

TEST(Executor, WorksOnTheCallersThreadsAlone) {
    std::atomic<std::size_t> most{0};
    Executor executor = threads_each_time(4);
    const auto inner = executor.run;
    executor.run = [&](std::size_t copies, const Job& job) {
        most = std::max(most.load(), copies);
        inner(copies, job);
    };
    ThreadPool pool(executor);
    const auto self = std::this_thread::get_id();
    std::atomic<int> elsewhere{0};
    const auto task = [&](std::size_t, std::size_t) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        elsewhere += std::this_thread::get_id() != self;
    };
    pool.run(3, task);
    EXPECT_EQ(elsewhere, 3);
    EXPECT_EQ(most, 3u);  // no more copies than there are tasks
    pool.run(100, task);
    EXPECT_EQ(elsewhere, 103);
    EXPECT_EQ(most, 4u);
    pool.run(1, task);  // nothing to share
    EXPECT_EQ(elsewhere, 103);
}

TEST(Executor, PassesExceptionsOfTasksOnAndGoesOn) {
    for (const Executor& executor : {threads_each_time(4), one_after_another(4, 4), one_after_another(4, 0)}) {
        ThreadPool pool(executor);
        for (int round = 0; round < 10; ++round) {
            std::atomic<int> begun{0};
            try {
                pool.run(1000, [&](std::size_t task, std::size_t) {
                    ++begun;
                    if (task == 3) throw std::runtime_error("task 3");
                });
                FAIL() << "the exception was lost";
            } catch (const std::runtime_error& e) {
                EXPECT_STREQ(e.what(), "task 3");
            }
            EXPECT_LE(begun, 1000);
            expect_every_task_once(pool);
        }
    }
}

TEST(Executor, PassesItsOwnExceptionsOn) {
    bool refuse = true;
    ThreadPool pool(Executor{2, [&](std::size_t, const Job& job) {
                                 if (refuse) throw std::runtime_error("no threads left");
                                 job();
                             }});
    const auto nothing = [](std::size_t, std::size_t) {};
    EXPECT_THROW(pool.run(5, nothing), std::runtime_error);
    refuse = false;
    expect_every_task_once(pool);
}

TEST(Executor, NestedRunsStayOnTheirThread) {
    ThreadPool pool(threads_each_time(3));
    std::atomic<int> total{0};
    pool.run(60, [&](std::size_t, std::size_t) {
        const auto self = std::this_thread::get_id();
        pool.run(5, [&](std::size_t, std::size_t worker) {
            EXPECT_EQ(worker, 0u);
            EXPECT_EQ(std::this_thread::get_id(), self);
            ++total;
        });
    });
    EXPECT_EQ(total, 60 * 5);
}

TEST(Executor, OneOfConcurrentRunsAtATimeAsksTheExecutor) {
    std::atomic<int> at_once{0};
    std::atomic<int> most{0};
    Executor executor = threads_each_time(3);
    const auto inner = executor.run;
    executor.run = [&](std::size_t copies, const Job& job) {
        int now = ++at_once;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
        inner(copies, job);
        --at_once;
    };
    ThreadPool pool(executor);
    std::atomic<int> total{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 3; ++i) {
        callers.emplace_back([&] {
            for (int round = 0; round < 20; ++round) {
                pool.run(4, [&](std::size_t, std::size_t) { pool.run(5, [&](std::size_t, std::size_t) { ++total; }); });
            }
        });
    }
    for (auto& caller : callers) caller.join();
    EXPECT_EQ(total, 3 * 20 * 4 * 5);
    EXPECT_EQ(most, 1);
}

TEST(Executor, NeedsAFunction) {
    bert_test::expect_error(bert::ErrorKind::input, {"run"}, [] { ThreadPool pool{Executor{}}; });
    EXPECT_EQ(ThreadPool(one_after_another(0, 1)).size(), 1u);
    EXPECT_EQ(ThreadPool(one_after_another(1000000, 1)).size(), 1024u);
}

}  // namespace
