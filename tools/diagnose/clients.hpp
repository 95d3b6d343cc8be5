// Shared by the probes: the clients that a probe connects, which process holds their connections, and the wording of
// findings.
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

/// Neither yes nor no: `what` is the reason, to which the state of the server is added.
Finding undecided(Server& server, const std::string& what);

/// That the server ended a connection without an answer, and its own last line of error: "step_c: recv: …".
std::string ended_unanswered(const Server& server);

/// The program with SLEEP=0, so that no client waits, and with a TIMEOUT so long that silent clients stay connected on
/// a slow machine too.
Program patient(const Program& program);

/// Clients that are connected and send nothing.
using Clients = std::deque<Client>;

/// Connects one more client. Returns false when the server refuses the connection.
bool connect(Server& server, Clients& clients);

/// The process that holds a client's connection.
struct Holder {
    Place place = Place::moving;
    pid_t pid = -1;  ///< a child rather than another process, when several hold it; -1: none
    std::vector<pid_t> threads = {};  ///< its threads that wait for the client to send

    /// The thread that serves the client, if it is in nanosleep or a similar call; -1: none.
    pid_t sleeper() const;
};

/// Waits until the place of a silent client is settled. Returns who holds its connection.
Holder find_holder(Server& server, const Client& client);
/// Connects one more silent client and waits until its place is settled.
Holder hold(Server& server, Clients& clients);

/// The request that a client sends to this program.
std::string request_for(const Program& program);

/// The part of the request that a client has not sent yet when it is connected.
std::string rest_of_request(const Program& program);

/// Sends the rest of the request. Returns false when the server has closed the connection.
bool send_request(const Server& server, const Client& client);

/// Sends the request and waits for the answer or the end of the connection. An answer in HTTP must be complete; of any
/// other, one byte is enough, and then the client half-closes. Returns whether there was an answer.
bool ask(Server& server, Client& client);

/// Call it after ask(): waits until the server has closed the connection, or is idle and keeps it open.
void wait_for_close(Server& server, const Client& client);

/// Waits until the server is idle: its children have exited, or stay asleep. Returns false when it does not become
/// idle.
bool settle(Server& server);

/// Call it after the request was sent: waits until the child has exited. A child that sleeps is killed, since for its
/// parent any exit will do. When the server has closed the connection, the `client` closes its end, which the child may
/// wait for. Returns false when the child does not exit in time, or waits for the next client.
bool until_exit(Server& server, pid_t child, Client& client);
/// That this child does not exit although it has served its client, and what it does instead.
std::string child_that_stays(pid_t child);

/// Neither yes nor no: the last client has sent its request, but got no answer.
Finding unanswered(Server& server, const Clients& clients);

/// Sends the client's request and waits until it is served. Returns whether it got an answer and the server is ready
/// for the next client.
bool serve(Server& server, Client& client, const Holder& holder);

/// The finding for a row about children when the server forked no child for a silent client.
Finding without_child(Server& server, Clients& clients, const Holder& holder);

/// The reason why a row that needs an answer cannot be tried; empty when it can.
std::optional<Finding> without_answer(const Nature& nature);
/// The same for a row that needs a silent client to be accepted.
std::optional<Finding> without_place(const Nature& nature);
/// The same for a row that needs a server which keeps running after its first client.
std::optional<Finding> without_life(const Nature& nature);
/// The same for a row that needs a child that exits.
std::optional<Finding> without_exit(const Nature& nature);

/// Waits until no zombies are left: the server may wake up after a timeout and reap them. A server blocked in accept
/// could only be woken by a timeout or an alarm that is not visible from outside. For it the wait is short.
void until_reaped(Server& server);

/// Sets RLIMIT_NPROC of `pid` to 0, so that it can start no process and no thread (getrlimit(2)). Root without
/// CAP_SYS_RESOURCE may not do this for another user's process. So a child changes to that user and sets the limit.
/// Throws std::system_error.
void forbid_processes(pid_t pid);

/// The processes and descriptors that a program needs before its first client. A limit must not be lower.
struct Needs {
    /// Starts `program` to count them. Throws what Server throws.
    explicit Needs(const Program& program);

    std::size_t processes = 0;  ///< each thread counts as a process (getrlimit(2))
    int descriptors = 0;
};

}  // namespace diagnose
