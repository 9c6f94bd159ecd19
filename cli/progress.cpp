// The progress line.
#include "progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

Progress::Progress(bool quiet, std::uint64_t done_before, std::optional<std::uint64_t> total, const char* unit)
    : shown_(!quiet && isatty(STDERR_FILENO) != 0), done_before_(done_before), total_(total), unit_(unit) {}

Progress::~Progress() {
    if (begun_) std::fputc('\n', stderr);
}

void Progress::show(std::uint64_t count, std::uint64_t bytes) {
    if (!shown_) return;
    const Clock::time_point now = Clock::now();
    const bool complete = total_ && bytes >= *total_;
    if (begun_ && !complete && now - last_ < std::chrono::milliseconds(100)) return;
    begun_ = true;
    last_ = now;
    const double seconds = std::max(std::chrono::duration<double>(now - start_).count(), 1e-3);
    std::string line;
    char part[64];
    if (total_ && *total_ > 0) {
        constexpr std::size_t width = 24;
        const double share = std::min(static_cast<double>(bytes) / static_cast<double>(*total_), 1.0);
        const auto filled = static_cast<std::size_t>(share * width);
        std::snprintf(part, sizeof part, "%3d%% ", static_cast<int>(share * 100));
        line += part + ("[" + std::string(filled, '#') + std::string(width - filled, '.') + "] ");
    }
    std::snprintf(part, sizeof part, "%llu %s, %.0f/s", static_cast<unsigned long long>(count), unit_,
                  static_cast<double>(count) / seconds);
    line += part;
    if (total_ && bytes > done_before_ && bytes <= *total_) {
        const double left = static_cast<double>(*total_ - bytes) / static_cast<double>(bytes - done_before_) * seconds;
        const auto whole = static_cast<unsigned long long>(left + 0.5);
        std::snprintf(part, sizeof part, ", %llu:%02llu:%02llu left", whole / 3600, whole / 60 % 60, whole % 60);
        line += part;
    }
    std::fprintf(stderr, "\r%-79s", line.c_str());
}
