// A limit on the processes of one program alone, whatever else its user runs. A seccomp(2) filter makes each of its
// forks wait until the keeper allows or refuses it (seccomp_unotify(2), since Linux 5.5). This needs no privileges, but
// afterwards the program cannot gain any either (prctl(2), PR_SET_NO_NEW_PRIVS).
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "fd.hpp"

namespace harness {

/// Call it in the process that will execute the program. From now on each fork, its own or a descendant's, waits for
/// the keeper. Sends the listener's descriptor to the keeper through the socket `to_keeper`. Throws std::runtime_error
/// when the system does not offer this.
void ask_at_each_fork(int to_keeper);

/// Call it in the keeper: receives the descriptor that the program has sent; none when the program has closed the
/// socket first.
Fd receive_listener(int from_program);

/// Call it in the keeper when the listener is readable. Allows one fork if the keeper has fewer than `most`
/// descendants, threads and zombies included. Otherwise the fork fails with EAGAIN.
void answer_fork(int listener, std::size_t most);

}  // namespace harness
