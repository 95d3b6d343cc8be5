// Makes sure that a program leaves no processes behind, however it ends.
#pragma once

#include <sys/types.h>

#include <functional>

namespace harness {

/// Call it right after fork, in the child: the kernel kills this process when its `parent` exits (prctl(2),
/// PR_SET_PDEATHSIG).
void die_with_parent(pid_t parent);

/// Calls `program` in a child process. Returns its result, or 128 + n when signal n killed it. Before returning, it
/// waits up to 15 seconds until the processes that the program left behind are gone. Passes SIGINT, SIGTERM and SIGHUP
/// on to the child. When fork fails, it prints the error on stderr and returns EX_OSERR (sysexits.h).
int guarded(const std::function<int()>& program);

}  // namespace harness
