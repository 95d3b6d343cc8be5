#include "behaviours.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "probes.hpp"

namespace diagnose {
namespace {

constexpr Answer Y = Answer::yes;
constexpr Answer N = Answer::no;
constexpr Answer O = Answer::not_applicable;

constexpr Behaviour BEHAVIOURS[] = {
    //                           a  b  c  d  e  f  g  h
    {"answers",
     "one client gets the page",
     "an answer is a status line, headers, an empty line and the page",
     answers,
     {Y, Y, Y, Y, Y, Y, Y, Y}},
    {"concurrent",
     "a client is served while another stays silent",
     "a process that serves a client itself accepts no other meanwhile",
     concurrent,
     {N, N, Y, Y, Y, Y, Y, Y}},
    {"sleeps before closing",
     "having answered, it sleeps before it closes the connection",
     "",
     sleeps_before_closing,
     {N, Y, Y, N, Y, N, N, N}},
    {"closes",
     "the client sees the end of the connection once it is handled",
     "a connection ends when its last descriptor is closed",
     closes,
     {Y, Y, Y, N, Y, Y, Y, Y}},
    {"flat descriptors",
     "twenty clients later it holds no more sockets than before",
     "each connection keeps its descriptor until that is closed",
     flat_descriptors,
     {Y, Y, Y, N, Y, Y, Y, Y}},
    {"descriptor limit",
     "survives more clients than it may have descriptors, one after the other and at once",
     "each process has but so many descriptors, and accept needs one (EMFILE)",
     descriptor_limit,
     {Y, Y, Y, N, Y, Y, Y, Y}},
    {"child closes listener",
     "a child for one client holds no copy of the listening socket",
     "fork copies all descriptors, and the socket listens until the last one is closed",
     child_closes_listener,
     {O, O, Y, Y, Y, Y, Y, O}},
    {"survives SIGCHLD",
     "stays up, and loses no client, when a child exits",
     "a handler interrupts accept (EINTR)",
     survives_sigchld,
     {O, O, Y, Y, N, Y, Y, Y}},
    {"reaps one", "a child that exits alone leaves no zombie", ZOMBIE, reaps_one, {O, O, N, N, Y, Y, Y, Y}},
    {"reaps many",
     "children that exit together leave no zombie",
     "SIGCHLD is not queued, one wait() collects one child",
     reaps_many,
     {O, O, N, N, O, N, Y, Y}},
    {"process limit",
     "survives more exits, one by one, than it may have processes",
     "zombies count, and fork fails when there are too many (EAGAIN)",
     process_limit,
     {O, O, N, N, O, Y, Y, Y}},
    {"sheds load",
     "survives more live clients than it may have processes, and each gets an answer or the end of its connection",
     "fork fails when there are too many (EAGAIN)",
     sheds_load,
     {O, O, N, N, N, N, N, Y}},
    {"drops silent clients",
     "a client that never sends anything is disconnected after a time",
     "recv waits for ever, unless it is told otherwise",
     drops_silent_clients,
     {N, N, N, N, N, N, N, Y}},
    {"stops gracefully",
     "on SIGTERM it accepts no more, finishes what it began, exits 0",
     "it takes a handler for SIGTERM, and an accept loop that ends",
     stops_gracefully,
     {N, N, N, N, N, N, N, Y}},
    {"survives rude clients",
     "clients that reset or leave early cost no socket, and do not bring it down",
     "",
     survives_rude_clients,
     {Y, Y, Y, Y, Y, Y, Y, Y},
     true},
    {"slow request",
     "a request that comes in two pieces gets its page",
     "TCP is a stream: recv returns what has come, not a request",
     slow_request,
     {Y, Y, Y, Y, Y, Y, Y, Y},
     true},
    {"idle when done",
     "with no client left all its processes sleep, and none is born",
     "a process that waits for a client blocks in a call, and takes no processor time",
     idle_when_done,
     {Y, Y, Y, Y, Y, Y, Y, Y},
     true},
    {"child exits",
     "a child that has served its client exits",
     "a child returns from fork into the same loop, unless it exits",
     child_exits,
     {O, O, Y, Y, Y, Y, Y, O},
     true},
    {"restarts at once",
     "killed while it has clients, it can be started again on the same port at once",
     "the old connections keep the port, unless SO_REUSEADDR is set before bind",
     restarts_at_once,
     {Y, Y, Y, Y, Y, Y, Y, Y},
     true},
};

}  // namespace

std::span<const Behaviour> behaviours() { return BEHAVIOURS; }

const Behaviour& behaviour(std::string_view name) {
    const auto* const found = std::find_if(std::begin(BEHAVIOURS), std::end(BEHAVIOURS),
                                           [&](const Behaviour& row) { return row.name == name; });
    if (found == std::end(BEHAVIOURS))
        throw std::invalid_argument("no behaviour is called \"" + std::string(name) + '"');
    return *found;
}

std::string Tried::explanation() const {
    const auto says = [&](const char* words) { return finding.evidence.find(words) != std::string::npos; };
    if (says("Interrupted system call")) return "a handler interrupts accept (EINTR)";
    if (says("signal 13 (")) {
        return "a write to a connection that was reset raises SIGPIPE: ignore it, or send with MSG_NOSIGNAL";
    }
    return finding.rule.empty() ? behaviour->explanation : finding.rule;
}

Finding find(const Behaviour& behaviour, const Subject& server) {
    try {
        return behaviour.find(server);
    } catch (const std::exception& error) {
        std::string line = error.what();
        std::replace(line.begin(), line.end(), '\n', ' ');
        return {Answer::undecided, line};
    }
}

Finding find(const Behaviour& behaviour, const Program& server) {
    try {
        return find(behaviour, learn(server));
    } catch (const std::exception& error) {
        return {Answer::undecided, error.what()};
    }
}

Program foreign(const std::vector<std::string>& command) {
    Program program = {command, {{"PYTHONDONTWRITEBYTECODE", "1"}}};
    program.is_foreign = true;
    return program;
}

std::vector<Tried> try_all(const Subject& server, std::span<const Behaviour* const> rows,
                           const std::function<void(const Tried&)>& report) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point deadline = std::min(server.program.deadline, Clock::now() + MOST_TIME);
    std::vector<Tried> tried;
    for (const Behaviour* row : rows) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        Subject limited = server;
        limited.program.patience = std::min(left, std::chrono::milliseconds(20'000));
        limited.program.deadline = deadline;
        const bool in_time = left > std::chrono::milliseconds(0);
        tried.push_back({row, in_time ? find(*row, limited) : Finding{Answer::undecided, "the two minutes are over"}});
        report(tried.back());
    }
    return tried;
}

}  // namespace diagnose
