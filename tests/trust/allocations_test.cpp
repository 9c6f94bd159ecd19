// The counter of allocations itself: that it sees the operators of C++ and the functions of C, and that it refuses what
// it is told to refuse.
#include "allocations.hpp"

#include <Eigen/Core>

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace bert_test {

std::atomic<std::size_t> Allocations::count{0};
std::atomic<std::size_t> Allocations::live_bytes{0};
std::atomic<std::size_t> Allocations::peak_bytes{0};
std::atomic<std::size_t> Allocations::fail_after{Allocations::never};

}  // namespace bert_test

namespace {

using bert_test::Allocations;

/// Whether the next allocation may be made.
bool permit_allocation() noexcept {
    ++Allocations::count;
    std::size_t left = Allocations::fail_after;
    while (left != Allocations::never) {
        // The one that fails is the last that is told to.
        const std::size_t next = left == 0 ? Allocations::never : left - 1;
        if (Allocations::fail_after.compare_exchange_weak(left, next)) return left != 0;
    }
    return true;
}

void* note(void* memory) noexcept {
    if (!memory) return nullptr;
    const std::size_t live = Allocations::live_bytes += malloc_usable_size(memory);
    std::size_t peak = Allocations::peak_bytes;
    while (peak < live && !Allocations::peak_bytes.compare_exchange_weak(peak, live)) continue;
    return memory;
}

void forget(void* memory) noexcept {
    if (memory) Allocations::live_bytes -= malloc_usable_size(memory);
}

}  // namespace

// The linker sends calls of malloc() in this program here, and those of __real_malloc() to the C library; Eigen calls
// it, and compilers make calloc() of it where zeros are written. The operators below call the real ones.
extern "C" {
void* __real_malloc(std::size_t size);
void* __real_calloc(std::size_t count, std::size_t size);
void __real_free(void* memory);
void* __real_realloc(void* memory, std::size_t size);

void* __wrap_malloc(std::size_t size) {
    return permit_allocation() ? note(__real_malloc(size)) : nullptr;
}
void* __wrap_calloc(std::size_t count, std::size_t size) {
    return permit_allocation() ? note(__real_calloc(count, size)) : nullptr;
}
void __wrap_free(void* memory) {
    forget(memory);
    __real_free(memory);
}
void* __wrap_realloc(void* memory, std::size_t size) {
    if (!permit_allocation()) return nullptr;
    forget(memory);
    return note(__real_realloc(memory, size));
}
}

// Files that tests write need not outlive the machine, and disks are slow.
extern "C" int __wrap_fsync(int) {
    return 0;
}

void* operator new(std::size_t size) {
    void* const memory = permit_allocation() ? note(__real_malloc(size)) : nullptr;
    if (!memory) throw std::bad_alloc();
    return memory;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return permit_allocation() ? note(__real_malloc(size)) : nullptr;
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    void* memory = nullptr;
    if (!permit_allocation() || posix_memalign(&memory, static_cast<std::size_t>(alignment), size) != 0) {
        throw std::bad_alloc();
    }
    return note(memory);
}
void operator delete(void* memory) noexcept {
    forget(memory);
    __real_free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    operator delete(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    operator delete(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    operator delete(memory);
}

namespace {

TEST(Allocations, AreSeen) {
    const std::size_t live = Allocations::live_bytes;
    EXPECT_EQ(bert_test::allocations_of([] {}), 0u);
    EXPECT_EQ(bert_test::allocations_of([] { std::make_unique<int>(1); }), 1u);
    EXPECT_EQ(bert_test::allocations_of([] { std::vector<double>(100); }), 1u);
    EXPECT_EQ(bert_test::allocations_of([] { Eigen::MatrixXf(10, 10).setZero(); }), 1u);
    EXPECT_EQ(bert_test::allocations_of(
                  [] { ::operator delete (::operator new (64, std::align_val_t{64}), std::align_val_t{64}); }),
              1u);
    EXPECT_EQ(Allocations::live_bytes, live);
    Allocations::peak_bytes = live;
    std::vector<char>(1 << 20);
    EXPECT_GE(Allocations::peak_bytes, live + (1 << 20));
}

TEST(Allocations, FailOnceWhereTheyAreTold) {
    Allocations::fail_after = 1;
    EXPECT_NO_THROW(std::make_unique<int>(1));
    EXPECT_THROW(Eigen::MatrixXf(10, 10).setZero(), std::bad_alloc);
    EXPECT_EQ(Allocations::fail_after, Allocations::never);
    EXPECT_NO_THROW(std::make_unique<int>(1));
    std::size_t last = 0;
    const std::size_t failures = bert_test::with_every_allocation_failing(
        [] { const std::vector<std::vector<int>> three(2, std::vector<int>(3)); },
        [&](std::size_t number) { EXPECT_EQ(number, last++); });
    EXPECT_EQ(failures, 4u);
}

}  // namespace
