// Limits the resources of a program (setrlimit(2)). Most of these functions run in the child that will execute the
// program.
//
// RLIMIT_NPROC counts all processes of a user, and root is exempt (getrlimit(2)). To count the processes of one program
// alone, root changes to a user that has no process yet. An ordinary user enters a user namespace, which counts
// separately since Linux 5.14. Where that is refused too (in a Docker container, in a chroot), the keeper decides about
// each fork.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include "program.hpp"

namespace harness {

/// Sets the soft and the hard limit to `most`, so that the program cannot raise them again. A present hard limit that
/// is lower stays, since only root may exceed it. Throws std::system_error.
void limit(int resource, rlim_t most);

/// fork(2). Throws std::runtime_error, which names the limit, when the user may have no more processes (EAGAIN);
/// std::system_error for any other error.
pid_t fork_within_limit();

/// Limits the size of each file that a foreign program writes (RLIMIT_FSIZE).
void limit_output(const Program& program);

/// Limits the number of the program's processes, if it has a limit or is foreign. Throws std::runtime_error when the
/// system offers no way to count them alone, or the user may not have that many.
void limit_processes(const Program& program, int to_keeper);

/// Checks that the program can be watched. Root without CAP_SYS_PTRACE may not inspect processes of the user that the
/// program would run as (ptrace(2), "Ptrace access mode checking"). Throws std::runtime_error when it cannot be
/// watched.
void require_sight_of(const Program& program);

}  // namespace harness
