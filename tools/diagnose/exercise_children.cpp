// Exercises 3 to 12: is a silent client served in the end, and how does a child exit?
#include <signal.h>
#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>

#include "../harness/process.hpp"
#include "../proc/process.hpp"
#include "clients.hpp"
#include "exercise_probes.hpp"
#include "probes.hpp"

namespace diagnose {

using std::to_string;

namespace {

constexpr const char* PATIENT = "a client may take its time: somebody else has to wait for it meanwhile";

/// That the next client is in the accept queue while others are silent.
Finding keeps_waiting(Server& server, std::size_t silent) {
    const std::string clients = silent == 1 ? " for a silent client" : " for " + to_string(silent) + " silent clients";
    return {Answer::no, server.state() + clients + ", and the next one is in the accept queue",
            silent == 1 ? "a process that serves a client itself accepts no other meanwhile"
                        : "each client needs a process of its own: a fixed number of them is used up"};
}

/// Whether clients that are silent while the next one is served get their pages when they ask. No fixed number of
/// processes is enough: the number of clients differs from server to server.
Finding serves_silent(Server& server) {
    constexpr std::chrono::seconds SILENCE(3);  // for so long a client may be silent at least
    const auto begin = std::chrono::steady_clock::now();
    const std::size_t most = 6 + server.port() % 8U;
    Clients clients;
    while (clients.size() <= most) {
        const std::size_t before = clients.size();
        const Place place = hold(server, clients).place;
        if (server.has_ended()) return no("when a client had connected, " + server.exit_report());
        if (place == Place::in_the_queue && before > 0) return keeps_waiting(server, before);
        if (clients.size() == before) return unanswered(server, clients);
        if (place == Place::disconnected || place == Place::moving) break;
    }
    if (clients.size() < 2 || !ask(server, clients.back())) return unanswered(server, clients);
    const auto left = std::max(begin + SILENCE - std::chrono::steady_clock::now(), std::chrono::nanoseconds(0));
    harness::eventually([&] { return clients.front().has_ended(); },
                        std::chrono::duration_cast<std::chrono::milliseconds>(left));
    if (clients.front().has_ended()) return {Answer::no, "it disconnected a client that had not asked yet", PATIENT};
    if (!ask(server, clients.front()) || !is_page(clients.front().received())) {
        return {Answer::no, "a client that was silent, while the next one was served, got no page", PATIENT};
    }
    wait_for_close(server, clients.front());
    server.until([&] { return server.has_ended() || server.is_ready(); });
    if (server.has_ended()) {
        return {Answer::no, "when a client had its page, " + server.exit_report(),
                "the child serves its client and exits; the parent goes on to accept"};
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
    return {{"serves silent client", serves_silent(server)}};
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
