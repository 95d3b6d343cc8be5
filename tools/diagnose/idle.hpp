// Measures whether a server is idle while it has no clients.
#pragma once

#include <cstddef>
#include <string>

#include "clients.hpp"
#include "probes.hpp"

namespace diagnose {

/// The activity of all processes of a server during an observation.
struct Work {
    bool is_still = false;  ///< for a quarter of a second all slept, none ran and none was forked
    std::size_t births = 0;  ///< the processes that were forked meanwhile
    double share = 0;  ///< the share of one processor that they used

    bool is_idle() const;
    std::string in_words() const;
};

/// Watches until the server is still, for 1.5 seconds at most.
Work watch(Server& server);

/// The program with a limit on descriptors: as many as it needs before its first client, plus eight.
Program with_few_descriptors(const Program& program);

/// Connects clients until there are `count` or one is not accepted.
void connect_many(Server& server, Clients& clients, std::size_t count);

}  // namespace diagnose
