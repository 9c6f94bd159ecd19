// Counts what this program allocates, and refuses it where a test asks for that. The definitions, which replace the
// operators and wrap the functions of C, are in allocations_test.cpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <limits>

namespace bert_test {

struct Allocations {
    static constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

    static std::atomic<std::size_t> count;       ///< since the program began, on all threads
    static std::atomic<std::size_t> live_bytes;  ///< at present
    static std::atomic<std::size_t> peak_bytes;  ///< the most that was live since it was set last
    static std::atomic<std::size_t> fail_after;  ///< that many more succeed, then one fails; `never` is the rule
};

/// Allocations made, on all threads, while `call` runs.
template <class Call>
std::size_t allocations_of(const Call& call) {
    const std::size_t before = Allocations::count;
    call();
    return Allocations::count - before;
}

/// Runs `call` again and again, the first allocation failing, then the second (or the next that is `step` further), and
/// so on, until it comes back without having met a failure. What it throws then is up to `failed`, which is called with
/// the number of the allocation. Returns the number of the one that was not met.
template <class Call, class Failed>
std::size_t with_every_allocation_failing(const Call& call, const Failed& failed, std::size_t step = 1) {
    for (std::size_t number = 0;; number += step) {
        Allocations::fail_after = number;
        bool threw = false;
        try {
            call();
        } catch (...) {
            Allocations::fail_after = Allocations::never;
            threw = true;
            failed(number);
        }
        const bool met = Allocations::fail_after == Allocations::never;
        Allocations::fail_after = Allocations::never;
        if (!met && !threw) return number;
    }
}

}  // namespace bert_test
