// Shared by the probes: the clients that a probe connects, where the server holds them, and the words for
// what was found.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <deque>
#include <string>

#include "../harness/client.hpp"
#include "../harness/server.hpp"
#include "probes.hpp"

namespace diagnose {

using harness::Client;
using harness::is_page;
using harness::Place;
using harness::Server;

Finding yes(std::string evidence);
Finding no(std::string evidence);
Finding not_applicable(std::string evidence);

/// Neither yes nor no: `what` did not happen, and this is how far the server has come.
Finding undecided(Server& server, const std::string& what);

constexpr const char* ENDED_UNANSWERED = "it ended the connection without an answer";

/// The program, told to let no client wait and to bear with those who are silent, however slow the machine is.
Program patient(const Program& program);

/// Clients that were connected and stay silent.
using Clients = std::deque<Client>;

/// Connects one more client. Returns false when the server refuses, since it is ending.
bool connect(Server& server, Clients& clients);

/// Where a client is held.
struct Held {
    Place place = Place::moving;
    pid_t by = -1;  ///< the process that has its connection, the child before others; -1: none
};

/// Connects one more silent client and waits until it has found its place.
Held hold(Server& server, Clients& clients);

/// Sends the request and waits for the page; or for whatever else the server has to say before it hangs up. Returns
/// whether there was an answer.
bool ask(Server& server, Client& client);

/// Waits until a child that has been asked has exited. One that sleeps before that is killed: to its parent that is an
/// exit like another. Returns false when it has not exited in time.
bool until_exit(Server& server, pid_t child);

/// Neither yes nor no, since the last client has asked, and got no answer.
Finding unanswered(Server& server, const Clients& clients);

/// Has the client served that is `held`. Whether it got its answer, and the server is ready for the next client.
bool serve(Server& server, Client& client, const Held& held);

/// What to say about children when a silent client has none.
Finding without_child(Server& server, Clients& clients, const Held& held);

/// Waits for the zombies to go, where the server may wake up of its own accord and see to them. Out of accept only a
/// timeout or an alarm would wake it, which nobody sees from outside: a short one is waited for.
void until_reaped(Server& server);

/// What a program needs before its first client, to set limits by.
struct Needs {
    /// Starts `program` to see. Throws what Server throws.
    explicit Needs(const Program& program);

    std::size_t processes = 0;  ///< threads are counted as such (getrlimit(2))
    int descriptors = 0;
};

}  // namespace diagnose
