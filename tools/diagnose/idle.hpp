// Whether a server rests while nobody wants anything of it.
#pragma once

#include <cstddef>
#include <string>

#include "clients.hpp"
#include "probes.hpp"

namespace diagnose {

/// The work of all processes of a server while they were watched.
struct Work {
    bool is_still = false;  ///< for a quarter of a second each was asleep, none has run, and none was born
    std::size_t births = 0;  ///< processes that were not there in the beginning
    double share = 0;  ///< of one processor's time that they used

    bool is_idle() const;
    std::string in_words() const;
};

/// Watches until the server is still, for 1.5 seconds at most.
Work watch(Server& server);

/// The program, which may have as few descriptors as it needs, and eight more.
Program with_few_descriptors(const Program& program);

/// Connects clients until there are `count`, or until one is not accepted.
void crowd(Server& server, Clients& clients, std::size_t count);

}  // namespace diagnose
