// Behaviours about the children that a server starts for its clients, and how it reaps them.
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "../proc/process.hpp"
#include "clients.hpp"
#include "probe_kinds.hpp"
#include "probes.hpp"

namespace diagnose {

using std::to_string;

namespace {

/// The exit of a server's only child. Connects a client, and waits until the server has forked a child for it. Then
/// sends the request, and waits until the server has handled the child's exit or has exited itself.
struct SingleExit {
    explicit SingleExit(const Program& program) : server(patient(program)), holder(hold(server, clients)) {
        if (holder.place != Place::with_a_child) return;
        send_request(server, clients.front());
        has_exited = until_exit(server, holder.pid, clients.front());
        settled = has_exited && (settle(server) || server.has_ended());
    }
    Server server;
    Clients clients;
    Holder holder;
    bool has_exited = false;
    bool settled = false;
};

/// Sends the request of this child's client and returns the child's exit status; 0 when the child is killed, or its
/// status cannot be read. The parent is stopped meanwhile: after it had reaped the child, the status could not be read
/// any more.
int exit_status_of(Server& server, Client& client, pid_t child) {
    kill(server.acceptor(), SIGSTOP);
    if (!server.until([&] { return server.is_stopped(); })) return 0;
    send_request(server, client);
    until_exit(server, child, client);
    const std::optional<proc::Process> process = proc::process(child);
    const int status = process && process->is_zombie() ? process->exit_status.value_or(0) : 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

/// A server without a child per client may still fork, for example a helper from time to time. Decides whether it reaps
/// such children.
Finding reaps_helpers(Server& server, Clients& clients, const Holder& holder) {
    constexpr std::chrono::milliseconds A_WHILE(600);
    const auto reaped_by = [&] {
        const auto process = proc::process(server.acceptor());
        return process ? process->faults_of_reaped : 0;
    };
    const auto before = reaped_by();
    Finding finding = without_child(server, clients, holder);
    for (Client& client : clients) ask(server, client);
    clients.clear();
    server.until([&] { return server.zombies().size() > 2; }, A_WHILE);
    until_reaped(server);
    const std::vector<proc::Process> zombies = server.zombies();
    if (finding.answer == Answer::undecided) return finding;
    if (zombies.empty()) return reaped_by() == before ? finding : yes("the processes that it has started are gone");
    return no("of the processes that it has started, " + to_string(zombies.size()) + " are zombies, pid " +
              to_string(zombies.front().pid) + " (" + zombies.front().name + ") for one");
}

/// Makes `count` children, all that the server has, exit at the same time.
Finding reaps_burst(const Program& program, std::size_t count) {
    Server server(patient(program));
    Clients clients;
    std::vector<pid_t> children;
    while (children.size() < count) {
        const Holder holder = hold(server, clients);
        if (holder.place == Place::in_the_queue && server.waits_for_a_child()) {
            return not_applicable("it waits for each child before it accepts again");
        }
        if (holder.place != Place::with_a_child) return without_child(server, clients, holder);
        children.push_back(holder.pid);
    }
    kill(server.acceptor(), SIGSTOP);
    if (!server.until([&] { return server.is_stopped(); })) return undecided(server, "it cannot be stopped");
    for (const Client& client : clients) send_request(server, client);
    for (std::size_t i = 0; i < children.size(); ++i) {
        if (!until_exit(server, children[i], clients[i])) return undecided(server, "a child has not exited");
    }
    kill(server.acceptor(), SIGCONT);
    const bool settled = settle(server);
    if (server.has_ended()) return not_applicable("the first of them ended it: " + server.exit_report());
    if (!settled) return undecided(server, "it has not become idle");
    const std::string evidence = to_string(count) + " children exited together, ";
    until_reaped(server);
    const std::size_t zombies = server.zombies().size();
    if (zombies == 0) return yes(evidence + "all are gone");
    return {Answer::no, evidence + to_string(zombies) + " are zombies", zombies == count ? ZOMBIE : ""};
}

}  // namespace

Finding child_closes_listener(const Subject& subject) {
    if (std::optional<Finding> none = without_place(subject.nature)) return *none;
    if (subject.nature.kind == Kind::workers) return not_applicable(WORKERS);
    if (subject.nature.kind == Kind::forks_late) return late_child_closes_listener(subject);
    Server server(patient(subject.program));
    Clients clients;
    const Holder holder = hold(server, clients);
    if (holder.place != Place::with_a_child) return without_child(server, clients, holder);
    for (const proc::Descriptor& descriptor : proc::descriptors(holder.pid)) {
        if (server.is_listening_socket(descriptor)) {
            return no("its child has the listening socket as descriptor " + to_string(descriptor.number));
        }
    }
    std::string evidence = "its child, at work, has no copy of the listening socket";
    if (!subject.nature.child_stays.empty()) return yes(evidence);
    if (const int status = exit_status_of(server, clients.front(), holder.pid); status != 0) {
        evidence +=
            "; but when it has served its client, it exits with " + to_string(status) + ": " + server.last_error_line();
    }
    return yes(evidence);
}

Finding survives_sigchld(const Subject& subject) {
    if (std::optional<Finding> none = without_exit(subject.nature)) return *none;
    if (subject.nature.kind == Kind::workers) return workers_survive_exits(subject);
    if (subject.nature.kind == Kind::forks_late) return late_survives_sigchld(subject);
    SingleExit single(subject.program);
    Server& server = single.server;
    if (single.holder.place != Place::with_a_child) return without_child(server, single.clients, single.holder);
    if (server.has_ended()) return no(server.exit_report());
    Clients clients;
    if (!single.settled || hold(server, clients).place != Place::with_a_child) return undecided(server, "no child");
    if (server.waits_for_a_child()) return not_applicable("it waits for each child before it accepts again");
    const Holder passing = hold(server, clients);
    if (passing.place != Place::with_a_child) return undecided(server, "no second child");
    send_request(server, clients.back());
    until_exit(server, passing.pid, clients.back());
    server.until([&] { return server.is_quiet(1) || server.is_at_rest() || server.waits_for_a_child(); });
    const bool is_next_served = !server.has_ended() && connect(server, clients) && ask(server, clients.back());
    if (server.has_ended()) return no(server.exit_report());
    if (is_next_served && !ask(server, clients.front())) {
        return {Answer::no, "a client that was being served when another child exited got no answer",
                "a handler interrupts calls (EINTR)"};
    }
    if (is_next_served) return yes("children exited while it waited in accept, and the next client was served");
    if (!server.waits_for_a_child()) return undecided(server, "the next client was not served");
    return {Answer::no, "a child has exited, and it waits for another one that has not", "a handler must not block"};
}

Finding reaps_one(const Subject& subject) {
    if (std::optional<Finding> none = without_exit(subject.nature)) return *none;
    if (subject.nature.kind == Kind::workers) return workers_reaped_one(subject);
    if (subject.nature.kind == Kind::forks_late) return late_reaps_one(subject);
    SingleExit single(subject.program);
    Server& server = single.server;
    if (single.holder.place != Place::with_a_child) return reaps_helpers(server, single.clients, single.holder);
    if (!single.settled) return undecided(server, "its child has not exited");
    until_reaped(server);
    const std::string who = "its child " + to_string(single.holder.pid);
    const std::string zombie = " has exited and is a zombie";
    const std::string gone = who + " has exited and is gone";
    if (server.has_ended()) {
        return server.left_zombies().empty() ? yes(gone + ", but " + server.exit_report())
                                             : no(who + zombie + ": nobody waited for it");
    }
    const bool is_left = !server.zombies().empty();
    Clients clients;
    const Holder next = hold(server, clients);  // a server may reap only when it accepts the next client
    if (is_left) {
        return no(who + zombie +
                  (server.zombies().empty() ? " until the next client comes" : ": nobody waited for it"));
    }
    // A second exit: the handler may have been reset to the default after the first signal (SA_RESETHAND).
    if (next.place != Place::with_a_child) return undecided(server, "no second child");
    if (!serve(server, clients.back(), next)) return undecided(server, "its second child has not exited");
    until_reaped(server);
    return server.zombies().empty() ? yes(gone) : no("its second child " + to_string(next.pid) + zombie);
}

Finding reaps_many(const Subject& subject) {
    if (std::optional<Finding> none = without_exit(subject.nature)) return *none;
    if (subject.nature.kind == Kind::workers) return workers_reaped_many(subject);
    if (subject.nature.kind == Kind::forks_late) return late_reaps_many(subject);
    Finding first = reaps_burst(subject.program, 16);
    if (first.answer != Answer::yes) return first;
    // A server that reaps a fixed number of children does not reap all of 24.
    Finding more = reaps_burst(subject.program, 24);
    return more.answer == Answer::no ? more : first;
}

Finding child_exits(const Subject& subject) {
    if (std::optional<Finding> none = without_life(subject.nature)) return *none;
    if (!subject.nature.child_stays.empty()) return no(subject.nature.child_stays);
    if (subject.nature.kind == Kind::forks_late) return yes("its child exits when it has answered");
    SingleExit single(subject.program);
    if (single.holder.place != Place::with_a_child) return without_child(single.server, single.clients, single.holder);
    if (!single.has_exited) return no(child_that_stays(single.holder.pid));
    return yes("its child " + to_string(single.holder.pid) + " has served its client, and exited");
}

}  // namespace diagnose
