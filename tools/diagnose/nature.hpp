// The nature of a server: how it serves its clients, and whether it answers at all. The probes need it to choose how a
// behaviour can be tried, and which behaviours cannot be.
#pragma once

#include <string>

#include "../harness/program.hpp"

namespace diagnose {

using harness::Program;

enum class Kind {
    unknown,  ///< the place of a silent client did not settle
    iterative,  ///< one process serves one client after the other
    event_loop,  ///< one process serves many clients at a time
    threads,
    forks,  ///< a child for each client, forked when the client has connected
    forks_late,  ///< a child for each client, forked after it has sent its request; or a child that exits too fast to
                 ///< be seen
    workers,  ///< pre-forked processes, each of which calls accept
};

const char* in_words(Kind kind);  ///< "an event loop"

struct Nature {
    Kind kind = Kind::unknown;
    bool speaks_first = false;  ///< it sends something before the client sends its request
    bool is_http = true;  ///< its answer begins as HTTP requires
    bool exits_on_child_exit = false;  ///< the server exits when a child has exited
    std::string status = {};  ///< the beginning of its answer: "HTTP/1.1 200"; empty: it does not speak HTTP
    std::string unanswered = {};  ///< why clients get no answer; empty: they get one
    std::string short_life = {};  ///< how it exited after it had answered its first client; empty: it keeps running
    /// The state of a child that does not exit after serving its client; empty: it exits.
    std::string child_stays = {};
};

/// A server to be diagnosed.
struct Subject {
    Program program;
    Nature nature;
};

/// Starts the program a few times to find out its nature. Also sets which of its listening sockets is used, and whether
/// it is restless (program.hpp). Throws what Server throws.
Subject learn(const Program& program);

}  // namespace diagnose
