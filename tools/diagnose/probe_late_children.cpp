// Probes for servers that fork after they have read the request, or read none. The child answers and exits at once, so
// a silent client cannot keep it waiting.
#include <signal.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "../proc/process.hpp"
#include "clients.hpp"
#include "probe_kinds.hpp"
#include "probes.hpp"

namespace diagnose {

using std::to_string;

namespace {

constexpr const char* CHILD = "its child, for a client that had asked,";

/// Serves one client and waits until its child has exited and the server has handled that. Returns whether there was an
/// answer.
bool serve_one(Server& server) {
    Clients clients;
    const bool is_answered = connect(server, clients) && ask(server, clients.back());
    clients.clear();
    settle(server);
    return is_answered;
}

/// Decides by the number of zombies that are left after all children have exited.
Finding judge_zombies(Server& server, const std::string& children, std::size_t count) {
    until_reaped(server);
    const std::size_t zombies = server.zombies().size();
    if (zombies == 0) return yes(children + (count == 1 ? " has exited and is gone" : ", all are gone"));
    if (count == 1) return no(children + " has exited and is a zombie: nobody waited for it");
    return {Answer::no, children + ", " + to_string(zombies) + " are zombies", zombies == count ? ZOMBIE : ""};
}

}  // namespace

Finding late_child_closes_listener(const Subject& subject) {
    Server server(patient(subject.program));
    Clients clients;
    if (!connect(server, clients) || !send_request(server, clients.back())) return unanswered(server, clients);
    pid_t child = -1;
    const auto has_resting_child = [&] {
        for (const proc::Process& process : server.children()) {
            if (process.ppid == server.acceptor() && !proc::blocked_in(process.pid).empty()) child = process.pid;
        }
        return child != -1;
    };
    server.until([&] { return has_resting_child() || clients.back().has_ended(); });
    const std::vector<proc::Descriptor> all = child == -1 ? std::vector<proc::Descriptor>() : proc::descriptors(child);
    if (all.empty()) return not_applicable("a child is there only while it answers: too short to be looked at");
    for (const proc::Descriptor& descriptor : all) {
        if (server.is_listening_socket(descriptor)) {
            return no("its child has the listening socket as descriptor " + to_string(descriptor.number));
        }
    }
    return yes("its child, at work, has no copy of the listening socket");
}

/// The server may be blocked in recv for the next client's request while a child exits.
Finding late_survives_sigchld(const Subject& subject) {
    constexpr int ROUNDS = 5;
    Server server(patient(subject.program));
    for (int round = 0; round < ROUNDS; ++round) {
        Clients clients;
        hold(server, clients);
        connect(server, clients);  // the server accepts this client as soon as a child serves the first
        if (clients.size() < 2) break;
        ask(server, clients.front());
        settle(server);
        if (server.has_ended()) break;
        if (clients.back().received().empty() && (clients.back().has_ended() || !ask(server, clients.back()))) {
            return {Answer::no,
                    "when a child exited, the next client was disconnected before it could send its request",
                    "a handler interrupts recv as well (EINTR)"};
        }
        settle(server);
    }
    if (server.has_ended()) return no(server.exit_report());
    return yes("children exited while it waited for a request, and no client was lost");
}

Finding late_reaps_one(const Subject& subject) {
    Server server(patient(subject.program));
    if (!serve_one(server)) return undecided(server, "the first client was not served");
    return judge_zombies(server, CHILD, 1);
}

Finding late_reaps_many(const Subject& subject) {
    Server server(patient(subject.program));
    const std::size_t count = std::min<std::size_t>(16, server.backlog());
    kill(server.acceptor(), SIGSTOP);
    if (!server.until([&] { return server.is_stopped(); })) return undecided(server, "it cannot be stopped");
    Clients clients;
    while (clients.size() < count && connect(server, clients)) send_request(server, clients.back());
    kill(server.acceptor(), SIGCONT);
    for (Client& client : clients) server.until([&] { return !client.received().empty() || client.has_ended(); });
    settle(server);
    if (server.has_ended()) return not_applicable("the first of them ended it: " + server.exit_report());
    return judge_zombies(server, to_string(count) + " children exited one soon after the other", count);
}

Finding late_process_limit(const Subject& subject) {
    Program limited = patient(subject.program);
    limited.max_processes = Needs(limited).processes + 8;
    const std::string allowed = ", with " + to_string(*limited.max_processes) + " processes allowed";
    Server server(limited);
    const std::size_t count = 2 * *limited.max_processes;
    for (std::size_t exits = 0; exits < count; ++exits) {
        const bool is_answered = serve_one(server);
        const std::string evidence = "after " + to_string(exits) + " exits" + allowed + ", ";
        if (server.has_ended()) return no(evidence + server.exit_report());
        if (!is_answered) return no(evidence + "the next client gets no answer");
    }
    return yes(to_string(count) + " exits" + allowed);
}

Finding late_sheds_load(const Subject& subject) {
    Server server(patient(subject.program));
    forbid_processes(server.acceptor());
    for (int round = 0; round < 2; ++round) {
        Clients clients;
        const bool is_answered = connect(server, clients) && ask(server, clients.back());
        if (server.has_ended()) return no("when it could have no process for a client, " + server.exit_report());
        if (is_answered || (!clients.empty() && clients.back().has_ended())) continue;
        return {Answer::no, "a client that found no process is neither answered nor disconnected: " + server.state(),
                "when fork has failed, the parent alone can close the connection"};
    }
    return yes("clients that found no process were disconnected, and it went on");
}

}  // namespace diagnose
