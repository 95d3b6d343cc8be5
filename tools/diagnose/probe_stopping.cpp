// The behaviour of a server on SIGTERM.
#include <signal.h>

#include <optional>
#include <vector>

#include "../proc/process.hpp"
#include "clients.hpp"
#include "probes.hpp"

namespace diagnose {
namespace {

constexpr const char* ACCEPTS = "it goes on to accept after SIGTERM";

/// Whether the server accepts a client that connects after SIGTERM.
bool accepts_another(Server& server) {
    Clients clients;
    if (!server.is_listening() || !connect(server, clients)) return false;
    const Holder holder = find_holder(server, clients.back());
    return holder.pid != -1 || (holder.place == Place::disconnected && !clients.back().received().empty());
}

/// The clients that are connected when SIGTERM is sent: two, or one if the server serves one at a time.
struct ConnectedClients {
    explicit ConnectedClients(Server& server) {
        holders.push_back(hold(server, clients));
        if (holders.back().pid != -1 && server.is_ready()) holders.push_back(hold(server, clients));
        if (holders.back().pid == -1) clients.pop_back(), holders.pop_back();  // the server disconnected it
    }
    Clients clients;
    std::vector<Holder> holders;
};

}  // namespace

Finding stops_gracefully(const Subject& subject) {
    if (std::optional<Finding> none = without_place(subject.nature)) return *none;
    Server server(patient(subject.program));
    ConnectedClients served(server);
    auto& [clients, holders] = served;
    const bool has_client = !clients.empty();
    if (server.has_ended()) return undecided(server, "no client can be held");
    kill(server.acceptor(), SIGTERM);
    server.until([&] { return !proc::is_pending(server.acceptor(), SIGTERM) && server.is_asleep(); });
    if (server.has_ended() && has_client) return no("while a client was being served, " + server.exit_report());
    const auto goes_on = [&] { return server.is_listening() && server.is_ready(); };
    if (server.stays(goes_on) && accepts_another(server)) return no(ACCEPTS);
    // The newest first: a broken server may remember only the last child.
    for (; !clients.empty(); clients.pop_back(), holders.pop_back()) {
        if (server.has_ended()) {
            return {Answer::no, "while another client was being served, " + server.exit_report(),
                    "it has to wait for all that it has begun"};
        }
        if (!ask(server, clients.back())) return no("it lost the answer of a client that it was serving");
        if (holders.back().place == Place::with_a_child) until_exit(server, holders.back().pid, clients.back());
        server.until([&] { return server.has_noticed_exits() && server.is_asleep(); });
    }
    server.until([&] { return server.stays(goes_on) && accepts_another(server); });
    if (!server.has_ended()) return server.is_listening() ? no(ACCEPTS) : undecided(server, "it goes on");
    if (!server.exit_report().starts_with("it exited with 0")) return no(server.exit_report());
    return yes(has_client ? "it finished its clients and exited with 0" : "it exited with 0");
}

}  // namespace diagnose
