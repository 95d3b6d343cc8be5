// The keeper: a process between this one and the program under test. It starts the program, reaps its descendants and
// ends them. It is a subreaper (prctl(2)) in a session of its own: orphans of the program become its children, so that
// none is lost.
#pragma once

#include <sys/types.h>

#include <chrono>

#include "program.hpp"

namespace harness {

constexpr const char* KEEPER = "keeper";  ///< its name (proc::Process)

/// After this time the keeper gives up on processes that SIGKILL has not ended, such as those waiting for a disk or a
/// network drive.
constexpr std::chrono::seconds MOST_TIME_TO_END_A_PROGRAM(10);

/// The keeper's report of a process that it has reaped. A pid of 0 marks the end of the program: the zombies that it
/// left were reported before.
struct Report {
    pid_t pid;
    int status;  ///< as waitpid(2) gives it
};

/// A report about the start, from the keeper or from the process that was to execute the program.
struct Start {
    pid_t pid = 0;  ///< the program's; 0 when it was not started
    int error = 0;  ///< errno of a failed start; 0 when the reason needs no errno
    char reason[256] = {};
};

/// The descriptors that the keeper keeps. It closes all others: a copy of a connection would keep that connection open.
struct KeeperEnds {
    int out;  ///< the program's stdout
    int err;  ///< the program's stderr
    int reports;  ///< a socket: receives a Report for each reaped process; when its other end is closed, the keeper
                  ///< ends all
    int started;  ///< a pipe: receives a Start, or two when the program fails to start; then it is closed
};

/// Runs the keeper: starts the program and reaps until `reports` is closed. Then it ends all descendants and exits; it
/// never returns.
[[noreturn]] void be_keeper(const Program& program, KeeperEnds ends);

}  // namespace harness
