// For each behaviour: the fault that a no shows, in one clause, and how to fix it.
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "verdict.hpp"

namespace diagnose {
namespace {

struct Mend {
    std::string_view name;  ///< the behaviour's name
    const char* fault;
    const char* change;
};

constexpr Mend MENDS[] = {
    {"answers", "it does not answer",
     "send a status line, headers, an empty line and the page: step_a_iterative/README.md"},
    {"concurrent", "it serves one client at a time",
     "fork a child for each client: step_c_fork/README.md, make exercise_3"},
    {"sleeps before closing", "it does not sleep before it closes the connection", ""},
    {"closes", "the end of the connection does not come",
     "close the connection in the child and in the parent: step_d_no_close/README.md, make exercise_4"},
    {"flat descriptors", "it keeps a socket for each client",
     "close the parent's copy after fork: step_d_no_close/README.md, make exercise_4"},
    {"descriptor limit", "it runs out of descriptors",
     "close what is done with; when accept fails with EMFILE, stop asking for connections until one has closed: "
     "step_d_no_close/README.md, make exercise_4"},
    {"child closes listener", "a child keeps the listening socket",
     "close the listening socket first in the child: step_c_fork/README.md, make exercise_4"},
    {"survives SIGCHLD", "a child's exit ends it, blocks it, or costs a client",
     "call again what failed with EINTR, or install the handler with SA_RESTART: step_f_eintr/README.md, make "
     "exercise_6"},
    {"reaps one", "a child that has exited stays a zombie",
     "wait for children in a handler of SIGCHLD: step_e_sigchld/README.md, make exercise_5"},
    {"reaps many", "children that exit together leave zombies",
     "call waitpid(-1, …, WNOHANG) until it returns no more: step_g_waitpid/README.md, make exercise_7"},
    {"process limit", "children that have exited use up its processes",
     "wait for every child: step_g_waitpid/README.md, make exercise_8"},
    {"sheds load", "it does not cope with more clients than it may have processes",
     "when fork fails, answer 503 and close, and go on: step_h_wsgi/README.md, make exercise_9"},
    {"drops silent clients", "it waits for a silent client for ever",
     "set SO_RCVTIMEO, or poll with a timeout, before recv: step_h_wsgi/README.md, make exercise_10"},
    {"stops gracefully", "SIGTERM costs clients their answers",
     "in a handler set a flag; then stop accepting, and wait for all children: step_h_wsgi/README.md, make "
     "exercise_11"},
    {"survives rude clients", "a client that leaves early costs a socket, or ends it",
     "look at what recv and send return, close in every case, ignore SIGPIPE: step_a_iterative/README.md"},
    {"slow request", "a request in two pieces does not get its page",
     "receive until the empty line has come, and wait in between: step_a_iterative/README.md"},
    {"idle when done", "it does not rest when there is nothing to do",
     "wait in a call that blocks, and look at what accept returned before you fork: step_f_eintr/README.md"},
    {"child exits", "a child goes on when it has served its client",
     "call _exit in the child when the client is served: step_c_fork/README.md, make exercise_3"},
    {"restarts at once", "it cannot be started again at once",
     "set SO_REUSEADDR before bind: step_a_iterative/README.md"},
};

const Mend& mend(const Tried& row) {
    return *std::find_if(std::begin(MENDS), std::end(MENDS),
                         [&](const Mend& candidate) { return candidate.name == row.behaviour->name; });
}

}  // namespace

std::string fault_of(const Tried& row) {
    if (row.behaviour->name == std::string_view("sleeps before closing") && row.finding == Answer::yes) {
        return "it sleeps before it closes the connection";
    }
    return mend(row).fault;
}

std::string mend_of(const Tried& row) { return mend(row).change; }

}  // namespace diagnose
