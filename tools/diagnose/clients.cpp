#include "clients.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "../../net/socket.hpp"
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
    if (server.has_ended()) return not_applicable(what + ": " + server.exit_report());
    std::vector<proc::Process> all = server.alive();
    // A process that runs another program is a helper: it serves no client, so its sleep does not matter.
    const std::string program = proc::executable(server.acceptor());
    std::erase_if(all, [&](const auto& process) {
        return !proc::sleeps(process.pid) || proc::executable(process.pid) != program;
    });
    if (all.empty() || server.program().is_restless) return {Answer::undecided, what + ": " + server.state()};
    const std::string evidence = what + ": pid " + to_string(all.front().pid) + " sleeps, so the rest cannot be seen";
    return {Answer::undecided, evidence, "", true};
}

Program patient(const Program& program) { return program.with("SLEEP", "0").with("TIMEOUT", "600"); }

namespace {

/// The bytes that a client sends first so that accept(2) returns its connection (TCP_DEFER_ACCEPT): the beginning of
/// its request.
std::string_view greeting_for(const Program& program) { return program.defers_accept ? "GET " : ""; }

}  // namespace

bool connect(Server& server, Clients& clients) {
    try {
        clients.emplace_back(server.port());
        clients.back().send(greeting_for(server.program()));
        return true;
    } catch (const std::system_error&) {
        server.until_ended();
        return false;
    }
}

Holder find_holder(Server& server, const Client& client) {
    Holder holder;
    // A server in epoll_wait may still look asleep just after a client has connected.
    const auto is_settled = [&] {
        holder.place = server.place_of(client);
        if (holder.place != Place::in_the_queue) return holder.place != Place::moving;
        return server.stays([&] { return server.place_of(client) == holder.place; });
    };
    if (!server.until(is_settled)) return {};
    const std::vector<pid_t> holders = server.holders_of(client);
    if (holders.empty()) return holder;
    holder.pid = holders.front();
    for (const pid_t thread : proc::threads(holder.pid)) {
        if (harness::waits_for_bytes(thread)) holder.threads.push_back(thread);
    }
    return holder;
}

Holder hold(Server& server, Clients& clients) {
    return connect(server, clients) ? find_holder(server, clients.back()) : Holder();
}

std::string request_for(const Program& program) {
    return "GET " + program.path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
}

std::string rest_of_request(const Program& program) {
    return request_for(program).substr(greeting_for(program).size());
}

bool send_request(const Server& server, const Client& client) { return client.send(rest_of_request(server.program())); }

bool ask(Server& server, Client& client) {
    send_request(server, client);
    const auto is_answered = [&] {
        return harness::is_http(client.received()) ? harness::is_whole(client.received()) : true;
    };
    server.until([&] { return is_answered() || client.has_ended(); });
    if (is_answered()) {
        if (!harness::is_http(client.received())) client.half_close();
        return true;
    }
    // The exit of the server ends the connection too: then this wait returns at once.
    if (client.has_ended()) server.until([&] { return server.is_asleep(); });
    return client.has_ended() && !client.received().empty();
}

void wait_for_close(Server& server, const Client& client) {
    server.until([&] { return client.has_ended() || server.is_at_rest(); });
}

bool settle(Server& server) {
    return server.until([&] { return server.is_quiet() || server.stays([&] { return server.is_at_rest(); }); });
}

bool until_exit(Server& server, pid_t child, Client& client) {
    const auto has_exited = [&] {
        if (client.is_open() && client.has_ended()) client.reset();
        const std::optional<proc::Process> process = proc::process(child);
        return !process || process->is_zombie();
    };
    const auto goes_on = [=] { return proc::blocked_in(child).starts_with("accept"); };
    if (!server.until([&] { return has_exited() || proc::sleeps(child) || goes_on(); })) return false;
    if (proc::sleeps(child)) kill(child, SIGKILL);
    return !goes_on() && harness::eventually(has_exited, server.program().patience_left());
}

std::string child_that_stays(pid_t child) {
    const std::string call = proc::blocked_in(child);
    return "its child does not exit when it has served its client: pid " + std::to_string(child) +
           (call.empty() ? " runs on" : " is asleep in " + call);
}

std::string ended_unanswered(const Server& server) {
    const std::string line = server.last_error_line();
    const std::string name = std::filesystem::path(server.program().command.front()).filename().string();
    return "it ended the connection without an answer" + (line.starts_with(name + ": ") ? ": " + line : "");
}

Finding unanswered(Server& server, const Clients& clients) {
    if (clients.empty() || server.has_ended() || !clients.back().has_ended()) return undecided(server, "no answer");
    return {Answer::undecided, ended_unanswered(server)};
}

bool serve(Server& server, Client& client, const Holder& holder) {
    if (!ask(server, client)) return false;
    if (holder.place == Place::with_a_child && !until_exit(server, holder.pid, client)) return false;
    return settle(server);
}

pid_t Holder::sleeper() const {
    const auto found = std::find_if(threads.begin(), threads.end(), proc::sleeps);
    return found == threads.end() ? -1 : *found;
}

std::optional<Finding> without_answer(const Nature& nature) {
    if (nature.unanswered.empty()) return std::nullopt;
    return not_applicable(nature.unanswered);
}

std::optional<Finding> without_place(const Nature& nature) {
    return nature.kind == Kind::unknown ? without_answer(nature) : std::nullopt;
}

std::optional<Finding> without_life(const Nature& nature) {
    if (std::optional<Finding> unanswered = without_answer(nature)) return unanswered;
    if (nature.short_life.empty()) return std::nullopt;
    return not_applicable(nature.short_life);
}

std::optional<Finding> without_exit(const Nature& nature) {
    if (std::optional<Finding> unanswered = without_answer(nature)) return unanswered;
    if (nature.child_stays.empty()) return std::nullopt;
    return not_applicable(nature.child_stays);
}

namespace {

/// Describes what serves the client when no child does: a process or a thread.
std::string server_in_words(Server& server, Clients& clients, const Holder& holder) {
    if (holder.pid != server.acceptor()) {
        return "no child for a client: pid " + to_string(holder.pid) + " was there before it, a pre-forked worker";
    }
    if (server.has_serving_thread(holder.pid)) return "no child for a client, but a thread";
    const std::vector<proc::Process> children = server.children();
    if (!children.empty()) {
        return "no child for a client: pid " + to_string(holder.pid) +
               " serves it itself, although it has started pid " + to_string(children.front().pid);
    }
    const std::string call = proc::blocked_in(holder.pid);
    if (hold(server, clients).place == Place::with_the_server) {
        return "no child for a client: one process serves all clients, and waits in " + call + " (an event loop)";
    }
    return "no child for a client: it serves one after the other itself";
}

}  // namespace

Finding without_child(Server& server, Clients& clients, const Holder& holder) {
    if (holder.place == Place::with_the_server) return not_applicable(server_in_words(server, clients, holder));
    if (holder.place == Place::disconnected) {
        return not_applicable("it disconnects a client that has not asked yet, so that no child can be held");
    }
    return undecided(server, "a silent client is not accepted");
}

void until_reaped(Server& server) {
    constexpr std::chrono::milliseconds SHORT(300);
    constexpr std::chrono::milliseconds LONG(2500);  // longer than two timeouts of a second, a common value
    const bool waits_for_events = !server.waits_in_accept() && !server.waits_for_a_child();
    server.until([&] { return server.zombies().empty(); }, waits_for_events ? LONG : SHORT);
}

Needs::Needs(const Program& program) {
    Server server(program);
    for (const proc::Process& process : server.alive()) processes += proc::threads(process.pid).size();
    for (const proc::Descriptor& descriptor : proc::descriptors(server.acceptor())) descriptors = descriptor.number + 1;
}

void forbid_processes(pid_t pid) {
    const uid_t user = proc::user_of(pid).value_or(getuid());
    const pid_t helper = net::check("fork", fork());
    if (helper == 0) {
        rlimit limit = {};
        const bool is_done = setresuid(user, user, user) == 0 && prlimit(pid, RLIMIT_NPROC, nullptr, &limit) == 0 &&
                             (limit.rlim_cur = 0, prlimit(pid, RLIMIT_NPROC, &limit, nullptr)) == 0;
        _exit(is_done ? 0 : errno);
    }
    int status = 0;
    net::check("waitpid", waitpid(helper, &status, 0));
    if (status != 0) throw std::system_error(WEXITSTATUS(status), std::generic_category(), "prlimit");
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
