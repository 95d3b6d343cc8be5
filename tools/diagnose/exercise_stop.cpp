// Exercises 11 and 12: are the clients that are being served at SIGTERM served to the end, and later ones refused?
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "../proc/process.hpp"
#include "clients.hpp"
#include "exercise_probes.hpp"
#include "probes.hpp"

namespace diagnose {

using std::to_string;

namespace {

constexpr const char* RULE = "it ends when the last child has: not after a time, nor when one of them has";

/// Whether the server exits although a client is being served, after one of its `children` has exited. When the kernel
/// says that it is blocked until another child exits, it does not. Otherwise only time can tell whether it looks for
/// its children or sleeps for a fixed time.
bool exits_before(Server& server, const std::vector<proc::Process>& children) {
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

/// Sends SIGTERM, and waits until the server has handled it.
void stop(Server& server) {
    kill(server.acceptor(), SIGTERM);
    server.until([&] { return !proc::is_pending(server.acceptor(), SIGTERM) && server.is_asleep(); });
}

Finding last_two_clients(Server& server) {
    Clients first;
    Clients second;
    hold(server, first);
    hold(server, second);
    if (first.empty() || second.empty()) return lost("while two clients came, " + server.exit_report());
    const std::vector<proc::Process> children = server.children();
    stop(server);
    if (server.has_ended()) return lost("while two clients were being served, " + server.exit_report());
    if (!gets_page(server, first.front())) {
        return lost("the first of two clients that were being served got no page");
    }
    if (exits_before(server, children)) {
        return lost("while the second of two clients was being served, " + server.exit_report());
    }
    if (!gets_page(server, second.front())) {
        return lost("the second of two clients that were being served got no page");
    }
    if (!server.until([&] { return server.has_ended(); })) {
        return lost("two clients that were being served are done, and it goes on");
    }
    return yes("it ended when both of two clients had their page");
}

/// This number of clients is being served when SIGTERM arrives, and they send their requests one after the other. A
/// server that calls wait a fixed number of times exits too early.
Finding last_of_many_clients(Server& server, std::size_t count) {
    Clients clients;
    while (clients.size() < count) {
        const Place place = hold(server, clients).place;
        if (server.has_ended()) return lost("while clients came, " + server.exit_report());
        if (place == Place::with_a_child || place == Place::with_the_server) continue;
        clients.pop_back();  // the server takes no more clients
        break;
    }
    count = clients.size();
    stop(server);
    for (std::size_t asked = 0; asked < count; ++asked) {
        const std::size_t left = count - asked;
        const std::string evidence = to_string(left) + " of " + to_string(count) + " clients were still being served, ";
        if (server.has_ended()) return lost("while " + evidence + server.exit_report());
        if (!gets_page(server, clients[asked])) return lost("when " + evidence + "the next of them got no page");
        clients[asked].reset();
        server.until([&] { return server.has_ended() || (server.children().size() < left && server.is_asleep()); });
        if (left > 1) server.stays([&] { return !server.has_ended(); });
    }
    if (server.until([&] { return server.has_ended(); })) return yes("");
    return lost("all of " + to_string(count) + " clients are done, and it goes on");
}

}  // namespace

Findings waits_for_all(const Solution& solution) {
    Finding finding;
    {
        Server server(patient(solution.server));
        finding = last_two_clients(server);
    }
    if (finding == Answer::yes) {
        Server server(patient(solution.server));
        // The number of clients differs from run to run, so no fixed number of waits is enough.
        const Finding many = last_of_many_clients(server, 3 + static_cast<std::size_t>(server.port()) % 10);
        if (many != Answer::yes) finding = many;
    }
    return {{"waits for all", finding}};
}

Findings refuses_late_clients(const Solution& solution) {
    constexpr const char* OPEN = "clients connect to a socket that listens until it is closed, in the children as well";
    Server server(patient(solution.server));
    Clients clients;
    hold(server, clients);
    stop(server);
    server.until([&] { return !server.is_listening(); });
    Finding finding = yes("while a client is being served, the next one cannot connect any more");
    if (server.has_ended()) finding = lost("while a client was being served, " + server.exit_report());
    else if (server.is_listening()) {
        finding = {Answer::no, "after SIGTERM, while a client is being served, the next one can still connect", OPEN};
    }
    return {{"refuses late clients", finding}};
}

}  // namespace diagnose
