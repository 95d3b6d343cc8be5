// Shared by the probes: the clients that a probe connects, where the server holds them, and the words for
// what was found.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "../harness/client.hpp"
#include "../harness/server.hpp"
#include "nature.hpp"
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
    std::vector<pid_t> threads = {};  ///< those of it that wait for what the client sends

    /// The thread that serves the client, if it is asleep until a time has passed; -1: none.
    pid_t sleeper() const;
};

/// Waits until a silent client has found its place.
Held find_place(Server& server, const Client& client);
/// Connects one more silent client and waits until it has found its place.
Held hold(Server& server, Clients& clients);

/// The request that a client sends to this program.
std::string request_for(const Program& program);

/// The part of the request that a client has not sent yet when it is connected.
std::string rest_of_request(const Program& program);

/// Sends the request. Returns false when the server is gone.
bool send_request(const Server& server, const Client& client);

/// Sends the request and waits for the answer, a whole one if it is HTTP, otherwise any byte, after which the client
/// says that it sends no more; or for the end of the connection. Returns whether there was an answer.
bool ask(Server& server, Client& client);

/// Waits until the server has ended the connection of a client that it has answered, or keeps it.
void stay_to_the_end(Server& server, const Client& client);

/// Waits until the server has done what there is to do: all that it has started has exited or stays asleep.
bool settle(Server& server);

/// Waits until a child that has been asked has exited. One that sleeps before that is killed: to its parent that is an
/// exit like another. When the `client` has seen the end of its connection it leaves: a child may wait for that.
/// Returns false when it has not exited in time, or waits for the next client.
bool until_exit(Server& server, pid_t child, Client& client);

/// Neither yes nor no, since the last client has asked, and got no answer.
Finding unanswered(Server& server, const Clients& clients);

/// Has the client served that is `held`. Whether it got its answer, and the server is ready for the next client.
bool serve(Server& server, Client& client, const Held& held);

/// The finding about children when a silent client has none.
Finding without_child(Server& server, Clients& clients, const Held& held);

/// The reason why a row that needs an answer cannot be tried; nothing when it can.
std::optional<Finding> without_answer(const Nature& nature);
/// The same of a row that needs a server to which a silent client can be connected.
std::optional<Finding> without_place(const Nature& nature);
/// The same of a row that needs a server which lives on after its first client.
std::optional<Finding> without_life(const Nature& nature);
/// The same of a row that needs a child that exits.
std::optional<Finding> without_exit(const Nature& nature);

/// Waits for the zombies to go, where the server may wake up of its own accord and see to them. Out of accept only a
/// timeout or an alarm would wake it, which nobody sees from outside: a short one is waited for.
void until_reaped(Server& server);

/// From now on `pid` starts no process and no thread (RLIMIT_NPROC, getrlimit(2)). Only who has its user may say so,
/// where root lacks CAP_SYS_RESOURCE: a process that becomes this user does. Throws std::system_error.
void forbid_processes(pid_t pid);

/// The processes and descriptors that a program needs before its first client: limits begin there.
struct Needs {
    /// Starts `program` to see. Throws what Server throws.
    explicit Needs(const Program& program);

    std::size_t processes = 0;  ///< threads are counted as such (getrlimit(2))
    int descriptors = 0;
};

}  // namespace diagnose
