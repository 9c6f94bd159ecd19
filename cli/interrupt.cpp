// Signals that ask the program to end.
#include "interrupt.hpp"

#include <atomic>
#include <csignal>

namespace {

std::atomic<bool> was_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

extern "C" void on_interrupt(int signal) {
    was_interrupted = true;
    std::signal(signal, SIG_DFL);
}

}  // namespace

void notice_interrupts() {
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
}

void interrupt() {
    was_interrupted = true;
}

void throw_if_interrupted() {
    if (was_interrupted) throw Interrupted{};
}
