// Behaviours about the descriptors of a server.
#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "clients.hpp"
#include "probes.hpp"

namespace diagnose {

using std::to_string;

namespace {

/// Shows the server `count` clients: where each has its child, they are held in `clients` all at once, otherwise they
/// are served one after the other. Returns whether it has lived through them all.
bool show_clients(Server& server, Clients& clients, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const Held held = hold(server, clients);
        if (held.place == Place::with_a_child) continue;
        if (held.place == Place::with_the_server && !serve(server, clients.back(), held)) return false;
        if (held.place == Place::moving || held.place == Place::in_the_queue) return false;
        clients.pop_back();
    }
    return true;
}

}  // namespace

Finding flat_descriptors(const Program& program) {
    constexpr std::size_t COUNT = 20;
    Server server(patient(program));
    const std::size_t before = server.sockets();
    Clients clients;
    if (!show_clients(server, clients, COUNT)) return undecided(server, "not all of twenty clients were served");
    server.until([&] { return server.sockets() <= before || server.is_quiet(clients.size()); });
    const bool more = server.stays([&] { return server.sockets() > before; });
    const std::string evidence =
        to_string(before) + " before, " + to_string(server.sockets()) + " after twenty clients";
    return more ? no(evidence) : yes(evidence);
}

Finding descriptor_limit(const Program& program) {
    Program limited = patient(program);
    const int limit = std::max(16, Needs(limited).descriptors + 8);
    limited.max_descriptors = static_cast<rlim_t>(limit);
    Server server(limited);
    Clients clients;
    const std::string allowed = ", with " + to_string(limit) + " descriptors allowed";
    if (!show_clients(server, clients, 1)) return undecided(server, "the first client was not served");
    if (show_clients(server, clients, static_cast<std::size_t>(limit) + 7)) {
        return yes(to_string(limit + 8) + " clients" + allowed);
    }
    return server.has_ended() ? no(to_string(clients.size()) + " clients" + allowed + ": " + server.death())
                              : undecided(server, "not all clients were served");
}

}  // namespace diagnose
