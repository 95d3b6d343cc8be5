#include "pace.hpp"

#include <time.h>

#include <algorithm>
#include <chrono>

namespace xray {
namespace {

constexpr double SHARE = 0.015;  // of one core
constexpr double SHARE_AT_REST = 0.01;  // the difference is saved for busy times
constexpr std::chrono::milliseconds LIVELY{200};  // after an event, more events are expected for this long
constexpr std::chrono::milliseconds SHORTEST{1};
constexpr std::chrono::milliseconds SHORTEST_AT_REST{5};

std::chrono::milliseconds in_milliseconds(std::chrono::duration<double> time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time);
}

}  // namespace

Pace::Moment Pace::now() {
    timespec used = {};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return {Clock::now(), std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec)};
}

std::chrono::milliseconds Pace::pause(bool has_changed, Moment moment) {
    if (!last_) {
        last_ = moment;
        last_change_ = moment.time;
    }
    const Seconds cost = moment.used - last_->used;
    credit_ = std::min(MOST_SAVED, credit_ + SHARE * Seconds(moment.time - last_->time) - cost);
    last_ = moment;
    if (has_changed) last_change_ = moment.time;
    if (moment.time - last_change_ < LIVELY) {
        return std::max(in_milliseconds(-credit_ / SHARE), SHORTEST);
    }
    return std::max(in_milliseconds(std::max(-credit_ / SHARE, cost / SHARE_AT_REST)), SHORTEST_AT_REST);
}

}  // namespace xray
