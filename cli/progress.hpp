// A line on a terminal that says how far a long command has come.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

/// Shows share, count, rate and time left on standard error while that is a terminal, and nothing else.
class Progress {
public:
    /// `done_before`: bytes of input that an earlier run has dealt with. `total`: all bytes, where that is known.
    /// `unit`: what show() counts; must outlive this.
    Progress(bool quiet, std::uint64_t done_before, std::optional<std::uint64_t> total, const char* unit = "texts");
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    /// Ends the line.
    ~Progress();

    /// `count`: of this run. `bytes`: of input, with those of earlier runs.
    void show(std::uint64_t count, std::uint64_t bytes);

private:
    using Clock = std::chrono::steady_clock;

    bool shown_;
    bool begun_ = false;
    std::uint64_t done_before_;
    std::optional<std::uint64_t> total_;
    const char* unit_;
    Clock::time_point start_ = Clock::now();
    Clock::time_point last_;
};
