// What a program may use (setrlimit(2)). Nearly all this is done in the process that becomes the program.
//
// RLIMIT_NPROC counts all processes of a user, and root is exempt (getrlimit(2)). To count those of one program alone,
// root becomes a user that has no process yet; a user enters a user namespace, which has a count of its own since Linux
// 5.14. Where that is refused too (in a container of Docker's, in a chroot), the keeper is asked at each fork.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include "program.hpp"

namespace harness {

/// Sets a limit, soft and hard, so that it can be raised no more: to `most`, or to our own hard limit where that is
/// less, since only root may have more. Throws std::system_error.
void limit(int resource, rlim_t most);

/// fork(2). Throws std::runtime_error, which names the limit, when our user may have no more processes (EAGAIN);
/// std::system_error for any other reason.
pid_t fork_within_limit();

/// A foreign program may write but so much into each file.
void limit_output(const Program& program);

/// Limits the processes of the program, where it says so or is foreign. Throws std::runtime_error when this cannot be
/// had: the system offers no way to count those of the program alone, or our user may not have as many.
void limit_processes(const Program& program, int to_keeper);

/// Whether we can watch the program: root without CAP_SYS_PTRACE may not look into the user that its processes would
/// belong to (ptrace(2), "Ptrace access mode checking"). Throws std::runtime_error when we cannot.
void require_sight_of(const Program& program);

}  // namespace harness
