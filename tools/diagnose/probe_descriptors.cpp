// Behaviours concerning a server's descriptors.
#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>

#include "clients.hpp"
#include "idle.hpp"
#include "probes.hpp"

namespace diagnose {

using std::to_string;

namespace {

/// Connects `count` clients to the server. If each gets a child, all stay connected in `clients` at the same time;
/// otherwise they are served one after the other. Returns how many the server has accepted.
std::size_t show_clients(Server& server, Clients& clients, std::size_t count) {
    std::deque<Holder> at_work;  // the holder of each element of `clients`
    for (std::size_t i = 0; i < count; ++i) {
        Holder holder = hold(server, clients);
        // The server accepts the next client when another has disconnected.
        while (holder.place == Place::in_the_queue && !at_work.empty()) {
            if (!ask(server, clients.front()) || !until_exit(server, at_work.front().pid, clients.front())) return i;
            clients.pop_front();
            at_work.pop_front();
            holder = find_holder(server, clients.back());
        }
        if (holder.place == Place::with_a_child) {
            at_work.push_back(holder);
            continue;
        }
        if (holder.place == Place::with_the_server && !serve(server, clients.back(), holder)) return i;
        if (holder.place == Place::moving || holder.place == Place::in_the_queue) return i;
        clients.pop_back();
    }
    return count;
}

}  // namespace

Program with_few_descriptors(const Program& program) {
    Program limited = patient(program);
    limited.max_descriptors = static_cast<rlim_t>(std::max(16, Needs(limited).descriptors + 8));
    return limited;
}

void connect_many(Server& server, Clients& clients, std::size_t count) {
    while (clients.size() < count) {
        const Place place = hold(server, clients).place;
        if (place == Place::in_the_queue || place == Place::moving) return;
    }
}

namespace {

/// Connects more clients at once than one process has descriptors for.
Finding survives_crowd(const Program& limited, const std::string& allowed) {
    Server server(limited);
    Clients clients;
    connect_many(server, clients, *limited.max_descriptors + 8);
    const std::string evidence = to_string(clients.size()) + " clients at once" + allowed;
    const Work work = watch(server);
    if (server.has_ended()) return no(evidence + ": " + server.exit_report());
    if (!work.is_idle()) {
        return {Answer::no, evidence + ": " + work.in_words(),
                "a listening socket stays readable as long as accept fails (EMFILE)"};
    }
    clients.clear();
    settle(server);
    Clients next;
    if (connect(server, next) && ask(server, next.back())) return yes(evidence);
    return server.has_ended() ? no(evidence + ": " + server.exit_report())
                              : no(evidence + ", and when all had left, the next one was not served");
}

}  // namespace

Finding flat_descriptors(const Subject& subject) {
    if (std::optional<Finding> none = without_life(subject.nature)) return *none;
    constexpr std::size_t COUNT = 20;
    Server server(patient(subject.program));
    const std::size_t before = server.sockets();
    Clients clients;
    if (show_clients(server, clients, COUNT) < COUNT) {
        if (server.has_ended()) return not_applicable("it does not live as long: " + server.exit_report());
        Finding unserved = undecided(server, "not all of twenty clients were served");
        unserved.rule = "each client gets an answer, however many there were before it, and however late it asks";
        return unserved;
    }
    server.until([&] { return server.sockets() <= before || server.is_quiet(clients.size()); });
    const bool more = server.stays([&] { return server.sockets() > before; });
    const std::string evidence =
        "sockets: " + to_string(before) + " before, " + to_string(server.sockets()) + " after twenty clients";
    return more ? no(evidence) : yes(evidence);
}

Finding descriptor_limit(const Subject& subject) {
    if (std::optional<Finding> none = without_life(subject.nature)) return *none;
    const Program limited = with_few_descriptors(subject.program);
    const auto limit = static_cast<std::size_t>(*limited.max_descriptors);
    const std::string allowed = ", with " + to_string(limit) + " descriptors allowed";
    {
        Server server(limited);
        Clients clients;
        const std::size_t taken = show_clients(server, clients, limit + 8);
        const std::string evidence = to_string(taken) + " clients" + allowed;
        if (server.has_ended()) return no(evidence + ": " + server.exit_report());
        Finding unknown = undecided(server, "not all clients were served");
        if (taken < limit + 8 && (taken == 0 || unknown.is_hidden_by_sleep)) return unknown;
        if (taken < limit + 8) return no(evidence + ", and the next one is not served: " + server.state());
    }
    const Kind kind = subject.nature.kind;
    if (kind == Kind::event_loop || kind == Kind::threads || kind == Kind::workers) {
        return survives_crowd(limited, allowed);
    }
    return yes(to_string(limit + 8) + " clients" + allowed);
}

}  // namespace diagnose
