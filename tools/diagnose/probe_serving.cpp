// Behaviours that a client sees: the answer, who else is served meanwhile, the end of the connection.
#include <sys/types.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "../proc/process.hpp"
#include "clients.hpp"
#include "probes.hpp"

namespace diagnose {

using std::to_string;

namespace {

/// `text` in one line, as far as it fits there.
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

}  // namespace

Finding answers(const Program& program) {
    Server server(patient(program));
    Clients clients;
    if (connect(server, clients)) ask(server, clients.front());
    const std::string answer = clients.empty() ? "" : clients.front().received();
    if (is_page(answer)) return yes("200 OK and the page");
    if (server.has_ended()) return no(server.death());
    if (clients.empty()) return no("nobody can connect any more");
    if (answer.empty()) return no(clients.front().has_ended() ? ENDED_UNANSWERED : "no answer: " + server.state());
    return no("it answered " + in_quotes(answer));
}

Finding concurrent(const Program& program) {
    Server server(patient(program));
    Clients clients;
    const Place first = hold(server, clients).place;
    if (first == Place::moving || first == Place::in_the_queue) return undecided(server, "no client is taken");
    const Place second = hold(server, clients).place;
    if (second == Place::in_the_queue) {
        return no(server.state() + " for a silent client, and the next one is in the accept queue");
    }
    if (clients.size() < 2 || !ask(server, clients.back())) return unanswered(server, clients);
    return yes(first == Place::let_go ? "it hung up on a silent client, and served the next"
                                      : "served while another client stayed silent");
}

Finding sleeps_before_closing(const Program& program) {
    Server server(patient(program).with("SLEEP", "60"));
    Clients clients;
    if (!connect(server, clients) || !ask(server, clients.front())) return unanswered(server, clients);
    const Client& client = clients.front();
    const auto someone_sleeps = [&] {
        const std::vector<proc::Process> all = server.alive();
        return std::any_of(all.begin(), all.end(), [](const proc::Process& one) { return proc::sleeps(one.pid); });
    };
    bool sleeping = false;
    bool quiet = false;
    server.until([&] { return (sleeping = someone_sleeps()) || client.has_ended() || (quiet = server.is_quiet()); });
    if (sleeping && !client.has_ended()) return yes("it has answered, and sleeps while the client waits for the end");
    if (client.has_ended()) return no("the connection ended with the answer");
    return quiet ? no("it waits for the next client") : undecided(server, "the connection goes on");
}

Finding closes(const Program& program) {
    Server server(patient(program));
    Clients clients;
    if (!connect(server, clients) || !ask(server, clients.front())) return unanswered(server, clients);
    const Client& client = clients.front();
    std::vector<pid_t> holders;
    const auto is_kept = [&] { return server.is_quiet() && !(holders = server.holders_of(client)).empty(); };
    const bool is_known = server.until([&] { return client.has_ended() || server.stays(is_kept); });
    if (client.has_ended()) return yes("the client has seen the end of the connection");
    if (!is_known) return undecided(server, "the connection goes on");
    return no("the client is served, but pid " + to_string(holders.front()) + " still holds the connection");
}

}  // namespace diagnose
