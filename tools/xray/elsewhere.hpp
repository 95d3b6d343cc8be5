// The sockets of processes that are not the server's: a worker's listening socket is its parent's as well.
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

/// The sockets of all processes that we may look into, as they were seconds ago at most, or longer when they are many.
class Elsewhere {
public:
    /// Adds to the `counts` of the sockets that are in them already the references that processes have which are none
    /// of `ours`. `must_be_fresh`: one of ours is ours no longer.
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
