// The keeper: a process between us and a program, that does nothing but own it. It is a subreaper (prctl(2)) in a
// session of its own: whatever the program leaves behind becomes the keeper's child, so that nothing can get lost.
#pragma once

#include <sys/types.h>

#include <chrono>

#include "program.hpp"

namespace harness {

constexpr const char* KEEPER = "keeper";  ///< its name (proc::Process)

/// After this the keeper gives up those that SIGKILL does not end: a disk or a network drive lets them wait.
constexpr std::chrono::seconds MOST_TIME_TO_END_A_PROGRAM(10);

/// What the keeper reports of a process that it has reaped. pid 0: the program has ended, and up to here came the
/// zombies that it left.
struct Report {
    pid_t pid;
    int status;  ///< as waitpid(2) gives it
};

/// What the keeper, or the process that was to become the program, tells about the start.
struct Start {
    pid_t pid = 0;  ///< of the program; 0: it was not started
    int error = 0;  ///< then: errno, or 0 when the reason says it all
    char reason[256] = {};
};

/// The keeper's descriptors. All others are closed: a keeper that held the copy of a connection would keep it open.
struct KeeperEnds {
    int out;  ///< the program's stdout
    int err;  ///< and stderr
    int reports;  ///< a socket: gets a Report for each process that is reaped; it ends all when the other end is closed
    int started;  ///< a pipe: gets the Start, or two of them when the program fails to start; closed when all is said
};

/// The life of the keeper, which starts the program. Returns never: it exits when `reports` is closed and all is ended.
[[noreturn]] void be_keeper(const Program& program, KeeperEnds ends);

}  // namespace harness
