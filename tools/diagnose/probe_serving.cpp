// Behaviours that a client sees: the answer, whether other clients are served meanwhile, the end of the connection.
#include <signal.h>
#include <sys/types.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../proc/process.hpp"
#include "../proc/tcp.hpp"
#include "clients.hpp"
#include "probes.hpp"

namespace diagnose {

using std::to_string;

namespace {

/// The beginning of `text`, on one line.
std::string in_quotes(std::string_view text) {
    constexpr std::size_t MOST = 80;
    std::string line = "\"";
    for (const char byte : text.substr(0, MOST)) {
        if (byte == '\r') line += "\\r";
        else if (byte == '\n') line += "\\n";
        else line += static_cast<unsigned char>(byte) < ' ' ? '?' : byte;
    }
    return line + (text.size() > MOST ? "\"…" : "\"");
}

/// The process that serves a client, identified before the client sends its request. Only a sleep of this process is
/// the server's SLEEP.
struct Serving {
    /// Connects a client and finds out which process holds its connection.
    Serving(Server& watched, const Nature& nature, Clients& clients)
        : server(watched),
          holder(hold(watched, clients)),
          is_known(nature.kind != Kind::forks_late && holder.pid != -1) {}

    /// The pid of the process, or the id of the thread, that sleeps; -1 when none does.
    pid_t sleeper() const {
        if (is_known) return holder.sleeper();
        const std::string program = proc::executable(server.acceptor());
        for (const proc::Process& process : server.alive()) {
            if (proc::sleeps(process.pid) && proc::executable(process.pid) == program) return process.pid;
        }
        return -1;
    }

    Server& server;
    Holder holder;
    bool is_known;  // whether the process that will answer is known
};

/// The rule that explains why an answer is wrong.
std::string rule_behind(const Server& server, const std::string& answer) {
    const bool is_ignored = proc::signal_state(server.acceptor(), SIGCHLD).disposition == proc::Disposition::ignored;
    if (!harness::is_whole(answer)) return harness::is_http(answer) ? "" : "it does not speak HTTP (RFC 9112, 2.1)";
    if (answer.substr(8, 2) != " 5") return "";
    if (is_ignored) {
        return "it ignores SIGCHLD, and so do its children: system(3) and waitpid(2) cannot tell how a program that they "
               "start has ended (ECHILD)";
    }
    return "the status 5xx says that the server has failed (RFC 9110, 15.6)";
}

/// The status line, unless it reports a failure of the server.
std::string status_of(const std::string& answer) {
    if (!harness::is_whole(answer) || answer.substr(8, 2) == " 5") return "";
    return answer.substr(0, std::min(answer.find('\r'), answer.find('\n')));
}

}  // namespace

Finding answers(const Subject& subject) {
    Server server(patient(subject.program));
    Clients clients;
    if (connect(server, clients)) ask(server, clients.front());
    const std::string answer = clients.empty() ? "" : clients.front().received();
    if (is_page(answer)) return yes("200 OK and the page");
    if (server.has_ended()) return no(server.exit_report());
    if (clients.empty()) return no("nobody can connect any more");
    if (answer.empty())
        return no(clients.front().has_ended() ? ended_unanswered(server) : "no answer: " + server.state());
    const std::string status = status_of(answer);
    if (answer.size() > 12 && status.size() >= 12 && answer[9] != '2') {
        return yes("it answered " + in_quotes(status) + " to a request for " + subject.program.path);
    }
    return {Answer::no, "it answered " + in_quotes(answer), rule_behind(server, answer)};
}

Finding concurrent(const Subject& subject) {
    if (without_place(subject.nature)) return no(subject.nature.unanswered);
    Server server(patient(subject.program));
    Clients clients;
    const Place first = hold(server, clients).place;
    if (server.has_ended()) return no("when a client had connected, " + server.exit_report());
    if (first == Place::moving || first == Place::in_the_queue) return undecided(server, "no client is taken");
    const Place second = hold(server, clients).place;
    if (second == Place::in_the_queue) {
        return no(server.state() + " for a silent client, and the next one is in the accept queue");
    }
    if (clients.size() < 2 || !ask(server, clients.back())) return unanswered(server, clients);
    return yes(first == Place::disconnected ? "it hung up on a silent client, and served the next"
                                            : "served while another client stayed silent");
}

Finding sleeps_before_closing(const Subject& subject) {
    if (std::optional<Finding> none = without_answer(subject.nature)) return *none;
    Server server(patient(subject.program).with("SLEEP", "60"));
    Clients clients;
    const Serving serving(server, subject.nature, clients);
    if (clients.empty()) return unanswered(server, clients);
    Client& client = clients.front();
    if (!ask(server, client)) {
        if (serving.sleeper() == -1) return unanswered(server, clients);
        return no("it sleeps before it answers, not before it closes the connection");
    }
    bool sleeping = false;
    bool quiet = false;
    server.until([&] {
        return (sleeping = server.stays([&] { return serving.sleeper() != -1; })) || client.has_ended() ||
               (quiet = server.stays([&] { return server.is_at_rest(); }));
    });
    if (sleeping && !client.has_ended()) return yes("it has answered, and sleeps while the client waits for the end");
    if (client.has_ended()) return no("the connection ended with the answer");
    return quiet ? no("it waits for the next client") : undecided(server, "the connection goes on");
}

Finding closes(const Subject& subject) {
    if (std::optional<Finding> none = without_answer(subject.nature)) return *none;
    Server server(patient(subject.program));
    Clients clients;
    const Serving serving(server, subject.nature, clients);
    if (clients.empty() || !ask(server, clients.front())) return unanswered(server, clients);
    const Client& client = clients.front();
    std::vector<pid_t> holders;
    const auto is_kept = [&] {
        holders = server.holders_of(client);
        const auto is_blocked = [](pid_t pid) { return !proc::blocked_in(pid).empty(); };
        return serving.sleeper() == -1 && server.has_noticed_exits() && server.is_ready() && server.is_asleep() &&
               !holders.empty() && std::all_of(holders.begin(), holders.end(), is_blocked);
    };
    const bool is_known = server.until([&] { return client.has_ended() || server.stays(is_kept); });
    if (client.has_ended()) return yes("the client has seen the end of the connection");
    if (!is_known) return undecided(server, "the connection goes on");
    return no("the client is served, but pid " + to_string(holders.front()) + " still holds the connection");
}

Finding slow_request(const Subject& subject) {
    if (std::optional<Finding> none = without_answer(subject.nature)) return *none;
    Server server(patient(subject.program));
    Clients clients;
    if (!connect(server, clients)) return unanswered(server, clients);
    Client& client = clients.front();
    const std::string request = request_for(subject.program);
    const std::size_t half = request.find("Host") + 2;
    const auto is_read = [&] {
        const auto connection = proc::loopback_connection(server.port(), client.port());
        return !connection || (connection->inode != 0 && connection->unread == 0);
    };
    const std::size_t sent = request.size() - rest_of_request(subject.program).size();
    client.send(request.substr(sent, half - sent));
    const bool is_received = server.until([&] { return client.has_ended() || is_read(); });
    server.until([&] { return client.has_ended() || server.is_asleep(); });
    if (!client.has_ended()) client.send(request.substr(half));
    server.until([&] {
        return harness::is_whole(client.received()) || client.has_ended() || !harness::is_http(client.received());
    });
    const std::string answer = client.received();
    if (server.has_ended() && answer.empty()) return no("when a request came in two pieces, " + server.exit_report());
    const bool is_same = !answer.empty() && answer.starts_with(subject.nature.status);
    if (is_page(answer) || is_same) {
        return yes("a request that came in two pieces was answered");
    }
    if (!answer.empty()) return no("to a request in two pieces it answered " + in_quotes(answer));
    if (client.has_ended()) return no("it ended the connection of a client that had sent half of its request");
    return {Answer::no, "a request in two pieces gets no answer: " + server.state(),
            is_received ? "" : "it has not received the first piece"};
}

}  // namespace diagnose
