// Behaviours of a server with a limit on its processes (RLIMIT_NPROC, getrlimit(2)).
#include <cstddef>
#include <optional>
#include <string>

#include "clients.hpp"
#include "probe_kinds.hpp"
#include "probes.hpp"

namespace diagnose {

using std::to_string;

namespace {

/// The program with room for 15 children and no more; together with the server itself that makes 16 processes.
Program with_few_processes(const Program& program) {
    Program limited = patient(program);
    limited.max_processes = Needs(limited).processes + 15;
    return limited;
}

/// Whether the server serves another client after more clients than its limit allows have disconnected. `evidence` says
/// what they saw.
Finding goes_on(Server& server, const std::string& evidence) {
    Clients next;
    const bool is_quiet = settle(server);
    until_reaped(server);
    if (is_quiet && connect(server, next) && ask(server, next.front())) return yes(evidence + ", and went on");
    if (server.has_ended()) return no(evidence + ", and then " + server.exit_report());
    if (is_quiet && !next.empty() && next.front().has_ended())
        return no(evidence + ", and when all had left, the next one as well");
    return undecided(server, "it has not become idle");
}

}  // namespace

Finding process_limit(const Subject& subject) {
    if (std::optional<Finding> none = without_exit(subject.nature)) return *none;
    if (subject.nature.kind == Kind::workers) return workers_process_limit(subject);
    if (subject.nature.kind == Kind::forks_late) return late_process_limit(subject);
    const Program limited = with_few_processes(subject.program);
    const std::size_t limit = *limited.max_processes;
    Server server(limited);
    for (std::size_t exits = 0; exits < 2 * limit; ++exits) {
        Clients clients;
        const Holder holder = hold(server, clients);
        const std::string evidence =
            "after " + to_string(exits) + " exits, with " + to_string(limit) + " processes allowed, ";
        if (exits > 0 && holder.place == Place::disconnected) return no(evidence + "it sends the next client away");
        if (holder.place != Place::with_a_child && (exits == 0 || !server.has_ended())) {
            return without_child(server, clients, holder);
        }
        if (!server.has_ended() && serve(server, clients.back(), holder)) continue;
        if (!server.has_ended()) return undecided(server, "it has not become idle");
        if (exits == 0) return not_applicable("the first exit ended it: " + server.exit_report());
        return no(evidence + server.exit_report());
    }
    return yes(to_string(2 * limit) + " exits, with " + to_string(limit) + " processes allowed");
}

Finding sheds_load(const Subject& subject) {
    if (std::optional<Finding> none = without_exit(subject.nature)) return *none;
    if (subject.nature.kind == Kind::forks_late) return late_sheds_load(subject);
    const Program limited = with_few_processes(subject.program);
    const std::size_t limit = *limited.max_processes;
    Server server(limited);
    Clients clients;
    std::size_t with_children = 0;
    bool has_forked = false;  // for one of them
    std::size_t refused = 0;  // clients that got an error page, or were disconnected
    for (std::size_t i = 0; i < 2 * limit; ++i) {
        const Holder holder = hold(server, clients);
        if (server.has_ended() && i > 0) {
            return no("with " + to_string(i) + " live clients, and " + to_string(limit) + " processes allowed, " +
                      server.exit_report());
        }
        if (holder.place == Place::in_the_queue && with_children > 0) break;  // the others stay in the queue
        const bool is_workers = holder.place == Place::with_the_server && subject.nature.kind == Kind::workers;
        has_forked = has_forked || holder.place == Place::with_a_child;
        if (holder.place == Place::with_a_child || is_workers) ++with_children;
        else if (holder.place == Place::disconnected && with_children > 0) ++refused;
        else if (holder.place == Place::with_the_server && with_children > 0) {
            const std::string evidence = "with " + to_string(i) + " live clients, and " + to_string(limit) +
                                         " processes allowed, it keeps the next one itself: ";
            const std::string state = server.state();
            if (ask(server, clients.back())) return not_applicable(evidence + state);
            if (server.has_ended()) return no(evidence + server.exit_report());
            return {Answer::no, evidence + state + ", and does not answer it",
                    "when fork has failed, the parent alone can close the connection"};
        } else return without_child(server, clients, holder);
    }
    if (with_children == 2 * limit) {
        if (!has_forked) return not_applicable("each of its workers serves many clients: none needs a process");
        return undecided(server, "the limit does not hold for it");
    }
    const std::string evidence = "it had " + to_string(with_children) + " live clients, " +
                                 (refused > 0 ? "sent " + to_string(refused) + " away" : "let the next ones wait");
    clients.clear();
    return goes_on(server, evidence);
}

}  // namespace diagnose
