#include "pace.hpp"

#include <time.h>

#include <algorithm>
#include <chrono>

namespace xray {
namespace {

constexpr double SHARE = 0.015;  // of one core
constexpr double SHARE_AT_REST = 0.01;  // the difference is saved
constexpr std::chrono::duration<double> MOST_SAVED{0.030};
constexpr std::chrono::milliseconds LIVELY{200};  // how long more is expected to happen after something has
constexpr std::chrono::milliseconds SHORTEST{1};
constexpr std::chrono::milliseconds SHORTEST_AT_REST{5};
constexpr std::chrono::milliseconds LONGEST{5000};

std::chrono::duration<double> processor_time() {
    timespec used = {};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

std::chrono::milliseconds in_milliseconds(std::chrono::duration<double> time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time);
}

}  // namespace

Pace::Pace() : last_(Clock::now()), last_used_(processor_time()), credit_(MOST_SAVED), last_change_(last_) {}

std::chrono::milliseconds Pace::pause(bool has_changed) {
    const Clock::time_point now = Clock::now();
    const Seconds used = processor_time();
    const Seconds cost = used - last_used_;
    credit_ = std::min(MOST_SAVED, credit_ + SHARE * Seconds(now - last_) - cost);
    last_ = now;
    last_used_ = used;
    if (has_changed) last_change_ = now;
    if (now - last_change_ < LIVELY) return std::clamp(in_milliseconds(-credit_ / SHARE), SHORTEST, LONGEST);
    return std::clamp(in_milliseconds(std::max(-credit_ / SHARE, cost / SHARE_AT_REST)), SHORTEST_AT_REST, LONGEST);
}

}  // namespace xray
