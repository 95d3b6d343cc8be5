#include "nature.hpp"

#include <netinet/tcp.h>
#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "../proc/process.hpp"
#include "../proc/tcp.hpp"
#include "clients.hpp"

namespace diagnose {
namespace {

/// The kind of server, derived from the process that holds a silent client's connection. It does not recognize an event
/// loop, or a server that forks after it has read the request.
Kind kind_of(Server& server, const Holder& holder) {
    if (holder.place == Place::with_a_child) return Kind::forks;
    if (holder.place != Place::with_the_server) return Kind::unknown;
    if (holder.pid != server.acceptor()) return Kind::workers;
    if (!server.workers().empty()) return Kind::workers;  // the parent accepts as well
    if (server.has_serving_thread(holder.pid)) return Kind::threads;
    return Kind::iterative;
}

/// Whether one process serves several clients at a time.
bool has_event_loop(const Program& program) {
    Server server(program);
    Clients clients;
    hold(server, clients);
    return hold(server, clients).place == Place::with_the_server;
}

/// Whether the server forks a child after the client has sent its request, or a child that exits too fast to be seen.
/// Then no client is served when the server may not fork.
bool needs_process(const Program& program) {
    Server server(program);
    forbid_processes(server.acceptor());
    Clients clients;
    if (!connect(server, clients) || !ask(server, clients.back())) return true;
    settle(server);
    return server.has_ended();
}

/// The state of a child that was forked for a request and does not exit; empty when it exits.
std::string late_child_that_stays(const Program& program) {
    Server server(program);
    Clients clients;
    if (!connect(server, clients) || !ask(server, clients.back())) return "";
    wait_for_close(server, clients.back());
    clients.clear();
    const std::string own = proc::executable(server.acceptor());
    std::optional<pid_t> remaining;  // not a helper: that runs another program
    const auto has_exited = [&] {
        remaining.reset();
        for (const proc::Process& process : server.children()) {
            if (!process.is_zombie() && proc::executable(process.pid) == own) remaining = process.pid;
        }
        return !remaining;
    };
    return server.until(has_exited) ? "" : child_that_stays(*remaining);
}

/// Why a client that has sent its request was not answered.
std::string why_unanswered(Server& server, const Client& client) {
    if (server.has_ended()) return "its first client ended it: " + server.exit_report();
    if (client.has_ended()) return "it answers nothing: it ended the connection";
    return "it answers nothing: " + server.state();
}

/// Connects a client, which is silent at first, then sends its request and is served.
void observe_first_client(Server& server, Nature& nature) {
    Clients clients;
    const Holder holder = hold(server, clients);
    if (clients.empty()) {
        nature.unanswered = "nobody can connect";
        return;
    }
    nature.kind = kind_of(server, holder);
    nature.speaks_first = !clients.front().received().empty();
    const bool is_answered = ask(server, clients.front());
    nature.is_http = harness::is_http(clients.front().received());
    if (nature.is_http) nature.status = clients.front().received().substr(0, 12);
    if (!is_answered) nature.unanswered = why_unanswered(server, clients.front());
    else if (holder.place == Place::with_a_child && !until_exit(server, holder.pid, clients.front()))
        nature.child_stays = child_that_stays(holder.pid);
    if (!is_answered) return;
    wait_for_close(server, clients.front());
    clients.clear();
    settle(server);
    if (!server.has_ended()) return;
    if (holder.place == Place::with_a_child) nature.exits_on_child_exit = nature.child_stays.empty();
    else nature.short_life = "its first client ends it: " + server.exit_report();
}

/// Whether the kernel withholds a connected client from the server until it sends something (TCP_DEFER_ACCEPT).
bool is_deferred(const Server& server, const Client& client) {
    const auto connection = proc::loopback_connection(server.port(), client.port());
    return connection && connection->state == TCP_SYN_RECV;
}

/// Finds out whether the kernel hands over clients at once. Also whether the server blocks while it waits for its first
/// client, and blocks again after it has served one.
void observe_idle_server(Server& server, Program& program) {
    constexpr std::chrono::milliseconds A_WHILE(500);
    program.is_restless = server.program().is_restless || !server.until([&] { return server.is_ready(); }, A_WHILE);
    Clients clients;
    if (!connect(server, clients)) return;
    program.defers_accept = is_deferred(server, clients.back());
    if (program.is_restless || !ask(server, clients.back())) return;
    wait_for_close(server, clients.back());
    clients.clear();
    program.is_restless = !server.until([&] { return server.is_at_rest(); }) && server.runs_for_ever();
}

/// The listening socket on which the server answers, if it has several; the first when none answers.
std::size_t answering_socket(Program program) {
    for (program.listening_socket = 0;; ++program.listening_socket) {
        Server server(program);
        if (program.listening_socket >= server.ports()) return 0;
        Clients clients;
        if (server.ports() == 1 || (connect(server, clients) && ask(server, clients.back()))) {
            return program.listening_socket;
        }
    }
}

}  // namespace

const char* in_words(Kind kind) {
    switch (kind) {
        case Kind::iterative:
            return "a server that serves one client after the other";
        case Kind::event_loop:
            return "an event loop";
        case Kind::threads:
            return "a thread for each client";
        case Kind::forks:
            return "a child for each client";
        case Kind::forks_late:
            return "a child for each client, once it has sent its request";
        case Kind::workers:
            return "workers that fork ahead";
        case Kind::unknown:
            break;
    }
    return "a server of an unknown kind";
}

Subject learn(const Program& program) {
    Subject subject = {program, {}};
    subject.program.listening_socket = answering_socket(patient(program));
    {
        Server server(patient(subject.program));
        observe_idle_server(server, subject.program);
    }
    {
        Server server(patient(subject.program));
        observe_first_client(server, subject.nature);
    }
    Nature& nature = subject.nature;
    if (nature.kind == Kind::iterative && has_event_loop(patient(subject.program))) nature.kind = Kind::event_loop;
    const bool may_fork = nature.kind == Kind::iterative || nature.kind == Kind::unknown;
    if (may_fork && without_life(nature) == std::nullopt && needs_process(patient(subject.program))) {
        nature.kind = Kind::forks_late;
        nature.child_stays = late_child_that_stays(patient(subject.program));
    }
    return subject;
}

}  // namespace diagnose
