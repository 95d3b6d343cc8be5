// What a program of ours does so that it leaves nothing behind, however it ends.
#pragma once

#include <sys/types.h>

#include <functional>

namespace harness {

/// For a process that was just forked: it is to be killed when its `parent` dies (prctl(2), PR_SET_PDEATHSIG).
void die_with_parent(pid_t parent);

/// Calls `program` in a process of its own and returns its result, or 128 + n when signal n killed it: and not before
/// everything that it has left behind is gone, for which it waits at most 15 seconds. SIGINT, SIGTERM and SIGHUP are
/// passed on to it. Where no process can be started, it says so on stderr and returns EX_OSERR (sysexits.h).
int guarded(const std::function<int()>& program);

}  // namespace harness
