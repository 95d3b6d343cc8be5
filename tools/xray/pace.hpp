// How often to look: as often as a share of one core allows, whatever a look costs.
#pragma once

#include <chrono>
#include <optional>

namespace xray {

/// Keeps the processor time of this process below a share of the time that passes, on the average: looks that cost
/// little come often, and what is saved while nothing happens is spent when something does.
class Pace {
public:
    using Clock = std::chrono::steady_clock;
    using Seconds = std::chrono::duration<double>;

    /// A moment, and the processor time that this process has used until then.
    struct Moment {
        Clock::time_point time;
        Seconds used;
    };
    static Moment now();

    /// How long to wait before the next look: short when something `has_changed` a moment ago. What was used before the
    /// first call is not charged: to start and to find the server costs as much as seconds of looking.
    std::chrono::milliseconds pause(bool has_changed, Moment moment = now());

    /// A server was found: the next call to pause is a first one.
    void restart() { last_.reset(); }

    /// Whether there is time left for a look that is not due.
    bool can_afford_more() const { return credit_.count() > 0; }

private:
    std::optional<Moment> last_;
    Seconds credit_ = MOST_SAVED;
    Clock::time_point last_change_;

    static constexpr Seconds MOST_SAVED{0.030};
};

}  // namespace xray
