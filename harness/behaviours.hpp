// The behaviours that tell the stages apart: each is decided for a server, any server, from what the kernel says of it,
// and not by letting time pass: wait until a state is reached, never for a while.
#pragma once

#include <iosfwd>
#include <string>

#include "process.hpp"

namespace harness {

enum class Answer {
    yes,
    no,
    not_applicable,  ///< a server without children, say, has none to reap
    undecided,  ///< the state that would decide it was not reached
};

/// An answer, and what was seen.
struct Finding {
    Answer answer = Answer::undecided;
    std::string evidence;

    bool operator==(Answer expected) const { return answer == expected; }
};

std::ostream& operator<<(std::ostream& out, Answer answer);
std::ostream& operator<<(std::ostream& out, const Finding& finding);

// Each starts the program afresh, with SLEEP=0 but for `rests`, and leaves nothing behind. Throws what Server throws.

Finding answers(const Program& server);  ///< one client gets the page
Finding concurrent(const Program& server);  ///< a client is served while another stays silent
Finding rests(const Program& server);  ///< having answered, it sleeps before it lets the client go
Finding hangs_up(const Program& server);  ///< the client sees the end of the connection once it is handled
Finding flat_descriptors(const Program& server);  ///< twenty clients later it holds no more sockets than before
Finding descriptor_limit(const Program& server);  ///< survives more clients than it may have descriptors
Finding child_lets_go(const Program& server);  ///< a child holds no copy of the listening socket
Finding survives_sigchld(const Program& server);  ///< stays up when a child exits while it waits in accept
Finding reaps_one(const Program& server);  ///< a child that exits alone leaves no zombie
Finding reaps_many(const Program& server);  ///< children that exit together leave no zombie
Finding process_limit(const Program& server);  ///< survives more exits, one by one, than it may have processes
Finding sheds_load(const Program& server);  ///< survives more live clients than it may have processes
Finding drops_the_silent(const Program& server);  ///< a client that never speaks is let go after a time (TIMEOUT)
Finding stops_gracefully(const Program& server);  ///< on SIGTERM: no more accepts, finishes what it began, exits 0

}  // namespace harness
