#include "lessons.hpp"

#include <netinet/tcp.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "../proc/process.hpp"
#include "../proc/tcp.hpp"
#include "model.hpp"

namespace xray {
namespace {

template <class Things, class Condition> std::size_t number_of(const Things& things, Condition condition) {
    return static_cast<std::size_t>(std::count_if(things.begin(), things.end(), condition));
}

// ---- counting the states --------------------------------------------------------------------------

std::size_t queued(const Server& server) {
    std::size_t sum = 0;
    for (const proc::ListeningSocket& socket : server.listening) sum += socket.queued;
    return sum;
}

std::size_t queued_behind_a_client(const Server& server) { return server.itself().receives() ? queued(server) : 0; }
std::size_t queued_behind_a_sleep(const Server& server) { return server.itself().sleeps() ? queued(server) : 0; }
std::size_t queued_behind_a_stop(const Server& server) { return server.itself().is_stopped() ? queued(server) : 0; }

/// A server in poll(2) or a similar call wakes up for a new client, and will accept it in a moment.
std::size_t queued_behind_a_call(const Server& server) {
    const Process& itself = server.itself();
    const bool waits_for_many =
        itself.call.find("poll") != std::string::npos || itself.call.find("select") != std::string::npos;
    const bool is_known = itself.accepts() || itself.receives() || itself.sleeps() || waits_for_many;
    return itself.call.empty() || is_known || itself.head.threads > 1 ? 0 : queued(server);
}

/// Connections in a full accept queue, which holds one more than the backlog (tcp(7), listen(2)).
std::size_t in_full_queue(const Server& server) {
    std::size_t sum = 0;
    for (const proc::ListeningSocket& socket : server.listening)
        sum += socket.queued > socket.backlog ? socket.queued : 0;
    return sum;
}

std::size_t leftover_copies(const Server& server) {
    return number_of(server.connections_of(server.itself()),
                     [&](const proc::TcpSocket* socket) { return server.is_leftover(server.itself(), *socket); });
}

/// Connections that a child serves while the parent, in accept again, still holds its copy.
std::size_t kept_copies(const Server& server) {
    const Process& parent = server.itself();
    if (!parent.accepts() || parent.head.threads > 1) return 0;
    return number_of(server.connections_of(parent),
                     [&](const proc::TcpSocket* socket) { return server.holders(socket->inode) > 1; });
}

bool listens(const Server& server, const Process& process) {
    return std::any_of(server.listening.begin(), server.listening.end(),
                       [&](const auto& socket) { return process.holds(socket.inode); });
}

/// Pre-forked workers: children that call accept themselves, and need the listening socket for that.
std::size_t accepting_children(const Server& server) {
    return number_of(server.processes, [&](const Process& process) {
        return process.depth > 0 && process.accepts() && listens(server, process);
    });
}

/// Children that serve a client and hold a useless copy of a listening socket: their parent accepts, and none of them
/// does. (A child that was just forked and is not blocked yet may still close it.)
std::size_t children_that_could_accept(const Server& server) {
    if (!server.itself().accepts() || accepting_children(server) > 0) return 0;
    return number_of(server.processes, [&](const Process& process) {
        return process.depth > 0 && (process.receives() || process.sleeps()) && listens(server, process) &&
               !server.connections_of(process).empty();
    });
}

bool handles(const Server& server) { return server.child_signal.disposition == proc::Disposition::handled; }

std::size_t announced_once(const Server& server) {
    return server.child_signal.pending && server.zombies() > 1 ? server.zombies() : 0;
}
std::size_t unwaited_zombies(const Server& server) { return handles(server) ? 0 : server.zombies(); }
std::size_t missed(const Server& server) {
    return handles(server) && !server.child_signal.pending && server.itself().accepts() ? server.zombies() : 0;
}

std::size_t served_by_children(const Server& server) {
    if (!server.itself().accepts()) return 0;
    const std::vector<const proc::TcpSocket*> own = server.connections_of(server.itself());
    return number_of(server.processes, [&](const Process& process) {
        const std::vector<const proc::TcpSocket*> served = server.connections_of(process);
        return process.depth > 0 && std::any_of(served.begin(), served.end(), [&](const proc::TcpSocket* socket) {
                   return !std::binary_search(own.begin(), own.end(), socket);
               });
    });
}

std::size_t descriptors_run_out(const Server& server) {
    const std::size_t used = server.itself().descriptors.size();
    return fill_of(used, server.limits.descriptors) == Fill::nearly_full ? used : 0;
}
std::size_t processes_run_out(const Server& server) {
    const bool is_limited =
        server.user != 0 && fill_of(server.processes_of_user, server.limits.processes) == Fill::nearly_full;
    return is_limited ? server.processes_of_user : 0;
}

// ---- the table -----------------------------------------------------------------------------------

/// {n} stands for the count, {call} for the system call that the server is blocked in.
struct Explanation {
    const char* id;
    std::size_t (*count)(const Server&);
    const char* text;
    const char* look_up;
};

constexpr const char* ITERATIVE = "the iterative server, webserver3a.py";
constexpr const char* SLEEP = "the iterative server with a sleep, webserver3b.py";
constexpr const char* CONCURRENT = "the concurrent server, webserver3c.py";
constexpr const char* NO_CLOSE = "the server that does not close duplicate descriptors, webserver3d.py";
constexpr const char* ZOMBIES = "zombies, which the article explains with webserver3d.py";
constexpr const char* HANDLER = "the server with a SIGCHLD handler, webserver3e.py";
constexpr const char* PREFORKED = "UNIX Network Programming, volume 1, chapter 30: preforked servers";
constexpr const char* RESTART = "the server that restarts accept and leaves zombies, webserver3f.py";

const Explanation EXPLANATIONS[] = {
    {"queue-behind-client", queued_behind_a_client,
     "Clients that nobody accepts: {n}. The kernel has connected them and keeps them in the accept queue; the server "
     "is blocked in {call}() until the client before them speaks.",
     ITERATIVE},
    {"queue-behind-sleep", queued_behind_a_sleep,
     "Clients that nobody accepts: {n}. The kernel has connected them and keeps them in the accept queue; the server "
     "sleeps.",
     SLEEP},
    {"queue-behind-stop", queued_behind_a_stop,
     "Clients that nobody accepts: {n}. The kernel has connected them and keeps them in the accept queue; the server "
     "is stopped.",
     SLEEP},
    {"queue-behind-call", queued_behind_a_call,
     "Clients that nobody accepts: {n}. The kernel has connected them and keeps them in the accept queue; the server "
     "is blocked in {call}().",
     SLEEP},
    {"queue-full", in_full_queue,
     "The accept queue is full: {n}, one more than the backlog. The kernel ignores the SYN of further clients: they "
     "send it again after a second, two, four and so on, until accept has made room or they give up.",
     SLEEP},
    {"leftover-copy", leftover_copies,
     "Finished connections that stay open: {n}. The parent still has a descriptor (references: 1, not 0); the child "
     "that served them has closed its own.",
     NO_CLOSE},
    {"kept-copy", kept_copies,
     "Connections that the parent will keep open: {n}. fork has copied the descriptor (references: 2); when the child "
     "closes its own, the parent's is left (references: 1, not 0).",
     NO_CLOSE},
    {"descriptors-run-out", descriptors_run_out,
     "{n} descriptors are open, and few more are allowed: then accept fails (Too many open files).", NO_CLOSE},
    {"processes-run-out", processes_run_out,
     "The user has {n} processes, zombies included, and few more are allowed: then fork fails (Resource temporarily "
     "unavailable).",
     NO_CLOSE},
    {"one-signal", announced_once,
     "{n} children have exited, and one SIGCHLD is pending: signals do not queue. A handler that waits for one child "
     "leaves the others zombies.",
     RESTART},
    {"missed-children", missed,
     "{n} zombies, although SIGCHLD has a handler. Children that exit together are announced by one signal: the "
     "handler collected one child; no signal will announce the others.",
     RESTART},
    {"zombies", unwaited_zombies,
     "Zombies: {n}. They have exited, but their parent has not waited for them: the kernel keeps how each has ended, "
     "and its pid, until it does.",
     ZOMBIES},
    {"child-could-accept", children_that_could_accept,
     "Children that have kept a copy of the listening socket: {n}. As long as one of them lives, clients can connect, "
     "even when the parent is gone.",
     CONCURRENT},
    {"forked-ahead", accepting_children,
     "Children that wait in accept themselves: {n}. The server has forked them before any client came (preforking): "
     "each has a descriptor of the listening socket on purpose, and one that is free takes the next client.",
     PREFORKED},
    {"concurrent", served_by_children,
     "Clients that are served by a child of their own: {n}. The parent has closed its copy of their connections and is "
     "free to accept the next.",
     CONCURRENT},
};

constexpr const char* INTERRUPTED =
    "The server was blocked in accept() when a child exited and its handler for SIGCHLD ran; then the server ended "
    "with an error. Unless a handler restarts calls (SA_RESTART), it interrupts accept, which fails (EINTR).";
constexpr const char* ORPHANS =
    "Children that were still running when the server ended: {n}. They are orphans: init, or a subreaper, is their "
    "parent now.";

// The texts shown beside a connection or a process.
constexpr const char* CLIENT_WAITS = "the client waits: this copy keeps the connection open";
constexpr const char* CLIENT_HAS_LEFT = "the client has hung up: this copy is all that is left";
constexpr const char* ZOMBIE_WAITS = "waits for its parent to wait()";

std::string fill_in(std::string text, const std::string& key, const std::string& value) {
    const std::size_t at = text.find(key);
    return at == std::string::npos ? text : text.replace(at, key.size(), value);
}

}  // namespace

std::vector<Lesson> lessons(const Snapshot& snapshot) {
    std::vector<Lesson> found;
    if (snapshot.server_exit && snapshot.server_exit->was_interrupted)
        found.push_back({"interrupted-accept", INTERRUPTED, HANDLER});
    if (snapshot.server_exit && snapshot.server_exit->orphans > 0) {
        found.push_back(
            {"orphans", fill_in(ORPHANS, "{n}", std::to_string(snapshot.server_exit->orphans)), CONCURRENT});
    }
    if (!snapshot.server) return found;
    for (const Explanation& explanation : EXPLANATIONS) {
        const std::size_t count = explanation.count(*snapshot.server);
        if (count == 0) continue;
        const std::string text = fill_in(explanation.text, "{n}", std::to_string(count));
        found.push_back({explanation.id, fill_in(text, "{call}", snapshot.server->itself().call), explanation.look_up});
    }
    return found;
}

std::string note_on(const Server& server, const Process& holder, const proc::TcpSocket& connection) {
    if (!server.is_leftover(holder, connection)) return "";
    return connection.state == TCP_ESTABLISHED ? CLIENT_WAITS : CLIENT_HAS_LEFT;
}

std::string note_on(const Process& process) { return process.head.is_zombie() ? ZOMBIE_WAITS : ""; }

}  // namespace xray
