// The exercises' own questions, which are not in the table of behaviours: about the kernel, the server's output and the
// student's source.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "../harness/client.hpp"
#include "../harness/server.hpp"
#include "probes.hpp"

namespace diagnose {

/// A solution: the server, and the student's source file. The file is empty when the server was built from something
/// else.
struct Solution {
    Program server;
    std::string source;
};

using Findings = std::map<std::string, Finding>;  ///< by the name of the row

// Each function decides one row or several. Throws what Server and Client throw.

/// Exercise 1: what the source predicts about listen(2)'s backlog, beside what the kernel does.
Findings predictions(const Solution& solution);
/// Exercise 2: what the server prints about both ends of its connections.
Findings printed_ends(const Solution& solution);
/// Exercise 3: whether clients that are silent while another one is served get their pages when they ask.
Findings serves_silent_client(const Solution& solution);
/// Exercises 3 to 12: whether the child of a client that was served exits with 0.
Findings exit_of_child(const Solution& solution);
/// Exercise 5: whether the server is ready for its next client after each SIGCHLD.
Findings never_blocks(const Solution& solution);
/// Exercise 6: whether the accept loop is still the one that was given, which no behaviour shows.
Findings accept_loop(const Solution& solution);
/// Exercise 6: whether the server catches SIGCHLD, and leaves its children to the handler.
Findings handler(const Solution& solution);
/// Exercise 8: whether the server does not catch SIGCHLD.
Findings no_handler(const Solution& solution);
/// Exercises 9 and 12: what a client receives when fork fails.
Findings error_page(const Solution& solution);
/// Exercises 10 and 12: whether a silent client is disconnected when TIMEOUT is over, and neither sooner nor later.
Findings keeps_timeout(const Solution& solution);
/// Exercises 11 and 12: whether the clients that are being served when SIGTERM arrives get their answers.
Findings waits_for_all(const Solution& solution);
/// Exercises 11 and 12: whether a client that comes after SIGTERM is refused, while another one is being served.
Findings refuses_late_clients(const Solution& solution);
/// Exercise 12: whether a client that sends a byte at a time is disconnected when TIMEOUT is over.
Findings drops_the_slow(const Solution& solution);
/// Exercise 12: whether it runs a Flask application; not applicable where Flask is not installed.
Findings flask(const Solution& solution);

/// Kills the process that accepts, and waits for its end. From then on the keeper reaps its children: a parent that
/// ignores SIGCHLD would take their status away.
void make_orphan(harness::Server& server);

/// The end of a child whose parent was killed, so that the keeper reaps it: "exited with 1". It is expected to exit
/// when its client has disconnected, or was disconnected. "does not exit" when it calls accept or exits too late.
std::string fate_of_orphan(harness::Server& server, pid_t child, harness::Client& client);

}  // namespace diagnose
