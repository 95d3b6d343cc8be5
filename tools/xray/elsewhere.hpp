// The sockets of processes outside the observed server: for example, a worker shares its listening socket with its
// parent.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "../proc/process.hpp"
#include "model.hpp"

namespace xray {

/// The sockets of all processes that this user may inspect. They are at most seconds old, or older when there are many
/// processes.
class Elsewhere {
public:
    /// Adds the references that processes other than `ours` hold to `counts`, only for sockets that are in `counts`
    /// already. `must_be_fresh`: a process has left `ours`, so old data would be wrong.
    void add_to(ReferenceCounts& counts, const std::vector<Process>& ours, bool must_be_fresh);

private:
    using Clock = std::chrono::steady_clock;

    struct Holder {
        std::uint64_t started = 0;
        std::string run_count;
        std::vector<proc::Descriptor> sockets;
    };

    void read();

    std::map<pid_t, Holder> holders_;
    Clock::time_point read_at_;
    Clock::duration took_{};
};

}  // namespace xray
