#include "clients.hpp"

#include <signal.h>
#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <ostream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../harness/process.hpp"
#include "../harness/server.hpp"
#include "../proc/process.hpp"
#include "probes.hpp"

namespace diagnose {

using std::to_string;

Finding yes(std::string evidence) { return {Answer::yes, std::move(evidence)}; }
Finding no(std::string evidence) { return {Answer::no, std::move(evidence)}; }
Finding not_applicable(std::string evidence) { return {Answer::not_applicable, std::move(evidence)}; }

Finding undecided(Server& server, const std::string& what) {
    const std::vector<proc::Process> all = server.alive();
    const auto sleeper =
        std::find_if(all.begin(), all.end(), [](const proc::Process& one) { return proc::sleeps(one.pid); });
    if (sleeper == all.end()) return {Answer::undecided, what + ": " + server.state()};
    return {Answer::undecided, what + ": pid " + to_string(sleeper->pid) + " sleeps, and hides the rest"};
}

Program patient(const Program& program) { return program.with("SLEEP", "0").with("TIMEOUT", "600"); }

bool connect(Server& server, Clients& clients) {
    try {
        clients.emplace_back(server.port());
        return true;
    } catch (const std::system_error&) {
        server.until_ended();
        return false;
    }
}

Held hold(Server& server, Clients& clients) {
    Held held;
    if (!connect(server, clients)) return held;
    const Client& client = clients.back();
    // A server in epoll_wait may still look asleep just after a client has connected.
    const auto is_settled = [&] {
        held.place = server.place_of(client);
        if (held.place != Place::in_the_queue) return held.place != Place::moving;
        return server.stays([&] { return server.place_of(client) == held.place; });
    };
    if (!server.until(is_settled)) return {};
    const std::vector<pid_t> holders = server.holders_of(client);
    if (!holders.empty()) held.by = holders.front();
    return held;
}

bool ask(Server& server, Client& client) {
    client.ask();
    server.until([&] { return is_page(client.received()) || client.has_ended(); });
    if (is_page(client.received())) return true;
    if (client.has_ended()) server.until([&] { return server.is_asleep(); });  // or has ended: that was why
    return client.has_ended() && !client.received().empty();
}

bool until_exit(Server& server, pid_t child) {
    const auto has_exited = [=] {
        const std::optional<proc::Process> process = proc::process(child);
        return !process || process->is_zombie();
    };
    if (!server.until([&] { return has_exited() || proc::sleeps(child); })) return false;
    if (proc::sleeps(child)) kill(child, SIGKILL);
    return harness::eventually(has_exited, server.program().patience);
}

Finding unanswered(Server& server, const Clients& clients) {
    if (clients.empty() || server.has_ended() || !clients.back().has_ended()) return undecided(server, "no answer");
    return {Answer::undecided, ENDED_UNANSWERED};
}

bool serve(Server& server, Client& client, const Held& held) {
    if (!ask(server, client)) return false;
    if (held.place == Place::with_a_child && !until_exit(server, held.by)) return false;
    return server.until([&] { return server.is_quiet(); });
}

namespace {

/// In words: the process or thread that serves a client, where no child does.
std::string server_in_words(Server& server, Clients& clients, const Held& held) {
    const std::vector<pid_t> threads = proc::threads(held.by);
    const auto waits = [](pid_t thread) { return harness::waits_for_bytes(thread); };
    if (held.by != server.acceptor()) {
        return "no child for a client: pid " + to_string(held.by) + " was there before it, a pre-forked worker";
    }
    if (threads.size() > 1 && std::any_of(threads.begin() + 1, threads.end(), waits)) {
        return "no child for a client, but a thread";
    }
    const std::vector<proc::Process> children = server.children();
    if (!children.empty()) {
        return "no child for a client: pid " + to_string(held.by) + " serves it itself, although it has started pid " +
               to_string(children.front().pid);
    }
    const std::string call = proc::blocked_in(held.by);
    if (hold(server, clients).place == Place::with_the_server) {
        return "no child for a client: one process has them all, and waits in " + call + " (an event loop)";
    }
    return "no child for a client: it serves one after the other itself";
}

}  // namespace

Finding without_child(Server& server, Clients& clients, const Held& held) {
    if (held.place == Place::with_the_server) return not_applicable(server_in_words(server, clients, held));
    if (held.place == Place::let_go) {
        return {Answer::undecided, "it hangs up on a client that has not asked yet, so that no child can be held"};
    }
    return undecided(server, "a silent client is not taken care of");
}

void until_reaped(Server& server) {
    constexpr std::chrono::milliseconds SHORT(300);
    server.until([&] { return server.zombies().empty(); },
                 server.waits_in_accept() ? SHORT : server.program().patience);
}

Needs::Needs(const Program& program) {
    Server server(program);
    for (const proc::Process& one : server.alive()) processes += proc::threads(one.pid).size();
    for (const proc::Descriptor& one : proc::descriptors(server.acceptor())) descriptors = one.number + 1;
}

const char* in_words(Answer answer) {
    const char* const words[] = {"yes", "no", "not applicable", "undecided"};
    return words[static_cast<int>(answer)];
}

std::ostream& operator<<(std::ostream& out, Answer answer) {
    const char* const words[] = {"yes", "no", "–", "?"};
    return out << words[static_cast<int>(answer)];
}

std::ostream& operator<<(std::ostream& out, const Finding& finding) {
    return out << finding.answer << " (" << finding.evidence << ')';
}

}  // namespace diagnose
