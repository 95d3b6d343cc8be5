// Decides how often to take a snapshot, so that the program uses at most a fixed share of one core.
#pragma once

#include <chrono>
#include <optional>

namespace xray {

/// Keeps the average CPU time of this process below a share of the elapsed time. Cheap snapshots are taken often. CPU
/// time saved while nothing happens is used when something does.
class Pace {
public:
    using Clock = std::chrono::steady_clock;
    using Seconds = std::chrono::duration<double>;

    /// A time, and the CPU time that this process had used by then.
    struct Moment {
        Clock::time_point time;
        Seconds used;
    };
    static Moment now();

    /// How long to wait before the next snapshot: short when something `has_changed` a moment ago. CPU time used before
    /// the first call does not count, since starting and finding the server costs as much as seconds of snapshots.
    std::chrono::milliseconds pause(bool has_changed, Moment moment = now());

    /// Call it when a server was found: the next call of pause() counts as the first.
    void restart() { last_.reset(); }

    /// Whether enough CPU time is saved for an extra snapshot.
    bool can_afford_more() const { return credit_.count() > 0; }

private:
    std::optional<Moment> last_;
    Seconds credit_ = MOST_SAVED;
    Clock::time_point last_change_;

    static constexpr Seconds MOST_SAVED{0.030};
};

}  // namespace xray
