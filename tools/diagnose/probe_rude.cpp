// Clients that misbehave: they reset their connections, disconnect early, or send nothing.
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

constexpr int COUNT = 4;  // clients for each kind of misbehaviour

void signal_all(const Server& server, int number) {
    for (const proc::Process& process : server.alive()) kill(process.pid, number);
}

/// The clients connect, then reset before the server can accept them (accept(2), ECONNABORTED).
void reset_before_accept(Server& server) {
    signal_all(server, SIGSTOP);
    server.until([&] { return server.is_stopped(); });
    for (int i = 0; i < COUNT; ++i) {
        Clients clients;
        if (connect(server, clients)) clients.back().reset();
    }
    signal_all(server, SIGCONT);
}

/// The clients connect, then close while the server waits for their request.
void close_without_request(Server& server) {
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

/// The clients send a request and close before the answer arrives. The kernel answers the server's first bytes with a
/// reset, so that its next write fails.
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

struct Misbehaviour {
    const char* in_words;
    void (*act)(Server& server);
    const char* rule;
};

constexpr Misbehaviour ALL[] = {
    {"clients that closed without sending anything", close_without_request,
     "recv returns 0 when the client has closed"},
    {"clients that were reset while it waited for a request", reset_while_it_reads,
     "recv fails (ECONNRESET): that ends one client, not the server"},
    {"clients that left before their answer came", leave_before_answer,
     "a write fails (EPIPE, ECONNRESET): that ends one client, not the server"},
    {"clients that were reset before it accepted them", reset_before_accept,
     "accept, or the first call on such a connection, fails (accept(2), ECONNABORTED)"},
};

/// The number of sockets that all its processes hold, without listening ones: every new worker has a copy of those.
std::size_t sockets_of_all(const Server& server) {
    std::size_t count = 0;
    for (const proc::Process& process : server.alive()) {
        for (const proc::Descriptor& descriptor : proc::descriptors(process.pid)) {
            count += descriptor.is_socket() && !server.is_listening_socket(descriptor) ? 1 : 0;
        }
    }
    return count;
}

/// The number of sockets that the server holds after the same number of well-behaved clients. Only sockets beyond these
/// were left by misbehaving clients.
std::size_t sockets_after_polite_clients(const Subject& subject) {
    Server server(patient(subject.program));
    Clients clients;
    for (int i = 0; i < COUNT; ++i) {
        const Holder holder = hold(server, clients);
        if (!clients.empty()) serve(server, clients.back(), holder);
    }
    clients.clear();
    settle(server);
    return sockets_of_all(server);
}

/// The server's result with one kind of misbehaving clients.
struct Outcome {
    std::optional<Finding> fault;
    std::size_t before = 0;  ///< its sockets before those clients
    std::size_t after = 0;
};

Outcome outcome_of(const Misbehaviour& misbehaviour, const Subject& subject) {
    Server server(patient(subject.program));
    Outcome outcome = {std::nullopt, sockets_of_all(server)};
    const std::vector<pid_t> workers = server.workers();
    const auto has_ended = [](pid_t pid) {
        const auto process = proc::process(pid);
        return !process || process->is_zombie();
    };
    misbehaviour.act(server);
    settle(server);
    const std::string evidence = std::string("after ") + misbehaviour.in_words + ", ";
    // Some servers exit after any child has exited: then the clients are not the cause.
    const auto is_no_fault = [&] {
        return server.has_ended() &&
               (subject.nature.exits_on_child_exit || server.exit_report().ends_with("Interrupted system call"));
    };
    if (server.has_ended()) {
        if (!is_no_fault()) outcome.fault = {Answer::no, evidence + server.exit_report(), misbehaviour.rule};
        return outcome;
    }
    if (const auto dead = std::find_if(workers.begin(), workers.end(), has_ended); dead != workers.end()) {
        outcome.fault = {Answer::no, evidence + "its worker " + to_string(*dead) + " has ended", misbehaviour.rule};
        return outcome;
    }
    server.stays([&] { return (outcome.after = sockets_of_all(server)) > outcome.before; });
    Clients polite;
    if ((!connect(server, polite) || !ask(server, polite.back())) && !is_no_fault()) {
        outcome.fault = {Answer::no, evidence + "the next client is not served: " + server.state(), misbehaviour.rule};
    }
    return outcome;
}

/// The fault that one kind of misbehaving clients reveals; empty when there is none.
std::optional<Finding> fault_of(const Misbehaviour& misbehaviour, const Subject& subject) {
    const Outcome outcome = outcome_of(misbehaviour, subject);
    if (outcome.fault || outcome.after <= outcome.before) return outcome.fault;
    if (outcome.after <= sockets_after_polite_clients(subject)) return std::nullopt;
    return Finding{Answer::no,
                   std::string("after ") + misbehaviour.in_words + " it holds " + to_string(outcome.after) +
                       " sockets, and " + to_string(outcome.before) + " before",
                   "each connection keeps its descriptor until that is closed, whatever recv has returned"};
}

}  // namespace

Finding survives_rude_clients(const Subject& subject) {
    if (std::optional<Finding> none = without_life(subject.nature)) return *none;
    if (std::optional<Finding> none = without_exit(subject.nature)) return *none;
    for (const Misbehaviour& misbehaviour : ALL) {
        if (std::optional<Finding> fault = fault_of(misbehaviour, subject)) return *fault;
    }
    if (subject.nature.exits_on_child_exit) return yes("it ends when a child exits, whatever the client has done");
    return yes("clients reset, left early or sent nothing, and it holds no more sockets than before");
}

}  // namespace diagnose
