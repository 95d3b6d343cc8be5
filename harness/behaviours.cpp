#include "behaviours.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <deque>
#include <ostream>

#include "../proc/tcp.hpp"
#include "client.hpp"
#include "server.hpp"

namespace harness {
namespace {

Finding yes(std::string evidence) { return {Answer::yes, std::move(evidence)}; }
Finding no(std::string evidence) { return {Answer::no, std::move(evidence)}; }
Finding not_applicable(std::string evidence) { return {Answer::not_applicable, std::move(evidence)}; }
Finding undecided(Server& server) { return {Answer::undecided, server.describe()}; }

/// "it exited with 1: step_e: accept: Interrupted system call"
std::string death_of(Server& server) {
    std::string last_words = server.err();
    if (last_words.ends_with('\n')) last_words.pop_back();
    return "it " + server.fate() + (last_words.empty() ? "" : ": " + last_words);
}

/// Clients that were connected and stay silent.
using Clients = std::deque<Client>;

/// Whether the server is done with `count` silent clients as far as it can be: each has its own child, which waits for
/// it, and the acceptor waits for the next; or it has no children, and waits for the first.
bool has_taken(const Server& server, std::size_t count) {
    if (server.waits_in_recv()) return true;
    const std::vector<proc::Process> children = server.children();
    return children.size() >= count && server.waits_in_accept() &&
           std::all_of(children.begin(), children.end(),
                       [](const proc::Process& child) { return waits_for_bytes(child.pid); });
}

/// Connects one more silent client. Returns false when the server refuses, since it is ending.
bool connect(Server& server, Clients& clients) {
    try {
        clients.emplace_back(server.port());
        return true;
    } catch (const std::system_error&) {
        server.until_ended();
        return false;
    }
}

/// Connects one more silent client, and waits until it is taken, by a child or by the server itself. Returns false when
/// the server has ended of it.
bool hold(Server& server, Clients& clients) {
    return connect(server, clients) && server.until([&] { return has_taken(server, clients.size()); });
}

/// Whether one client asks, is answered, and the server, all its children exited, waits for the next one.
bool serve(Server& server, Client& client) {
    return client.ask() && client.receive(PAGE.size()) == PAGE && server.until([&] { return server.is_quiet(); });
}

/// Shows the server `count` clients: where each has its child, they are held in `clients` all at once, otherwise they
/// are served one after the other. Returns whether it has lived through them all.
bool show_clients(Server& server, Clients& clients, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        if (!hold(server, clients)) return false;
        if (!server.waits_in_recv()) continue;
        if (!serve(server, clients.front())) return false;
        clients.clear();
    }
    return true;
}

/// Whether a process of the server sleeps of its own will.
bool someone_sleeps(const Server& server) {
    std::vector<proc::Process> all = proc::descendants(server.acceptor());
    all.push_back({server.acceptor(), 0, '?', ""});
    return std::any_of(all.begin(), all.end(), [](const proc::Process& one) {
        const std::string call = proc::blocked_in(one.pid);
        return call == "nanosleep" || call == "clock_nanosleep";
    });
}

/// Where a child exits and the server has no other: holds a client until it has its own child, lets it ask, and waits
/// until the server has taken notice of the child's end, or has ended itself.
struct LoneExit {
    explicit LoneExit(const Program& program) : server(program.with("SLEEP", "0")), client(server.port()) {
        if (!server.until([this] { return has_taken(server, 1); })) return;
        const std::vector<proc::Process> children = server.children();
        if (children.empty()) return;
        child = children.front().pid;
        client.ask();
        settled = server.until([this] { return server.is_quiet(); }) || server.has_ended();
    }
    Server server;
    Client client;
    pid_t child = -1;  // -1: it has none
    bool settled = false;
};

Finding no_children() { return not_applicable("it has no child for the client, but serves it itself"); }

}  // namespace

std::ostream& operator<<(std::ostream& out, Answer answer) {
    const char* const words[] = {"yes", "no", "-", "undecided"};
    return out << words[static_cast<int>(answer)];
}

std::ostream& operator<<(std::ostream& out, const Finding& finding) {
    return out << finding.answer << " (" << finding.evidence << ')';
}

Finding answers(const Program& program) {
    Server server(program.with("SLEEP", "0"));
    Client client(server.port());
    client.ask();
    const std::string answer = client.receive(PAGE.size());
    if (answer == PAGE) return yes("200 OK and the page");
    return no("it answered \"" + answer + "\"\n" + server.describe());
}

Finding concurrent(const Program& program) {
    Server server(program.with("SLEEP", "0"));
    Clients silent;
    if (!hold(server, silent)) return undecided(server);
    Client second(server.port());
    second.ask();
    server.until([&] { return second.has_answer() || (server.waits_in_recv() && server.queued() > 0); });
    if (second.has_answer()) return yes("served while another client stayed silent");
    if (!server.waits_in_recv()) return undecided(server);
    return no("it waits in recv for a silent client, and the next one is in the accept queue");
}

Finding rests(const Program& program) {
    Server server(program.with("SLEEP", "60"));
    Client client(server.port());
    client.ask();
    client.receive(PAGE.size());
    bool sleeping = false;
    server.until([&] { return (sleeping = someone_sleeps(server)) || client.has_ended() || server.is_quiet(); });
    if (sleeping && !client.has_ended()) return yes("it has answered, and sleeps while the client waits for the end");
    if (client.has_ended()) return no("the connection has ended");
    return server.is_quiet() ? no("it waits for the next client") : undecided(server);
}

Finding hangs_up(const Program& program) {
    Server server(program.with("SLEEP", "0"));
    Client client(server.port());
    client.ask();
    client.receive(PAGE.size());
    std::uint64_t still_open = 0;
    server.until([&] {
        if (client.has_ended()) return true;
        if (!server.is_quiet()) return false;
        const auto connection = proc::loopback_connection(server.port(), client.port());
        still_open = connection ? connection->inode : 0;
        return still_open != 0 && server.holds(still_open);
    });
    if (client.has_ended()) return yes("the client has seen the end of the connection");
    if (still_open == 0) return undecided(server);
    return no("the client is served, but pid " + std::to_string(server.acceptor()) + " still holds the connection");
}

Finding flat_descriptors(const Program& program) {
    Server server(program.with("SLEEP", "0"));
    if (!server.until([&] { return server.waits_in_accept(); })) return undecided(server);
    const std::size_t before = server.sockets();
    Clients clients;
    if (!show_clients(server, clients, 20)) return undecided(server);
    const std::size_t after = server.sockets();
    const std::string evidence = std::to_string(before) + " before, " + std::to_string(after) + " after twenty clients";
    return after > before ? no(evidence) : yes(evidence);
}

Finding descriptor_limit(const Program& program) {
    Program limited = program.with("SLEEP", "0");
    limited.max_descriptors = 16;
    Server server(limited);
    Clients clients;
    if (show_clients(server, clients, 24)) return yes("24 clients, with 16 descriptors allowed");
    return server.has_ended() ? no(death_of(server)) : undecided(server);
}

Finding child_lets_go(const Program& program) {
    Server server(program.with("SLEEP", "0"));
    Clients silent;
    if (!hold(server, silent)) return undecided(server);
    if (server.waits_in_recv()) return no_children();
    const std::vector<proc::Process> children = server.children();
    if (children.empty()) return undecided(server);
    for (const proc::Descriptor& one : proc::descriptors(children.front().pid)) {
        if (one.inode == server.listening_inode()) {
            return no("its child has the listening socket as descriptor " + std::to_string(one.number));
        }
    }
    return yes("its child, at work, has no copy of the listening socket");
}

Finding survives_sigchld(const Program& program) {
    LoneExit lone(program);
    Server& server = lone.server;
    if (server.has_ended()) return no(death_of(server));
    if (lone.child == -1 && server.waits_in_recv()) return no_children();
    Clients silent;
    if (!lone.settled || !hold(server, silent)) return undecided(server);
    Client passing(server.port());
    if (!passing.ask() || passing.receive(PAGE.size()) != PAGE) return undecided(server);
    server.until([&] { return server.is_quiet(silent.size()) || server.waits_for_a_child(); });
    Client next(server.port());
    next.ask();
    server.until([&] { return next.has_answer() || server.waits_for_a_child(); });
    if (server.has_ended()) return no(death_of(server));
    if (next.has_answer()) return yes("children exited while it waited in accept, and the next client was served");
    return server.waits_for_a_child() ? no("a child has exited, and it waits for another one that has not")
                                      : undecided(server);
}

Finding reaps_one(const Program& program) {
    LoneExit lone(program);
    if (lone.child == -1 && lone.server.waits_in_recv()) return no_children();
    if (!lone.settled) return undecided(lone.server);
    const bool left = lone.server.has_ended() ? !lone.server.left_zombies().empty() : !lone.server.zombies().empty();
    const std::string who = "its child " + std::to_string(lone.child);
    if (left) return no(who + " has exited and is a zombie: nobody waited for it");
    return yes(who + " has exited and is gone" + (lone.server.has_ended() ? ", but " + death_of(lone.server) : ""));
}

Finding reaps_many(const Program& program) {
    constexpr std::size_t COUNT = 16;
    Server server(program.with("SLEEP", "0"));
    Clients clients;
    while (clients.size() < COUNT) {
        if (!hold(server, clients)) return undecided(server);
        if (server.waits_in_recv()) return no_children();
    }
    kill(server.acceptor(), SIGSTOP);
    if (!server.until([&] { return server.is_stopped(); })) return undecided(server);
    for (const Client& client : clients) client.ask();
    if (!server.until([&] { return server.zombies().size() == COUNT; })) return undecided(server);
    kill(server.acceptor(), SIGCONT);
    const bool settled = server.until([&] { return server.is_quiet(); });
    if (server.has_ended()) return not_applicable("the first of them ended it: " + death_of(server));
    if (!settled) return undecided(server);
    const std::string evidence = std::to_string(COUNT) + " children exited together, ";
    const std::size_t zombies = server.zombies().size();
    if (zombies == 0) return yes(evidence + "all are gone");
    return no(evidence + std::to_string(zombies) + " are zombies");
}

Finding process_limit(const Program& program) {
    constexpr std::size_t LIMIT = 16;
    Program limited = program.with("SLEEP", "0");
    limited.max_processes = LIMIT;
    Server server(limited);
    for (std::size_t exits = 0; exits < 2 * LIMIT; ++exits) {
        Clients client;
        if (hold(server, client)) {
            if (server.waits_in_recv()) return no_children();
            if (serve(server, client.front())) continue;
        }
        if (!server.has_ended()) return undecided(server);
        if (exits == 0) return not_applicable("the first exit ended it: " + death_of(server));
        return no("after " + std::to_string(exits) + " exits " + death_of(server));
    }
    return yes(std::to_string(2 * LIMIT) + " exits, with " + std::to_string(LIMIT) + " processes allowed");
}

Finding sheds_load(const Program& program) {
    constexpr std::size_t LIMIT = 16;
    Program limited = program.with("SLEEP", "0");
    limited.max_processes = LIMIT;
    Server server(limited);
    Clients clients;
    std::size_t refused = 0;  // told so, or hung up on
    for (std::size_t i = 0; i < 2 * LIMIT; ++i) {
        const bool seen = connect(server, clients) && server.until([&] {
            return has_taken(server, clients.size()) || (clients.back().has_ended() && server.waits_in_accept());
        });
        if (server.has_ended()) return no("with " + std::to_string(i) + " live clients " + death_of(server));
        if (!seen) return undecided(server);
        if (server.waits_in_recv()) return no_children();
        if (!clients.back().has_ended()) continue;
        clients.pop_back();
        ++refused;
    }
    if (refused == 0) return undecided(server);
    clients.clear();
    if (!server.until([&] { return server.is_quiet(); })) return undecided(server);
    Client next(server.port());
    if (!serve(server, next)) return undecided(server);
    return yes("it refused " + std::to_string(refused) + " of " + std::to_string(2 * LIMIT) +
               " live clients, and went on");
}

Finding drops_the_silent(const Program& program) {
    const std::chrono::milliseconds timeout(200);
    Server server(program.with("SLEEP", "0").with("TIMEOUT", "0.2"));
    Client silent(server.port());
    if (!server.until([&] { return silent.has_ended() || has_taken(server, 1); })) return undecided(server);
    if (server.until([&] { return silent.has_ended(); }, 10 * timeout)) return yes("it has let go of a silent client");
    if (server.has_ended()) return undecided(server);
    return no("after ten times its TIMEOUT it still waits for a silent client");
}

Finding stops_gracefully(const Program& program) {
    Server server(program.with("SLEEP", "0"));
    Clients clients;
    if (!hold(server, clients)) return undecided(server);
    kill(server.acceptor(), SIGTERM);
    // until it has ended, or is alive and listens no more, or has taken no notice
    server.until([&] {
        return !proc::is_pending(server.acceptor(), SIGTERM) &&
               (server.waits_in_accept() || (!server.is_listening() && server.is_asleep()));
    });
    if (server.has_ended()) return no("while a client was being served, " + death_of(server));
    if (server.is_listening()) return no("it goes on to accept after SIGTERM");
    clients.front().ask();
    if (clients.front().receive(PAGE.size()) != PAGE) return no("it lost the answer of a client that it was serving");
    if (!server.until_ended()) return undecided(server);
    const int status = *server.status();
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? yes("it finished its client and exited with 0")
                                                         : no(death_of(server));
}

}  // namespace harness
