// Probes for pre-forking servers: the workers do not exit by themselves, so the probes kill them.
#include <signal.h>
#include <sys/types.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "../harness/process.hpp"
#include "../proc/process.hpp"
#include "clients.hpp"
#include "probe_kinds.hpp"
#include "probes.hpp"

namespace diagnose {

using std::to_string;

namespace {

constexpr const char* UNREPLACED = "a worker that has ended is replaced by its parent, or the last one is soon gone";

bool has_exited(pid_t pid) {
    const auto process = proc::process(pid);
    return !process || process->is_zombie();
}

/// Kills these workers and waits until the server has reacted.
void end_workers(Server& server, const std::vector<pid_t>& workers) {
    const std::size_t before = server.workers().size();
    for (const pid_t worker : workers) kill(worker, SIGKILL);
    harness::eventually([&] { return std::all_of(workers.begin(), workers.end(), has_exited); },
                        server.program().patience_left());
    kill(server.acceptor(), SIGCONT);  // it may have been stopped before
    server.until([&] {
        server.adopt();
        return server.workers().size() >= before && server.is_asleep() && server.is_ready();
    });
}

/// The workers that do not hold this client's connection.
std::vector<pid_t> workers_without(const Server& server, pid_t holder) {
    std::vector<pid_t> workers = server.workers();
    std::erase(workers, holder);
    return workers;
}

/// Whether the next client is served.
bool serves_next(Server& server) {
    Clients clients;
    return !server.has_ended() && connect(server, clients) && ask(server, clients.back());
}

Finding lost(Server& server, const std::string& evidence) {
    if (server.has_ended()) return {Answer::no, evidence + ", " + server.exit_report(), UNREPLACED};
    return {Answer::no, evidence + ", the next client is not served: " + server.state(), UNREPLACED};
}

}  // namespace

Finding workers_survive_exits(const Subject& subject) {
    Server server(patient(subject.program));
    Clients clients;
    const Holder holder = hold(server, clients);
    const std::vector<pid_t> others = workers_without(server, holder.pid);
    if (others.empty()) clients.clear();  // the only worker holds the client, and is killed
    const std::vector<pid_t> ended = {others.empty() ? holder.pid : others.front()};
    end_workers(server, ended);
    const std::string evidence = "when its worker " + to_string(ended.front()) + " was killed";
    if (server.has_ended()) return no(evidence + ", " + server.exit_report());
    if (!clients.empty() && !ask(server, clients.front())) return no(evidence + ", a client of another one was lost");
    if (!serves_next(server)) return lost(server, evidence);
    return yes("its worker " + to_string(ended.front()) + " was killed, and the next client was served");
}

Finding workers_reaped_one(const Subject& subject) {
    Server server(patient(subject.program));
    const std::vector<pid_t> workers = server.workers();
    if (workers.empty()) return undecided(server, "no worker");
    end_workers(server, {workers.front()});
    until_reaped(server);
    const std::string evidence = "its worker " + to_string(workers.front());
    if (server.has_ended()) return yes(evidence + " has ended and is gone, but " + server.exit_report());
    return server.zombies().empty() ? yes(evidence + " has ended and is gone")
                                    : no(evidence + " has ended and is a zombie: nobody waited for it");
}

Finding workers_reaped_many(const Subject& subject) {
    Server server(patient(subject.program));
    const std::vector<pid_t> workers = server.workers();
    kill(server.acceptor(), SIGSTOP);
    if (!server.until([&] { return server.is_stopped(); })) return undecided(server, "it cannot be stopped");
    end_workers(server, workers);
    until_reaped(server);
    const std::size_t zombies = server.zombies().size();
    const std::string evidence = to_string(workers.size()) + " workers ended together, ";
    if (zombies == 0) return yes(evidence + "all are gone");
    return {Answer::no, evidence + to_string(zombies) + " are zombies", zombies == workers.size() ? ZOMBIE : ""};
}

Finding workers_process_limit(const Subject& subject) {
    constexpr std::size_t ROOM = 4;
    Program limited = patient(subject.program);
    limited.max_processes = Needs(limited).processes + ROOM;
    const std::string allowed = ", with " + to_string(*limited.max_processes) + " processes allowed";
    Server server(limited);
    for (std::size_t exits = 0; exits < 2 * ROOM; ++exits) {
        const std::vector<pid_t> workers = server.workers();
        const std::string evidence = "after " + to_string(exits) + " exits of its workers" + allowed;
        if (workers.empty()) return lost(server, evidence);
        end_workers(server, {workers.front()});
        if (!serves_next(server)) return lost(server, evidence);
    }
    return yes(to_string(2 * ROOM) + " exits of its workers" + allowed);
}

}  // namespace diagnose
