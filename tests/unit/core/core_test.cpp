// Buffers, workspaces, threads, 16-bit floats, mapped files and activations.
#include <bert/core/activation.hpp>
#include <bert/core/buffer.hpp>
#include <bert/core/float16.hpp>
#include <bert/core/mapped_file.hpp>
#include <bert/core/thread_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "../test_support.hpp"

namespace {

TEST(AlignedBuffer, IsAlignedAndSized) {
    for (const std::size_t size : {1u, 3u, 1000u}) {
        bert::AlignedBuffer<float> buffer(size);
        EXPECT_EQ(buffer.size(), size);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0u);
        std::memset(buffer.data(), 1, size * sizeof(float));  // all of it is ours
    }
    EXPECT_EQ(bert::AlignedBuffer<float>().data(), nullptr);
    EXPECT_THROW(bert::AlignedBuffer<double>(std::numeric_limits<std::size_t>::max() / 4), std::bad_alloc);
}

TEST(Workspace, FramesGiveBackWhatTheyTook) {
    bert::Workspace workspace;
    float* first = nullptr;
    {
        const bert::Workspace::Frame frame(workspace);
        first = workspace.take<float>(10);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0u);
        const bert::Workspace::Frame inner(workspace);
        EXPECT_GE(workspace.take<float>(10), first + 10);
    }
    const bert::Workspace::Frame frame(workspace);
    EXPECT_EQ(workspace.take<float>(10), first);
}

TEST(Workspace, OutgrownBlocksBecomeOneAndStayOne) {
    bert::Workspace workspace;
    const auto pass = [&] {
        const bert::Workspace::Frame frame(workspace);
        std::vector<int*> blocks;
        for (int i = 0; i < 8; ++i) {
            blocks.push_back(workspace.take<int>(100000));
            std::fill_n(blocks.back(), 100000, i);
        }
        for (int i = 0; i < 8; ++i) {  // nothing overlaps, and nothing moved
            EXPECT_EQ(blocks[static_cast<std::size_t>(i)][0], i);
            EXPECT_EQ(blocks[static_cast<std::size_t>(i)][99999], i);
        }
    };
    pass();
    const std::size_t capacity = workspace.capacity();
    pass();
    pass();
    EXPECT_EQ(workspace.capacity(), capacity);
    workspace.shrink();
    EXPECT_EQ(workspace.capacity(), 0u);
    pass();
}

TEST(ThreadPool, RunsEveryTaskOnce) {
    for (const unsigned threads : {1u, 2u, 3u, 8u}) {
        bert::ThreadPool pool(threads);
        EXPECT_EQ(pool.size(), threads);
        for (const std::size_t tasks : {0u, 1u, 2u, 7u, 1000u}) {
            std::vector<std::atomic<int>> calls(tasks);
            std::atomic<bool> worker_in_range{true};
            pool.run(tasks, [&](std::size_t task, std::size_t worker) {
                ++calls[task];
                if (worker >= threads) worker_in_range = false;
            });
            for (const auto& count : calls) ASSERT_EQ(count, 1);
            EXPECT_TRUE(worker_in_range);
        }
    }
}

TEST(ThreadPool, PassesTheFirstExceptionOnAndGoesOn) {
    bert::ThreadPool pool(4);
    for (int round = 0; round < 20; ++round) {
        EXPECT_THROW(pool.run(100,
                              [](std::size_t task, std::size_t) {
                                  if (task % 10 == 3) throw std::runtime_error("task");
                              }),
                     std::runtime_error);
        std::atomic<int> done{0};
        pool.run(50, [&](std::size_t, std::size_t) { ++done; });
        EXPECT_EQ(done, 50);
    }
}

TEST(ThreadPool, NestedAndConcurrentRunsWorkOnTheCallingThread) {
    bert::ThreadPool pool(3);
    std::atomic<int> inner{0};
    pool.run(6, [&](std::size_t, std::size_t) {
        const auto self = std::this_thread::get_id();
        pool.run(5, [&](std::size_t, std::size_t worker) {
            EXPECT_EQ(worker, 0u);
            EXPECT_EQ(std::this_thread::get_id(), self);
            ++inner;
        });
    });
    EXPECT_EQ(inner, 30);

    std::atomic<int> total{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i) {
        callers.emplace_back([&] {
            for (int round = 0; round < 50; ++round) pool.run(10, [&](std::size_t, std::size_t) { ++total; });
        });
    }
    for (auto& caller : callers) caller.join();
    EXPECT_EQ(total, 4 * 50 * 10);
}

TEST(ThreadPool, APoolOfOneStaysOnTheCallingThread) {
    bert::ThreadPool pool(1);
    std::set<std::thread::id> ids;
    pool.run(20, [&](std::size_t, std::size_t) { ids.insert(std::this_thread::get_id()); });
    EXPECT_EQ(ids, std::set<std::thread::id>{std::this_thread::get_id()});
}

TEST(ThreadPool, AsksForSensibleNumbers) {
    EXPECT_GE(bert::ThreadPool(0).size(), 1u);
    EXPECT_EQ(bert::ThreadPool(0).size(), std::min(1024u, bert::available_processors()));
    EXPECT_EQ(bert::ThreadPool(1000000).size(), 1024u);
}

TEST(Float16, ConvertsEveryValue) {
    // Against arithmetic: value = (-1)^s 2^(e-15) (1 + m/1024), subnormal 2^-14 m/1024.
    for (unsigned bits = 0; bits < 0x10000; ++bits) {
        const int exponent = static_cast<int>((bits >> 10) & 0x1F);
        const double mantissa = static_cast<double>(bits & 0x3FF);
        const double sign = bits & 0x8000 ? -1.0 : 1.0;
        const float value = static_cast<float>(bert::float16{static_cast<std::uint16_t>(bits)});
        if (exponent == 31) {
            if (mantissa != 0) ASSERT_TRUE(std::isnan(value));
            else ASSERT_EQ(static_cast<double>(value), sign * std::numeric_limits<double>::infinity());
        } else if (exponent == 0) {
            ASSERT_EQ(static_cast<double>(value), sign * std::ldexp(mantissa / 1024, -14)) << bits;
        } else {
            ASSERT_EQ(static_cast<double>(value), sign * std::ldexp(1 + mantissa / 1024, exponent - 15)) << bits;
        }
    }
}

TEST(BFloat16, IsTheUpperHalfOfAFloat) {
    EXPECT_EQ(static_cast<float>(bert::bfloat16{0x3F80}), 1.0f);
    EXPECT_EQ(static_cast<float>(bert::bfloat16{0xC049}), -3.140625f);
    EXPECT_EQ(static_cast<float>(bert::bfloat16{0x0001}), std::ldexp(1.0f, -133));
    EXPECT_TRUE(std::isnan(static_cast<float>(bert::bfloat16{0x7FC0})));
}

TEST(MappedFile, MapsAndCopiesTheSameBytes) {
    const bert_test::TempFolder folder;
    const auto path = folder.path() / "file";
    const std::string content = "some bytes\0and more";
    bert_test::write_bytes(path, content);
    for (const bool map : {true, false}) {
        const bert::MappedFile file(path, map);
        ASSERT_EQ(file.size(), content.size());
        EXPECT_EQ(std::memcmp(file.data(), content.data(), content.size()), 0);
        file.drop_pages(file.data(), file.size());
        EXPECT_EQ(std::memcmp(file.data(), content.data(), content.size()), 0);
    }
    bert_test::write_bytes(path, "");
    for (const bool map : {true, false}) EXPECT_EQ(bert::MappedFile(path, map).size(), 0u);
    for (const bool map : {true, false}) {
        for (const auto& wrong : {folder.path() / "missing", folder.path()}) {
            try {
                const bert::MappedFile file(wrong, map);
                FAIL() << wrong;
            } catch (const bert::Error& e) {
                EXPECT_EQ(e.kind(), bert::ErrorKind::file);
                EXPECT_NE(std::string(e.what()).find(wrong.string()), std::string::npos) << e.what();
            }
        }
    }
}

TEST(Activation, NamesAreThoseOfTransformers) {
    EXPECT_EQ(bert::activation_from_name("gelu"), bert::Activation::gelu);
    EXPECT_EQ(bert::activation_from_name("gelu_new"), bert::Activation::gelu_tanh);
    EXPECT_EQ(bert::activation_from_name("swish"), bert::Activation::silu);
    EXPECT_EQ(bert::activation_from_name("prelu"), std::nullopt);  // it has parameters
    EXPECT_EQ(bert::activation_from_name("GELU"), std::nullopt);
}

TEST(Activation, SaturatesWithoutOverflow) {
    using bert::Activation;
    for (const Activation a :
         {Activation::gelu, Activation::gelu_tanh, Activation::gelu_10, Activation::quick_gelu, Activation::relu6,
          Activation::silu, Activation::sigmoid, Activation::tanh, Activation::mish, Activation::hardswish,
          Activation::laplace, Activation::sqrt_softplus}) {
        for (const float x : {-1e6f, -100.0f, -1.0f, 0.0f, 1.0f, 100.0f, 1e6f}) {
            EXPECT_TRUE(std::isfinite(bert::activate(a, x))) << static_cast<int>(a) << " at " << x;
        }
    }
}

}  // namespace
