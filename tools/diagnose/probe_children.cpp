// Behaviours about the children that a server starts for its clients, and how it reaps them.
#include <signal.h>
#include <sys/wait.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "../proc/process.hpp"
#include "clients.hpp"
#include "probes.hpp"

namespace diagnose {

using std::to_string;

namespace {

/// Where a child exits and the server has no other: holds a client until it has its own child, lets it ask, and waits
/// until the server has taken notice of the child's end, or has ended itself.
struct LoneExit {
    explicit LoneExit(const Program& program) : server(patient(program)), held(hold(server, clients)) {
        if (held.place != Place::with_a_child) return;
        clients.front().ask();
        settled =
            until_exit(server, held.by) && (server.until([this] { return server.is_quiet(); }) || server.has_ended());
    }
    Server server;
    Clients clients;
    Held held;
    bool settled = false;
};

/// Lets the client of this child ask, and returns the status that the child exits with; 0 when it is killed, or its end
/// cannot be seen. Its parent is stopped meanwhile, since who was reaped has no status any more.
int exit_status_of(Server& server, const Client& client, pid_t child) {
    kill(server.acceptor(), SIGSTOP);
    if (!server.until([&] { return server.is_stopped(); })) return 0;
    client.ask();
    until_exit(server, child);
    const std::optional<proc::Process> process = proc::process(child);
    const int status = process && process->is_zombie() ? process->exit_status.value_or(0) : 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

/// `count` children of a server that has no others exit together.
Finding reaps_burst(const Program& program, std::size_t count) {
    Server server(patient(program));
    Clients clients;
    std::vector<pid_t> children;
    while (children.size() < count) {
        const Held held = hold(server, clients);
        if (held.place == Place::in_the_queue && server.waits_for_a_child()) {
            return not_applicable("it waits for each child before it accepts again");
        }
        if (held.place != Place::with_a_child) return without_child(server, clients, held);
        children.push_back(held.by);
    }
    kill(server.acceptor(), SIGSTOP);
    if (!server.until([&] { return server.is_stopped(); })) return undecided(server, "it cannot be stopped");
    for (const Client& client : clients) client.ask();
    for (const pid_t child : children) {
        if (!until_exit(server, child)) return undecided(server, "a child has not exited");
    }
    kill(server.acceptor(), SIGCONT);
    const bool settled = server.until([&] { return server.is_quiet(); });
    if (server.has_ended()) return not_applicable("the first of them ended it: " + server.death());
    if (!settled) return undecided(server, "it has not come to rest");
    const std::string evidence = to_string(count) + " children exited together, ";
    until_reaped(server);
    const std::size_t zombies = server.zombies().size();
    if (zombies == 0) return yes(evidence + "all are gone");
    return {Answer::no, evidence + to_string(zombies) + " are zombies", zombies == count ? ZOMBIE : ""};
}

}  // namespace

Finding child_closes_listener(const Program& program) {
    Server server(patient(program));
    Clients clients;
    const Held held = hold(server, clients);
    if (held.place != Place::with_a_child) return without_child(server, clients, held);
    for (const proc::Descriptor& one : proc::descriptors(held.by)) {
        if (one.inode == server.listening_inode()) {
            return no("its child has the listening socket as descriptor " + to_string(one.number));
        }
    }
    std::string evidence = "its child, at work, has no copy of the listening socket";
    if (const int status = exit_status_of(server, clients.front(), held.by); status != 0) {
        evidence += "; but, its work done, it exits with " + to_string(status) + ": " + server.last_words();
    }
    return yes(evidence);
}

Finding survives_sigchld(const Program& program) {
    LoneExit lone(program);
    Server& server = lone.server;
    if (lone.held.place != Place::with_a_child) return without_child(server, lone.clients, lone.held);
    if (server.has_ended()) return no(server.death());
    Clients clients;
    if (!lone.settled || hold(server, clients).place != Place::with_a_child) return undecided(server, "no child");
    if (server.waits_for_a_child()) return not_applicable("it waits for each child before it accepts again");
    const Held passing = hold(server, clients);
    if (passing.place != Place::with_a_child) return undecided(server, "no second child");
    clients.back().ask();
    until_exit(server, passing.by);
    server.until([&] { return server.is_quiet(1) || server.waits_for_a_child(); });
    if (!server.has_ended() && connect(server, clients) && ask(server, clients.back())) {
        return yes("children exited while it waited in accept, and the next client was served");
    }
    if (server.has_ended()) return no(server.death());
    if (!server.waits_for_a_child()) return undecided(server, "the next client was not served");
    return {Answer::no, "a child has exited, and it waits for another one that has not", "a handler must not block"};
}

Finding reaps_one(const Program& program) {
    LoneExit lone(program);
    Server& server = lone.server;
    if (lone.held.place != Place::with_a_child) return without_child(server, lone.clients, lone.held);
    if (!lone.settled) return undecided(server, "its child has not exited");
    until_reaped(server);
    const std::string who = "its child " + to_string(lone.held.by);
    const std::string zombie = " has exited and is a zombie";
    const std::string gone = who + " has exited and is gone";
    if (server.has_ended()) {
        return server.left_zombies().empty() ? yes(gone + ", but " + server.death())
                                             : no(who + zombie + ": nobody waited for it");
    }
    const bool is_left = !server.zombies().empty();
    Clients clients;
    const Held next = hold(server, clients);  // who accepts it may do what it should have done before
    if (is_left) {
        return no(who + zombie +
                  (server.zombies().empty() ? " until the next client comes" : ": nobody waited for it"));
    }
    // A handler may be one that works but once.
    if (next.place != Place::with_a_child) return undecided(server, "no second child");
    if (!serve(server, clients.back(), next)) return undecided(server, "its second child has not exited");
    until_reaped(server);
    return server.zombies().empty() ? yes(gone) : no("its second child " + to_string(next.by) + zombie);
}

Finding reaps_many(const Program& program) {
    Finding first = reaps_burst(program, 16);
    if (first.answer != Answer::yes) return first;
    Finding more = reaps_burst(program, 24);  // whoever waits for a number of children does not wait for all
    return more.answer == Answer::no ? more : first;
}

}  // namespace diagnose
