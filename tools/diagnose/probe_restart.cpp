// Can the server be started again on the same port immediately after it was killed?
#include <signal.h>
#include <sys/types.h>

#include <algorithm>
#include <string>
#include <vector>

#include "../harness/process.hpp"
#include "../proc/process.hpp"
#include "clients.hpp"
#include "probes.hpp"

namespace diagnose {
namespace {

/// The server's processes, without its helpers: children that run another program.
std::vector<proc::Process> own_processes(const Server& server) {
    std::vector<proc::Process> all = server.alive();
    const std::string own = proc::executable(server.acceptor());
    const std::vector<proc::Process> below = proc::descendants(server.acceptor());
    std::erase_if(all, [&](const proc::Process& process) {
        const bool is_below = std::any_of(below.begin(), below.end(),
                                          [&](const proc::Process& other) { return other.pid == process.pid; });
        return is_below && proc::executable(process.pid) != own;
    });
    return all;
}

/// Kills all of the server's processes, also those that are forked meanwhile.
void kill_all(Server& server) {
    const std::string own = proc::executable(server.acceptor());
    std::vector<proc::Process> all = own_processes(server);
    const auto are_gone = [&] {
        for (const proc::Process& process : all) kill(process.pid, SIGKILL);
        all = server.alive();  // an orphan no longer counts as a helper
        std::erase_if(all, [&](const proc::Process& process) { return proc::executable(process.pid) != own; });
        return all.empty();
    };
    harness::eventually(are_gone, server.program().patience_left());
}

}  // namespace

Finding restarts_at_once(const Subject& subject) {
    Program program = patient(subject.program);
    Server server(program);  // its orphans keep running until this object is destroyed
    Clients clients;
    hold(server, clients);
    connect(server, clients);
    program.port = server.port();
    kill_all(server);
    try {
        const Server again(program);
        return yes("killed with clients, it listened again at once on port " + std::to_string(program.port));
    } catch (const harness::NotListening& error) {
        std::string words = error.what();
        words.erase(0, words.rfind("stderr: ") + 8);
        while (words.ends_with('\n')) words.pop_back();
        return no("started again on the same port at once, it does not listen" +
                  (words.empty() ? "" : ": " + words.substr(words.rfind('\n') + 1)));
    }
}

}  // namespace diagnose
