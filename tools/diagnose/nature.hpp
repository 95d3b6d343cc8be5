// The nature of a server: how it serves its clients, and whether it answers at all. The probes ask this first, since it
// decides how a behaviour can be tried, and which cannot.
#pragma once

#include <string>

#include "../harness/program.hpp"

namespace diagnose {

using harness::Program;

enum class Kind {
    unknown,  ///< a silent client has not come to rest anywhere
    iterative,  ///< one process serves one client after the other
    event_loop,  ///< one process serves many at a time
    threads,
    forks,  ///< a child for each client, started when it has connected
    forks_late,  ///< a child for each client, started when it has sent its request; or whose child is too quick to be
                 ///< seen
    workers,  ///< processes that were there before the first client, and accept for themselves
};

const char* in_words(Kind kind);  ///< "an event loop"

struct Nature {
    Kind kind = Kind::unknown;
    bool speaks_first = false;  ///< it sends something before it was asked
    bool is_http = true;  ///< what it sends begins as an answer in HTTP does
    bool dies_of_exit = false;  ///< the server ends when a child has exited
    std::string status = {};  ///< how its answers begin: "HTTP/1.1 200"; empty: it does not speak HTTP
    std::string unanswered = {};  ///< why no client gets an answer; empty: they do
    std::string short_life = {};  ///< how it has ended with its first client, whom it answered; empty: it lives on
    std::string child_stays = {};  ///< where a child is that has served its client, and has not exited; empty: nowhere
};

/// A server to be diagnosed.
struct Subject {
    Program program;
    Nature nature;
};

/// Starts the program a few times, and looks. Sets which of its listening sockets is used, and whether it is restless
/// (program.hpp). Throws what Server throws.
Subject learn(const Program& program);

}  // namespace diagnose
