// What a server does on SIGTERM.
#include <signal.h>

#include <vector>

#include "../proc/process.hpp"
#include "clients.hpp"
#include "probes.hpp"

namespace diagnose {

Finding stops_gracefully(const Program& program) {
    Server server(patient(program));
    Clients clients;
    std::vector<Held> held = {hold(server, clients)};
    if (held.front().by == -1) return undecided(server, "no client is being served");
    if (server.is_ready()) held.push_back(hold(server, clients));  // who serves one at a time has this one alone
    if (held.back().by == -1) clients.pop_back(), held.pop_back();  // it was sent away
    kill(server.acceptor(), SIGTERM);
    server.until([&] { return !proc::is_pending(server.acceptor(), SIGTERM) && server.is_asleep(); });
    if (server.has_ended()) return no("while a client was being served, " + server.death());
    const auto goes_on = [&] { return server.is_listening() && server.is_ready(); };
    if (server.stays(goes_on)) return no("it goes on to accept after SIGTERM");
    for (; !clients.empty(); clients.pop_back(), held.pop_back()) {  // the newest first: it may know that one alone
        if (server.has_ended()) {
            return {Answer::no, "while another client was being served, " + server.death(),
                    "it has to wait for all that it has begun"};
        }
        if (!ask(server, clients.back())) return no("it lost the answer of a client that it was serving");
        if (held.back().place == Place::with_a_child) until_exit(server, held.back().by);
        server.until([&] { return server.has_noticed_exits() && server.is_asleep(); });
    }
    server.until([&] { return goes_on(); });
    if (!server.has_ended())
        return goes_on() ? no("it goes on to accept after SIGTERM") : undecided(server, "it goes on");
    if (!server.death().starts_with("it exited with 0")) return no(server.death());
    return yes("it finished its clients and exited with 0");
}

}  // namespace diagnose
