// Clients that do not behave: they reset their connections, leave early, or send nothing.
#include <signal.h>
#include <sys/types.h>

#include <algorithm>
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

constexpr int COUNT = 4;  // of clients for each kind of rudeness

void signal_all(const Server& server, int number) {
    for (const proc::Process& one : server.alive()) kill(one.pid, number);
}

/// They connect and reset before the server can accept them (accept(2), ECONNABORTED).
void reset_before_accept(Server& server) {
    signal_all(server, SIGSTOP);
    server.until([&] { return server.is_stopped(); });
    for (int i = 0; i < COUNT; ++i) {
        Clients clients;
        if (connect(server, clients)) clients.back().reset();
    }
    signal_all(server, SIGCONT);
}

/// They connect, and close when the server waits for what they send.
void say_nothing(Server& server) {
    for (int i = 0; i < COUNT; ++i) {
        Clients clients;
        hold(server, clients);
    }
}

void reset_while_it_reads(Server& server) {
    for (int i = 0; i < COUNT; ++i) {
        Clients clients;
        hold(server, clients);
        if (!clients.empty()) clients.back().reset();
    }
}

/// They ask, and are gone before the answer comes: its first bytes are refused with a reset, and the next write fails.
void leave_before_answer(Server& server) {
    for (int i = 0; i < COUNT; ++i) {
        Clients clients;
        hold(server, clients);
        if (clients.empty()) return;
        send_request(server, clients.back());
        if (i % 2 == 0) clients.back().reset();
        else clients.back().close();
        settle(server);
    }
}

struct Rudeness {
    const char* in_words;
    void (*act)(Server& server);
    const char* rule;
};

constexpr Rudeness ALL[] = {
    {"clients that closed without sending anything", say_nothing, "recv returns 0 when the client has closed"},
    {"clients that were reset while it waited for a request", reset_while_it_reads,
     "recv fails (ECONNRESET): that ends one client, not the server"},
    {"clients that left before their answer came", leave_before_answer,
     "a write fails (EPIPE, ECONNRESET): that ends one client, not the server"},
    {"clients that were reset before it accepted them", reset_before_accept,
     "accept, or the first call on such a connection, fails (accept(2), ECONNABORTED)"},
};

/// The sockets of all its processes, without those that listen: each worker more has a copy of them.
std::size_t sockets_of_all(const Server& server) {
    std::size_t count = 0;
    for (const proc::Process& process : server.alive()) {
        for (const proc::Descriptor& one : proc::descriptors(process.pid)) {
            count += one.is_socket() && !server.is_listening_socket(one) ? 1 : 0;
        }
    }
    return count;
}

/// How many sockets as many polite clients leave: those are not a rude one's fault.
std::size_t sockets_after_polite_clients(const Subject& subject) {
    Server server(patient(subject.program));
    Clients clients;
    for (int i = 0; i < COUNT; ++i) {
        const Held held = hold(server, clients);
        if (!clients.empty()) serve(server, clients.back(), held);
    }
    clients.clear();
    settle(server);
    return sockets_of_all(server);
}

/// How the server fared with one kind of rudeness.
struct Outcome {
    std::optional<Finding> fault;
    std::size_t before = 0;  ///< the sockets
    std::size_t after = 0;
};

Outcome outcome_of(const Rudeness& rudeness, const Subject& subject) {
    Server server(patient(subject.program));
    Outcome outcome = {std::nullopt, sockets_of_all(server)};
    const std::vector<pid_t> workers = server.workers();
    const auto has_ended = [](pid_t pid) {
        const auto process = proc::process(pid);
        return !process || process->is_zombie();
    };
    rudeness.act(server);
    settle(server);
    const std::string evidence = std::string("after ") + rudeness.in_words + ", ";
    // The exit of a child ends some servers, whatever its client has done.
    const auto is_no_fault = [&] {
        return server.has_ended() &&
               (subject.nature.dies_of_exit || server.death().ends_with("Interrupted system call"));
    };
    if (server.has_ended()) {
        if (!is_no_fault()) outcome.fault = {Answer::no, evidence + server.death(), rudeness.rule};
        return outcome;
    }
    if (const auto dead = std::find_if(workers.begin(), workers.end(), has_ended); dead != workers.end()) {
        outcome.fault = {Answer::no, evidence + "its worker " + to_string(*dead) + " has ended", rudeness.rule};
        return outcome;
    }
    server.stays([&] { return (outcome.after = sockets_of_all(server)) > outcome.before; });
    Clients polite;
    if ((!connect(server, polite) || !ask(server, polite.back())) && !is_no_fault()) {
        outcome.fault = {Answer::no, evidence + "the next client is not served: " + server.state(), rudeness.rule};
    }
    return outcome;
}

/// The fault that one kind of rudeness shows; nothing when it shows none.
std::optional<Finding> fault_of(const Rudeness& rudeness, const Subject& subject) {
    const Outcome outcome = outcome_of(rudeness, subject);
    if (outcome.fault || outcome.after <= outcome.before) return outcome.fault;
    if (outcome.after <= sockets_after_polite_clients(subject)) return std::nullopt;
    return Finding{Answer::no,
                   std::string("after ") + rudeness.in_words + " it holds " + to_string(outcome.after) +
                       " sockets, and " + to_string(outcome.before) + " before",
                   "each connection keeps its descriptor until that is closed, whatever recv has returned"};
}

}  // namespace

Finding survives_rude_clients(const Subject& subject) {
    if (std::optional<Finding> none = without_life(subject.nature)) return *none;
    if (std::optional<Finding> none = without_exit(subject.nature)) return *none;
    for (const Rudeness& one : ALL) {
        if (std::optional<Finding> fault = fault_of(one, subject)) return *fault;
    }
    if (subject.nature.dies_of_exit) return yes("it ends when a child exits, whatever the client has done");
    return yes("clients reset, left early or sent nothing, and it holds no more sockets than before");
}

}  // namespace diagnose
