// A limit of processes that holds for one program alone, whatever else its user runs: a filter of seccomp(2) makes each
// of its forks wait until the keeper has said whether there is room (seccomp_unotify(2), since Linux 5.5). It needs no
// rights, but the program can gain none any more (prctl(2), PR_SET_NO_NEW_PRIVS).
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "fd.hpp"

namespace harness {

/// In the process that becomes the program: from now on each fork of it, and of all that it starts, waits for the
/// keeper. Sends the keeper the descriptor to listen on, through the socket `to_keeper`. Throws std::runtime_error when
/// the system does not offer this.
void ask_at_each_fork(int to_keeper);

/// In the keeper: the descriptor that the program has sent. None when it has closed its end of the socket without.
Fd receive_listener(int from_program);

/// In the keeper, when there is something to read from the listener: lets one fork go on if all that stands below us,
/// threads and zombies included, is less than `most`. Otherwise the fork fails with EAGAIN.
void answer_fork(int listener, std::size_t most);

}  // namespace harness
