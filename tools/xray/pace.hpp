// How often to look: as often as a share of one core allows, whatever a look costs.
#pragma once

#include <chrono>

namespace xray {

/// Keeps the processor time of this process below a share of the time that passes, on the average: looks that cost
/// little come often, and what is saved while nothing happens is spent when something does.
class Pace {
public:
    Pace();

    /// How long to wait before the next look: short when something `has_changed` a moment ago.
    std::chrono::milliseconds pause(bool has_changed);

    /// Whether there is time left for a look that is not due.
    bool can_afford_more() const { return credit_.count() > 0; }

private:
    using Clock = std::chrono::steady_clock;
    using Seconds = std::chrono::duration<double>;

    Clock::time_point last_;
    Seconds last_used_;
    Seconds credit_;
    Clock::time_point last_change_;
};

}  // namespace xray
