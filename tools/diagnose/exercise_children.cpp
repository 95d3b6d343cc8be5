// Exercises 3 to 12: is a silent client served in the end, and how does a child exit?
#include <signal.h>
#include <sys/types.h>

#include <string>

#include "../harness/process.hpp"
#include "../proc/process.hpp"
#include "clients.hpp"
#include "exercise_probes.hpp"
#include "probes.hpp"

namespace diagnose {

namespace {

constexpr const char* PATIENT = "a client may take its time: somebody else has to wait for it meanwhile";

/// Whether a client that is silent while the next one is served gets its page when it asks.
Finding serves_both(Server& server) {
    Clients clients;
    hold(server, clients);
    const Place second = hold(server, clients).place;
    if (server.has_ended()) return no("when a client had connected, " + server.exit_report());
    if (second == Place::in_the_queue) {
        return {Answer::no, server.state() + " for a silent client, and the next one is in the accept queue",
                "a process that serves a client itself accepts no other meanwhile"};
    }
    if (clients.size() < 2 || !ask(server, clients.back())) return unanswered(server, clients);
    if (clients.front().has_ended()) return {Answer::no, "it disconnected a client that had not asked yet", PATIENT};
    if (!ask(server, clients.front()) || !is_page(clients.front().received())) {
        return {Answer::no, "a client that was silent, while the next one was served, got no page", PATIENT};
    }
    return yes("a client that was silent, while the next one was served, got its page as well");
}

/// How the child of a client that has asked exits.
Finding judge_exit(Server& server, const std::string& fate, bool is_answered) {
    const std::string words = server.last_error_line().empty() ? "" : ": " + server.last_error_line();
    const std::string evidence = "its child has served its client, and " + fate;
    if (fate == "exited with 0") return yes(evidence);
    const bool goes_on = fate == "does not exit" || words.find("accept") != std::string::npos;
    if (!is_answered) return not_applicable("its child does not live longer than it: it " + fate);
    return {Answer::no, evidence + words,
            goes_on ? "a child returns from fork into the same loop, unless it exits" : "0 says that all went well"};
}

}  // namespace

void make_orphan(Server& server) {
    kill(server.acceptor(), SIGKILL);
    harness::eventually([&] { return server.has_ended(); }, server.program().patience_left());
}

std::string fate_of_orphan(Server& server, pid_t child, Client& client) {
    const auto is_over = [&] {
        if (client.is_open() && client.has_ended()) client.reset();  // a child may wait for that
        return server.fate_of(child) != "is gone" || proc::blocked_in(child).starts_with("accept");
    };
    harness::eventually(is_over, server.program().patience_left());
    return proc::process(child) ? "does not exit" : server.fate_of(child);
}

Findings serves_silent_client(const Solution& solution) {
    Server server(patient(solution.server));
    return {{"serves silent client", serves_both(server)}};
}

Findings exit_of_child(const Solution& solution) {
    Server server(patient(solution.server));
    Clients clients;
    const Holder holder = hold(server, clients);
    if (holder.place != Place::with_a_child) return {{"child exits with 0", without_child(server, clients, holder)}};
    Client& client = clients.front();
    make_orphan(server);
    send_request(server, client);
    harness::eventually([&] { return client.has_answer() || client.has_ended(); }, server.program().patience_left());
    const bool is_answered = client.has_answer();
    return {{"child exits with 0", judge_exit(server, fate_of_orphan(server, holder.pid, client), is_answered)}};
}

}  // namespace diagnose
