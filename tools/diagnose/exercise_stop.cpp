// Exercise 11: what becomes of two clients that are being served when SIGTERM comes?
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "../proc/process.hpp"
#include "clients.hpp"
#include "exercise_probes.hpp"
#include "probes.hpp"

namespace diagnose {
namespace {

constexpr const char* RULE = "it ends when the last child has: not after a time, nor when one of them has";

/// Whether the server ends although a client is being served, when one of its `children` has gone. Where it is blocked
/// until a child exits, the kernel says that it does not. Where it is not, nothing but time can tell whether it looks
/// for its children or only sleeps: longer than the behaviours believe in a sleep.
bool goes_before(Server& server, const std::vector<proc::Process>& children) {
    constexpr std::chrono::seconds LONGEST_SLEEP(10);
    const auto is_reaped = [](const proc::Process& child) { return !proc::process(child.pid); };
    const auto has_come_to_wait = [&] {
        return std::any_of(children.begin(), children.end(), is_reaped) && server.waits_for_a_child();
    };
    server.until([&] { return server.has_ended() || has_come_to_wait(); }, LONGEST_SLEEP);
    return server.has_ended();
}

bool gets_page(Server& server, Client& client) {
    ask(server, client);
    return is_page(client.received());
}

Finding lost(const std::string& evidence) { return {Answer::no, evidence, RULE}; }

Finding last_two_clients(Server& server) {
    Clients first;
    Clients second;
    hold(server, first);
    hold(server, second);
    if (first.empty() || second.empty()) return lost("while two clients came, " + server.death());
    const std::vector<proc::Process> children = server.children();
    kill(server.acceptor(), SIGTERM);
    server.until([&] { return !proc::is_pending(server.acceptor(), SIGTERM) && server.is_asleep(); });
    if (server.has_ended()) return lost("while two clients were being served, " + server.death());
    if (!gets_page(server, first.front())) {
        return lost("the first of two clients that were being served got no page");
    }
    if (goes_before(server, children)) {
        return lost("while the second of two clients was being served, " + server.death());
    }
    if (!gets_page(server, second.front())) {
        return lost("the second of two clients that were being served got no page");
    }
    if (!server.until([&] { return server.has_ended(); })) {
        return lost("two clients that were being served are done, and it goes on");
    }
    return yes("it ended when both of two clients had their page");
}

}  // namespace

Findings waits_for_all(const Solution& solution) {
    Server server(patient(solution.server));
    return {{"waits for all", last_two_clients(server)}};
}

}  // namespace diagnose
