#include "probes.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <deque>
#include <ostream>
#include <system_error>

#include "../harness/client.hpp"
#include "../harness/server.hpp"
#include "../proc/process.hpp"

namespace harness {
namespace {

using std::to_string;

Finding yes(std::string evidence) { return {Answer::yes, std::move(evidence)}; }
Finding no(std::string evidence) { return {Answer::no, std::move(evidence)}; }
Finding not_applicable(std::string evidence) { return {Answer::not_applicable, std::move(evidence)}; }

/// Neither yes nor no: `what` did not happen, and this is how far the server has come.
Finding undecided(Server& server, const std::string& what) {
    const std::vector<proc::Process> all = server.alive();
    const auto sleeper =
        std::find_if(all.begin(), all.end(), [](const proc::Process& one) { return proc::sleeps(one.pid); });
    if (sleeper == all.end()) return {Answer::undecided, what + ": " + server.state()};
    return {Answer::undecided, what + ": pid " + to_string(sleeper->pid) + " sleeps, and hides the rest"};
}

constexpr const char* ENDED_UNANSWERED = "it ended the connection without an answer";

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

// ---- clients, and where they are ----------------------------------------------------------------

/// The program, told to let no client wait and to bear with those who are silent, however slow the machine is.
Program patient(const Program& program) { return program.with("SLEEP", "0").with("TIMEOUT", "600"); }

/// Clients that were connected and stay silent.
using Clients = std::deque<Client>;

/// Connects one more client. Returns false when the server refuses, since it is ending.
bool connect(Server& server, Clients& clients) {
    try {
        clients.emplace_back(server.port());
        return true;
    } catch (const std::system_error&) {
        server.until_ended();
        return false;
    }
}

/// Where a client is held.
struct Held {
    Place place = Place::moving;
    pid_t by = -1;  ///< the process that has its connection, the child before others; -1: none
};

/// Connects one more silent client and waits until it has found its place.
Held hold(Server& server, Clients& clients) {
    Held held;
    if (!connect(server, clients)) return held;
    const Client& client = clients.back();
    // Who waits for events is for a moment seen asleep beside a queue that is not empty.
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

/// Sends the request and waits for the page; or for whatever else the server has to say before it hangs up. Returns
/// whether there was an answer.
bool ask(Server& server, Client& client) {
    client.ask();
    server.until([&] { return is_page(client.received()) || client.has_ended(); });
    if (is_page(client.received())) return true;
    if (client.has_ended()) server.until([&] { return server.is_asleep(); });  // or has ended: that was why
    return client.has_ended() && !client.received().empty();
}

/// Waits until a child that has been asked has exited. One that sleeps before that is killed: to its parent that is an
/// exit like another.
bool until_exit(Server& server, pid_t child) {
    const auto has_exited = [=] {
        const std::optional<proc::Process> process = proc::process(child);
        return !process || process->is_zombie();
    };
    if (!server.until([&] { return has_exited() || proc::sleeps(child); })) return false;
    if (proc::sleeps(child)) kill(child, SIGKILL);
    return eventually(has_exited, server.program().patience);
}

/// Neither yes nor no, since the last client has asked, and got no answer.
Finding unanswered(Server& server, const Clients& clients) {
    if (clients.empty() || server.has_ended() || !clients.back().has_ended()) return undecided(server, "no answer");
    return {Answer::undecided, ENDED_UNANSWERED};
}

/// Has the client served that is `held`. Whether it got its answer, and the server is ready for the next client.
bool serve(Server& server, Client& client, const Held& held) {
    if (!ask(server, client)) return false;
    if (held.place == Place::with_a_child && !until_exit(server, held.by)) return false;
    return server.until([&] { return server.is_quiet(); });
}

/// Shows the server `count` clients: where each has its child, they are held in `clients` all at once, otherwise they
/// are served one after the other. Returns whether it has lived through them all.
bool show_clients(Server& server, Clients& clients, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const Held held = hold(server, clients);
        if (held.place == Place::with_a_child) continue;
        if (held.place == Place::with_the_server && !serve(server, clients.back(), held)) return false;
        if (held.place == Place::moving || held.place == Place::in_the_queue) return false;
        clients.pop_back();
    }
    return true;
}

/// What takes care of a client, where no child does.
std::string server_in_words(Server& server, Clients& clients, const Held& held) {
    const std::vector<pid_t> threads = proc::threads(held.by);
    const auto waits = [](pid_t thread) { return waits_for_bytes(thread); };
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

/// What to say about children when a silent client has none.
Finding without_child(Server& server, Clients& clients, const Held& held) {
    if (held.place == Place::with_the_server) return not_applicable(server_in_words(server, clients, held));
    if (held.place == Place::let_go) {
        return {Answer::undecided, "it hangs up on a client that has not asked yet, so that no child can be held"};
    }
    return undecided(server, "a silent client is not taken care of");
}

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

/// Waits for the zombies to go, where the server may wake up of its own accord and see to them. Out of accept only a
/// timeout or an alarm would wake it, which nobody sees from outside: a short one is waited for.
void until_reaped(Server& server) {
    constexpr std::chrono::milliseconds SHORT(300);
    server.until([&] { return server.zombies().empty(); },
                 server.waits_in_accept() ? SHORT : server.program().patience);
}

/// What a program needs before its first client, to set limits by.
struct Needs {
    explicit Needs(const Program& program) {
        Server server(program);
        for (const proc::Process& one : server.alive()) processes += proc::threads(one.pid).size();
        for (const proc::Descriptor& one : proc::descriptors(server.acceptor())) descriptors = one.number + 1;
    }
    std::size_t processes = 0;  ///< threads are counted as such (getrlimit(2))
    int descriptors = 0;
};

/// The program with room for 15 children, no more; one process besides makes 16.
Program with_few_processes(const Program& program) {
    Program limited = patient(program);
    limited.max_processes = Needs(limited).processes + 15;
    return limited;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, Answer answer) {
    const char* const words[] = {"yes", "no", "–", "?"};
    return out << words[static_cast<int>(answer)];
}

std::ostream& operator<<(std::ostream& out, const Finding& finding) {
    return out << finding.answer << " (" << finding.evidence << ')';
}

// ---- the behaviours -----------------------------------------------------------------------------

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

Finding rests(const Program& program) {
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

Finding hangs_up(const Program& program) {
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

Finding flat_descriptors(const Program& program) {
    constexpr std::size_t COUNT = 20;
    Server server(patient(program));
    const std::size_t before = server.sockets();
    Clients clients;
    if (!show_clients(server, clients, COUNT)) return undecided(server, "not all of twenty clients were served");
    server.until([&] { return server.sockets() <= before || server.is_quiet(clients.size()); });
    const bool more = server.stays([&] { return server.sockets() > before; });
    const std::string evidence =
        to_string(before) + " before, " + to_string(server.sockets()) + " after twenty clients";
    return more ? no(evidence) : yes(evidence);
}

Finding descriptor_limit(const Program& program) {
    Program limited = patient(program);
    const int limit = std::max(16, Needs(limited).descriptors + 8);
    limited.max_descriptors = static_cast<rlim_t>(limit);
    Server server(limited);
    Clients clients;
    const std::string allowed = ", with " + to_string(limit) + " descriptors allowed";
    if (!show_clients(server, clients, 1)) return undecided(server, "the first client was not served");
    if (show_clients(server, clients, static_cast<std::size_t>(limit) + 7)) {
        return yes(to_string(limit + 8) + " clients" + allowed);
    }
    return server.has_ended() ? no(to_string(clients.size()) + " clients" + allowed + ": " + server.death())
                              : undecided(server, "not all clients were served");
}

Finding child_lets_go(const Program& program) {
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

namespace {
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

Finding reaps_many(const Program& program) {
    Finding first = reaps_burst(program, 16);
    if (first.answer != Answer::yes) return first;
    Finding more = reaps_burst(program, 24);  // whoever waits for a number of children does not wait for all
    return more.answer == Answer::no ? more : first;
}

Finding process_limit(const Program& program) {
    const Program limited = with_few_processes(program);
    const std::size_t limit = *limited.max_processes;
    Server server(limited);
    for (std::size_t exits = 0; exits < 2 * limit; ++exits) {
        Clients clients;
        const Held held = hold(server, clients);
        const std::string evidence =
            "after " + to_string(exits) + " exits, with " + to_string(limit) + " processes allowed, ";
        if (exits > 0 && held.place == Place::let_go) return no(evidence + "it sends the next client away");
        if (held.place != Place::with_a_child && (exits == 0 || !server.has_ended())) {
            return without_child(server, clients, held);
        }
        if (!server.has_ended() && serve(server, clients.back(), held)) continue;
        if (!server.has_ended()) return undecided(server, "it has not come to rest");
        if (exits == 0) return not_applicable("the first exit ended it: " + server.death());
        return no(evidence + server.death());
    }
    return yes(to_string(2 * limit) + " exits, with " + to_string(limit) + " processes allowed");
}

Finding sheds_load(const Program& program) {
    const Program limited = with_few_processes(program);
    const std::size_t limit = *limited.max_processes;
    Server server(limited);
    Clients clients;
    std::size_t with_children = 0;
    std::size_t refused = 0;  // told so, or hung up on
    for (std::size_t i = 0; i < 2 * limit; ++i) {
        const Held held = hold(server, clients);
        if (server.has_ended() && i > 0) {
            return no("with " + to_string(i) + " live clients, and " + to_string(limit) + " processes allowed, " +
                      server.death());
        }
        if (held.place == Place::in_the_queue && with_children > 0) break;  // it lets the others wait
        if (held.place == Place::with_a_child) ++with_children;
        else if (held.place == Place::let_go && with_children > 0) ++refused;
        else if (held.place == Place::with_the_server && with_children > 0) {
            return not_applicable("with " + to_string(i) + " live clients, and " + to_string(limit) +
                                  " processes allowed, it keeps the next one itself: " + server.state());
        } else return without_child(server, clients, held);
    }
    if (with_children == 2 * limit) return undecided(server, "the limit does not hold for it");
    const std::string evidence = "it had " + to_string(with_children) + " live clients, " +
                                 (refused > 0 ? "sent " + to_string(refused) + " away" : "let the next ones wait");
    clients.clear();
    Clients next;
    const bool is_quiet = server.until([&] { return server.is_quiet(); });
    until_reaped(server);
    if (is_quiet && connect(server, next) && ask(server, next.front())) return yes(evidence + ", and went on");
    if (server.has_ended()) return no(evidence + ", and then " + server.death());
    if (is_quiet && !next.empty() && next.front().has_ended())
        return no(evidence + ", and when all had left, the next one as well");
    return undecided(server, "it has not come to rest");
}

namespace {
/// A client that stays silent, at a server that was told TIMEOUT=`seconds`.
struct Silence {
    Silence(const Program& program, const std::string& seconds)
        : told("with TIMEOUT=" + seconds),
          server(program.with("SLEEP", "0").with("TIMEOUT", seconds)),
          place(hold(server, clients).place) {}

    /// Whether the client is let go within `patience` from now on, be it by a child that outlives the server.
    bool ends_within(std::chrono::milliseconds patience) {
        const bool ends = eventually([this] { return clients.front().has_ended(); }, patience);
        lasted = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
        return ends;
    }
    /// Whether it has lasted for `least`, or its client was served without a word.
    bool is_enough(std::chrono::milliseconds least) { return lasted >= least || is_page(clients.front().received()); }

    std::string told;
    Server server;
    Clients clients;
    std::chrono::steady_clock::time_point begin =
        std::chrono::steady_clock::now();  // before it connects: the server's clock starts later
    Place place;
    std::chrono::milliseconds lasted = {};
};

Finding too_short(const Silence& silence) {
    return {Answer::no,
            silence.told + " it let go of a silent client after " + to_string(silence.lasted.count()) + " ms",
            "a client may take its time, for TIMEOUT seconds"};
}

/// Whether the server goes on when `idle` has passed without any client.
Finding outlasts(Silence& silence, std::chrono::milliseconds idle) {
    Server& server = silence.server;
    server.until([&] { return server.is_quiet(); }, 10 * idle);
    server.until([] { return false; }, idle);
    Clients clients;
    const bool is_served =
        !server.has_ended() && connect(server, clients) && (ask(server, clients.back()) || clients.back().has_ended());
    if (is_served && !server.has_ended()) return yes("it has let go of a silent client");
    return {Answer::no, silence.told + ", and no client for " + to_string(idle.count()) + " ms, " + server.state(),
            "who waits for the next client may have to wait for ever"};
}

/// Told a short TIMEOUT, it lets go of a silent client then, and of nothing else.
Finding keeps_short_timeout(const Program& program) {
    constexpr std::chrono::milliseconds TIMEOUT(200);
    Silence silence(program, "0.2");
    Server& server = silence.server;
    if (silence.place == Place::moving || silence.place == Place::in_the_queue) {
        return undecided(server, "no client is taken");
    }
    if (!silence.ends_within(10 * TIMEOUT)) {
        return no("after 2 s, " + silence.told + ", it still waits for a silent client");
    }
    if (server.has_ended()) return undecided(server, "no silent client can be held");
    if (!silence.is_enough(TIMEOUT / 2)) return too_short(silence);
    return outlasts(silence, 2 * TIMEOUT);
}
}  // namespace

Finding drops_the_silent(const Program& program) {
    constexpr std::chrono::milliseconds LEAST(900);
    Finding finding = keeps_short_timeout(program);
    if (finding.answer != Answer::yes) return finding;
    // Who does not know TIMEOUT has a time of its own, which is right as well; unless it is no time to speak in.
    Silence silence(program, "600");
    return silence.ends_within(LEAST) && !silence.is_enough(LEAST) ? too_short(silence) : finding;
}

Finding stops_gracefully(const Program& program) {
    Server server(patient(program));
    Clients clients;
    std::vector<Held> held = {hold(server, clients)};
    if (held.front().by == -1) return undecided(server, "no client is being served");
    if (server.is_ready()) held.push_back(hold(server, clients));  // who serves one at a time has this one alone
    if (held.back().by == -1) clients.pop_back(), held.pop_back();  // it was sent away
    kill(server.acceptor(), SIGTERM);
    server.until([&] { return !proc::is_pending(server.acceptor(), SIGTERM) && server.is_asleep(); });
    if (server.has_ended()) return no("while a client was being served, " + server.death());
    const auto goes_on = [&] { return server.is_listening() && server.is_ready(); };
    if (server.stays(goes_on)) return no("it goes on to accept after SIGTERM");
    for (; !clients.empty(); clients.pop_back(), held.pop_back()) {  // the newest first: it may know that one alone
        if (server.has_ended()) {
            return {Answer::no, "while another client was being served, " + server.death(),
                    "it has to wait for all that it has begun"};
        }
        if (!ask(server, clients.back())) return no("it lost the answer of a client that it was serving");
        if (held.back().place == Place::with_a_child) until_exit(server, held.back().by);
        server.until([&] { return server.has_noticed_exits() && server.is_asleep(); });
    }
    server.until([&] { return goes_on(); });
    if (!server.has_ended())
        return goes_on() ? no("it goes on to accept after SIGTERM") : undecided(server, "it goes on");
    if (!server.death().starts_with("it exited with 0")) return no(server.death());
    return yes("it finished its clients and exited with 0");
}

}  // namespace harness
