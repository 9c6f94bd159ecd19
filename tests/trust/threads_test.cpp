// Many threads over one model, one tokenizer and one object of every task; processes that fork; exceptions of the
// caller's callbacks; pools that go, and pools of the caller's own. Run under the thread sanitizer by the preset
// "tsan".
#include "every_task.hpp"

#include <bert/bert.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__unix__)
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {

using bert_test::Bytes;
using bert_test::GoldenFolder;
using bert_test::masked_text;
using bert_test::short_texts;
using bert_test::TempFolder;

constexpr std::size_t thread_count = 8;

/// Calls `call` once alone and then on eight threads at once, several times each: all give the same bytes.
template <class Call>
void expect_the_same_on_threads(const Call& call) {
    const auto bytes = [&] {
        Bytes all;
        call(all);
        return all.text();
    };
    const std::string expected = bytes();
    EXPECT_GT(expected.size(), 4u);
    std::atomic<std::size_t> wrong{0};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < thread_count; ++i) {
        threads.emplace_back([&] {
            for (int round = 0; round < 3; ++round) wrong += bytes() != expected;
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0u);
}

TEST(Threads, ShareATokenizer) {
    const GoldenFolder folder("models/sentence/transformer");
    const auto tokenizer = bert::Tokenizer::load(folder.path());
    bert::ThreadPool pool(3);
    expect_the_same_on_threads([&](Bytes& bytes) {
        for (const auto& encoding : tokenizer.encode_batch(short_texts, {}, &pool)) {
            bytes << encoding.ids << encoding.tokens;
        }
        bytes << tokenizer.decode(tokenizer.encode(masked_text, short_texts[1]).ids);
    });
}

TEST(Threads, ShareAModelOfEachTypeOfWeights) {
    const TempFolder folder;
    bert_test::write_random_model(folder.path(), {}, 1);
    bert::Batch batch;
    const std::vector<std::int32_t> ids = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5};
    for (int i = 0; i < 6; ++i) batch.add(ids.data(), nullptr, ids.size());
    bert::ThreadPool pool(3);
    for (const auto type : {bert::WeightType::float32, bert::WeightType::bfloat16, bert::WeightType::int8}) {
        const auto model = bert::AnyBertModel::load(folder.path(), type);
        expect_the_same_on_threads([&](Bytes& bytes) {
            bert::Workspace workspace(&pool);
            bytes << model.forward(batch, workspace).last_hidden_state;
        });
    }
}

class ThreadsSharing : public testing::TestWithParam<bert_test::TaskCase> {};

TEST_P(ThreadsSharing, ATask) {
    const bert_test::TaskCase& task = GetParam();
    const GoldenFolder folder(task.folder, task.overlay ? task.overlay : "");
    expect_the_same_on_threads(task.open(folder.path(), 3));
}

INSTANTIATE_TEST_SUITE_P(Every, ThreadsSharing, testing::ValuesIn(bert_test::every_task()),
                         [](const auto& info) { return std::string(info.param.name); });

// ------------------------------------------------------------------------------------------------------------- forks

#if defined(__unix__) && !defined(__SANITIZE_THREAD__)
/// Runs `function` in a child; whether it came back with true, within a minute.
template <class Function>
bool holds_in_a_child(const Function& function) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(function() ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(Fork, AChildComputesOnAndDestroysWhatItsParentOpened) {
    const TempFolder folder;
    bert_test::assemble_sentence_model("dense_tanh", folder.path());
    bert::SentenceEncoderOptions options;
    options.threads = 3;
    auto encoder = std::make_unique<bert::SentenceEncoder>(folder.path(), options);
    const std::vector<std::string> many(40, masked_text);
    const bert::Matrix expected = encoder->encode(many);  // the pool has its threads by now
    const auto same = [&] { return bert_test::same_bits(encoder->encode(many), expected); };
    EXPECT_TRUE(holds_in_a_child(same));
    EXPECT_TRUE(holds_in_a_child([&] { return holds_in_a_child(same) && same(); }));
    EXPECT_TRUE(holds_in_a_child([&] {
        const bool was_same = same();
        encoder.reset();
        return was_same;
    }));
    EXPECT_TRUE(holds_in_a_child([&] {
        encoder.reset();  // without having used it
        return true;
    }));
    EXPECT_TRUE(same());
}

TEST(Fork, AChildOfAParentThatIsComputingHasThreadsOfItsOwn) {
    bert::ThreadPool pool(3);
    std::atomic<bool> stop{false};
    std::thread busy([&] {
        while (!stop) pool.run(50, [](std::size_t, std::size_t) {});
    });
    for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(holds_in_a_child([&] {
            std::atomic<std::size_t> sum{0};
            pool.run(100, [&](std::size_t task, std::size_t) { sum += task; });
            return sum == 4950;
        }));
    }
    stop = true;
    busy.join();
}

// The address sanitizer's allocator does not survive a fork while another thread allocates; malloc() does.
#if defined(__SANITIZE_ADDRESS__)
#define BERT_TEST_ALLOCATES_AND_FORKS 0
#elif defined(__has_feature)
#define BERT_TEST_ALLOCATES_AND_FORKS !__has_feature(address_sanitizer)
#else
#define BERT_TEST_ALLOCATES_AND_FORKS 1
#endif

#if BERT_TEST_ALLOCATES_AND_FORKS
TEST(Fork, AChildHasWorkspacesOfItsOwnWhileItsParentLendsSome) {
    bert::WorkspacePool pool(1);
    std::atomic<bool> stop{false};
    std::thread busy([&] {
        while (!stop) const bert::WorkspacePool::Loan loan(pool);
    });
    bool held = true;
    for (int i = 0; i < 100 && held; ++i) {
        held = holds_in_a_child([&] {
            const bert::WorkspacePool::Loan loan(pool);
            return true;
        });
    }
    stop = true;
    busy.join();
    EXPECT_TRUE(held);
}

TEST(Fork, AChildChoosesKernelsWhileItsParentChooses) {
    // In children, for kernels are chosen once in a process; later and later, for choosing takes some microseconds.
    const auto choose = [] { return !bert::available_kernels<float>().empty(); };
    bool held = true;
    for (int delay = 0; delay < 100 && held; ++delay) {
        held = holds_in_a_child([&] {
            std::atomic<bool> begun{false};
            std::thread parent([&] {
                begun = true;
                choose();
            });
            while (!begun) continue;
            const auto start = std::chrono::steady_clock::now();
            while (std::chrono::steady_clock::now() - start < std::chrono::microseconds(delay)) continue;
            const bool chosen = holds_in_a_child(choose);
            parent.join();
            return chosen;
        });
    }
    EXPECT_TRUE(held);
}
#endif
#endif

// ----------------------------------------------------------------------------------------------- callbacks that throw

struct Interrupted : std::runtime_error {
    Interrupted() : std::runtime_error("interrupted by the caller") {}
};

TEST(Callbacks, WhatTheyThrowReachesTheCallerAndEverythingWorksOn) {
    const TempFolder folder;
    bert_test::assemble_sentence_model("dense_tanh", folder.path());
    std::atomic<int> calls_to_refuse{0};
    bert::SentenceEncoderOptions options;
    options.executor = bert::Executor{3, [&](std::size_t copies, const std::function<void()>& job) {
                                          if (calls_to_refuse > 0 && --calls_to_refuse == 0) throw Interrupted();
                                          std::vector<std::thread> threads;
                                          for (std::size_t i = 0; i < copies; ++i) threads.emplace_back(job);
                                          for (auto& thread : threads) thread.join();
                                      }};
    const bert::SentenceEncoder encoder(folder.path(), options);
    const std::vector<std::string> many(30, masked_text);
    bert::EmbedOptions call;
    call.token_budget = 64;
    const bert::Matrix expected = encoder.encode(many, call);
    for (int refused = 1; refused < 12; ++refused) {
        calls_to_refuse = refused;
        EXPECT_THROW(encoder.encode(many, call), Interrupted) << refused;
        EXPECT_TRUE(bert_test::same_bits(encoder.encode(many, call), expected));
    }
    for (std::size_t stop = 1; stop < 30; stop += 7) {
        call.progress = [&](std::size_t done, std::size_t) {
            if (done >= stop) throw Interrupted();
        };
        EXPECT_THROW(encoder.encode(many, call), Interrupted);
        call.progress = nullptr;
        EXPECT_TRUE(bert_test::same_bits(encoder.encode(many, call), expected));
    }
}

TEST(Callbacks, OfGenerationMayThrow) {
    const GoldenFolder folder("decoders/causal_lm");
    const bert::CausalLM model(folder.path());
    bert::GenerationOptions options;
    options.max_new_tokens = 6;
    const auto expected = model.generate({short_texts[0]}, options).at(0).at(0).tokens;
    bert::GenerationOptions interrupted = options;
    interrupted.on_token = [](const auto&...) { throw Interrupted(); };
    EXPECT_THROW(model.generate({short_texts[0]}, interrupted), Interrupted);
    interrupted = options;
    interrupted.progress = [](const auto&...) { throw Interrupted(); };
    EXPECT_THROW(model.generate({short_texts[0]}, interrupted), Interrupted);
    EXPECT_EQ(model.generate({short_texts[0]}, options).at(0).at(0).tokens, expected);
}

TEST(Callbacks, ATaskThatThrowsOnAnyThreadEndsTheRunAlone) {
    bert::ThreadPool pool(3);
    for (std::size_t bad = 0; bad < 64; ++bad) {
        EXPECT_THROW(pool.run(64,
                              [&](std::size_t task, std::size_t) {
                                  if (task == bad) throw Interrupted();
                              }),
                     Interrupted);
        std::atomic<std::size_t> done{0};
        pool.run(64, [&](std::size_t, std::size_t) { ++done; });
        EXPECT_EQ(done, 64u);
    }
}

// ------------------------------------------------------------------------------------------------------- coming, going

TEST(Destruction, OfPoolsThatAreIdleNeverHangs) {
    for (int i = 0; i < 200; ++i) {
        auto pool = std::make_unique<bert::ThreadPool>(4);
        if (i % 3 != 0) pool->run(5, [](std::size_t, std::size_t) {});
        if (i % 2 == 0) std::thread([&] { pool.reset(); }).join();  // where another thread made and used it
    }
}

TEST(Destruction, OfAnEncoderWhoseCallsCameFromManyThreads) {
    const TempFolder folder;
    bert_test::assemble_sentence_model("dense_tanh", folder.path());
    bert::SentenceEncoderOptions options;
    options.threads = 2;
    for (int i = 0; i < 5; ++i) {
        const auto encoder = std::make_unique<bert::SentenceEncoder>(folder.path(), options);
        std::vector<std::thread> threads;
        for (std::size_t t = 0; t < thread_count; ++t) threads.emplace_back([&] { encoder->encode(short_texts); });
        for (auto& thread : threads) thread.join();
    }
}

/// A pool as an application has it: a fixed number of threads, a queue, and callers that help while they wait.
class UsersPool {
public:
    explicit UsersPool(std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) threads_.emplace_back([this] { serve(); });
    }
    ~UsersPool() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            stop_ = true;
        }
        changed_.notify_all();
        for (auto& thread : threads_) thread.join();
    }

    /// Runs `job` `copies` times on the pool's threads and the caller's, and waits for them.
    void parallel(std::size_t copies, const std::function<void()>& job) {
        std::size_t left = copies;
        std::unique_lock<std::mutex> lock(mutex_);
        for (std::size_t i = 0; i < copies; ++i) {
            queue_.push_back([&] {
                job();
                const std::lock_guard<std::mutex> inner(mutex_);
                --left;
                changed_.notify_all();
            });
        }
        changed_.notify_all();
        while (left > 0) {
            if (!run_one(lock)) changed_.wait(lock);
        }
    }

private:
    /// Takes and runs one task, without the lock meanwhile.
    bool run_one(std::unique_lock<std::mutex>& lock) {
        if (queue_.empty()) return false;
        const auto task = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        task();
        lock.lock();
        return true;
    }

    void serve() {
        std::unique_lock<std::mutex> lock(mutex_);
        while (!stop_) {
            if (!run_one(lock)) changed_.wait(lock);
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> queue_;
    bool stop_ = false;
    std::vector<std::thread> threads_;
};

TEST(NestedUse, FromTheCallersOwnPoolNeitherDeadlocksNorOversubscribes) {
    const TempFolder folder;
    bert_test::assemble_sentence_model("dense_tanh", folder.path());
    UsersPool pool(2);
    // Threads that compute at once, whoever they are: each of the library's jobs enters here.
    std::mutex mutex;
    std::vector<std::thread::id> inside;
    std::size_t most = 0;
    bert::SentenceEncoderOptions options;
    options.executor = bert::Executor{3, [&](std::size_t copies, const std::function<void()>& job) {
                                          pool.parallel(copies, [&] {
                                              const auto self = std::this_thread::get_id();
                                              {
                                                  const std::lock_guard<std::mutex> lock(mutex);
                                                  inside.push_back(self);
                                                  auto different = inside;
                                                  std::sort(different.begin(), different.end());
                                                  const auto end = std::unique(different.begin(), different.end());
                                                  most =
                                                      std::max(most, static_cast<std::size_t>(end - different.begin()));
                                              }
                                              job();
                                              const std::lock_guard<std::mutex> lock(mutex);
                                              inside.erase(std::find(inside.begin(), inside.end(), self));
                                          });
                                      }};
    const bert::SentenceEncoder encoder(folder.path(), options);
    const std::vector<std::string> many(30, masked_text);
    const bert::Matrix expected = encoder.encode(many);
    std::atomic<std::size_t> same{0};
    for (int round = 0; round < 5; ++round) {
        pool.parallel(6, [&] { same += bert_test::same_bits(encoder.encode(many), expected); });
    }
    EXPECT_EQ(same, 30u);
    EXPECT_LE(most, 3u);  // the pool's two and the one that called it
}

TEST(NestedUse, OfOneThreadPoolWorksOnTheCallingThread) {
    bert::ThreadPool pool(3);
    std::atomic<std::size_t> sum{0};
    pool.run(10, [&](std::size_t, std::size_t) {
        const auto self = std::this_thread::get_id();
        pool.run(10, [&](std::size_t task, std::size_t worker) {
            EXPECT_EQ(std::this_thread::get_id(), self);
            EXPECT_EQ(worker, 0u);
            sum += task;
        });
    });
    EXPECT_EQ(sum, 450u);
}

}  // namespace
