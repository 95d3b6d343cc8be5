// What the exercises ask and the table of behaviours does not: of the kernel itself, of what a server has printed, of
// the student's source.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "../harness/client.hpp"
#include "../harness/server.hpp"
#include "probes.hpp"

namespace diagnose {

/// What a solution is: the server, and the student's file; empty where the server is made of something else.
struct Solution {
    Program server;
    std::string source;
};

using Findings = std::map<std::string, Finding>;  ///< by the name of the row

// Each decides one row or several. Throws what Server and Client throw.

/// Exercise 1: what the source predicts about listen(2)'s backlog, beside what the kernel does.
Findings predictions(const Solution& solution);
/// Exercise 2: what the server prints about both ends of its connections.
Findings printed_ends(const Solution& solution);
/// Exercise 3: whether a client that is silent while another one is served gets its page when it asks.
Findings serves_silent_client(const Solution& solution);
/// Exercises 3 to 12: whether the child of a client that was served exits with 0.
Findings exit_of_child(const Solution& solution);
/// Exercise 6: whether the accept loop is still the one that was given, which no behaviour shows.
Findings accept_loop(const Solution& solution);
/// Exercise 6: whether the server catches SIGCHLD.
Findings handler(const Solution& solution);
/// Exercise 8: whether it does not.
Findings no_handler(const Solution& solution);
/// Exercises 9 and 12: what a client receives for which the server can have no process.
Findings error_page(const Solution& solution);
/// Exercises 10 and 12: whether a silent client is disconnected when TIMEOUT is over, and neither sooner nor later.
Findings keeps_timeout(const Solution& solution);
/// Exercises 11 and 12: what becomes of the clients that are being served when SIGTERM comes.
Findings waits_for_all(const Solution& solution);
/// Exercises 11 and 12: whether a client that comes after SIGTERM is refused, while another one is being served.
Findings refuses_late_clients(const Solution& solution);
/// Exercise 12: whether a client that sends a byte at a time is disconnected when TIMEOUT is over.
Findings drops_the_slow(const Solution& solution);
/// Exercise 12: whether it runs a Flask application; not applicable where Flask is not installed.
Findings flask(const Solution& solution);

/// For a child whose parent was killed, after which the keeper reaps it: how it has ended ("exited with 1"), when its
/// client is gone, or is let go; "does not exit" when it accepts, or exits too late.
std::string fate_of_orphan(harness::Server& server, pid_t child, harness::Client& client);

}  // namespace diagnose
