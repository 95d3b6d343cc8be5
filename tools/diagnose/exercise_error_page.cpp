// Exercises 9 and 12: what does a client receive for which the server can have no process?
#include <signal.h>

#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>

#include "../proc/process.hpp"
#include "clients.hpp"
#include "exercise_probes.hpp"
#include "probes.hpp"
#include "utf8.hpp"

namespace diagnose {
namespace {

/// How the connection of a client ends.
enum class End { closed, reset, open };

/// The status line, and all behind the empty line (RFC 9112, 2.1).
struct Answered {
    std::string status_line;
    std::string page;
};

Answered parts_of(const std::string& answer) {
    constexpr std::size_t MOST_SHOWN = 60;
    std::string text = answer;
    for (std::size_t at = 0; (at = text.find("\r\n", at)) != std::string::npos;) text.erase(at, 1);
    const std::size_t head_end = text.find("\n\n");
    const std::string line = valid_utf8(text.substr(0, text.find('\n')));
    return {std::string(first_characters(line, MOST_SHOWN)),
            head_end == std::string::npos ? "" : text.substr(head_end + 2)};
}

/// Whether it says that the server has failed: "HTTP/1.1 503 …" (RFC 9110, 15.6).
bool is_server_error(std::string_view line) {
    const auto is_digit = [&](std::size_t at) { return std::isdigit(static_cast<unsigned char>(line[at])) != 0; };
    return line.size() >= 12 && (line.starts_with("HTTP/1.0 5") || line.starts_with("HTTP/1.1 5")) && is_digit(10) &&
           is_digit(11) && (line.size() == 12 || !std::isalnum(static_cast<unsigned char>(line[12])));
}

/// Whether what a client has received is an error page.
Finding judge_answer(const std::string& answer, End end) {
    const auto [line, page] = parts_of(answer);
    const std::string told = "the client that is too many was told \"" + line + '"';
    if (answer.empty()) {
        return {Answer::no, "the client that is too many was disconnected without an answer",
                "503 is meant for it (RFC 9110, 15.6.4)"};
    }
    if (!is_server_error(line)) return {Answer::no, told, "that is no error of a server: its status is 5xx"};
    if (page.empty()) return {Answer::no, told + ", and no page came", "a head, an empty line, a page"};
    if (end == End::reset) {
        return {Answer::no, "it was told \"" + line + "\", but by a connection that was reset",
                "close resets when there are unread bytes"};
    }
    if (end == End::open) {
        return {Answer::no, "it was told \"" + line + "\", but not the end",
                "a connection ends when its last descriptor is closed"};
    }
    return yes(told + ", and a page");
}

/// A client asks a server that may start no process, and has sent its request before it is accepted.
Finding answer_without_process(Server& server) {
    forbid_processes(server.acceptor());
    kill(server.acceptor(), SIGSTOP);
    if (!server.until([&] { return server.is_stopped(); })) return undecided(server, "it cannot be stopped");
    Clients clients;
    if (!connect(server, clients)) return undecided(server, "nobody can connect");
    Client& client = clients.front();
    client.ask();
    kill(server.acceptor(), SIGCONT);
    server.until([&] { return client.has_ended(); });
    const bool has_ended = client.has_ended();
    const std::string answer = has_ended ? client.receive_all() : client.received();
    const End end = !has_ended ? End::open : client.was_reset() ? End::reset : End::closed;
    server.until([&] { return server.is_asleep(); });
    if (server.has_ended()) {
        const bool is_fork = server.last_error_line().find("recv") == std::string::npos;
        return {
            Answer::no, "when fork failed, " + server.exit_report(),
            is_fork ? "fork fails when there are too many (EAGAIN)" : "recv may fail, too: that must end no server"};
    }
    if (answer.empty() && end == End::open) {
        const std::string call = proc::blocked_in(server.acceptor());
        return {Answer::no,
                "the client that is too many gets no answer: the server is " +
                    (call.empty() ? "running all the time" : "asleep in " + call),
                "meanwhile it accepts no clients, and all of them wait"};
    }
    return judge_answer(answer, end);
}

}  // namespace

Findings error_page(const Solution& solution) {
    Server server(patient(solution.server));
    Clients clients;
    const Holder holder = hold(server, clients);
    if (server.has_ended()) return {{"error page", no("with one client, " + server.exit_report())}};
    const bool has_child = holder.place == Place::with_a_child || holder.place == Place::disconnected;
    if (!has_child) return {{"error page", without_child(server, clients, holder)}};
    return {{"error page", answer_without_process(server)}};
}

}  // namespace diagnose
