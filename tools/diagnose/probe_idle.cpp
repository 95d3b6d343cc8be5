// Is the server idle after its clients have disconnected? A loop that polls, or forks without need, is not.
#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iomanip>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include "../harness/process.hpp"
#include "../proc/process.hpp"
#include "clients.hpp"
#include "idle.hpp"
#include "probes.hpp"

namespace diagnose {
namespace {

using Clock = std::chrono::steady_clock;

/// The state of all processes and threads of a server at one moment.
struct Snapshot {
    explicit Snapshot(const Server& server) {
        for (const proc::Process& process : server.alive()) {
            pids.insert(process.pid);
            for (const pid_t thread : proc::threads(process.pid)) {
                const std::string count = proc::run_count(thread);
                runs += count + ' ';
                nanoseconds += std::strtod(count.c_str(), nullptr);
                is_asleep = is_asleep && !proc::blocked_in(thread).empty();
            }
        }
        for (const proc::Process& process : server.zombies()) pids.insert(process.pid);
    }

    std::set<pid_t> pids;  ///< zombies included
    std::string runs;
    double nanoseconds = 0;  ///< the CPU time of all threads
    bool is_asleep = true;
};

}  // namespace

bool Work::is_idle() const {
    constexpr double NEGLIGIBLE = 0.05;
    return is_still || (births == 0 && share < NEGLIGIBLE);
}

std::string Work::in_words() const {
    std::ostringstream text;
    if (births > 0) text << "it starts processes: " << births << " in a moment";
    else text << "it uses " << std::fixed << std::setprecision(0) << 100 * share << " % of a processor";
    return text.str();
}

Work watch(Server& server) {
    constexpr std::chrono::milliseconds STILL(250);
    constexpr std::chrono::milliseconds LONGEST(1500);
    const Snapshot first(server);
    Snapshot last = first;
    std::set<pid_t> pids = first.pids;
    const Clock::time_point begin = Clock::now();
    Clock::time_point still_since = begin;
    Work work;
    server.Process::until(
        [&] {
            const Snapshot now(server);
            if (now.runs != last.runs || now.pids != last.pids || !now.is_asleep) still_since = Clock::now();
            pids.insert(now.pids.begin(), now.pids.end());
            last = now;
            return work.is_still = Clock::now() - still_since >= STILL;
        },
        LONGEST);
    const std::chrono::duration<double, std::nano> time = Clock::now() - begin;
    work.births = pids.size() - first.pids.size();
    work.share = (last.nanoseconds - first.nanoseconds) / time.count();
    return work;
}

namespace {

constexpr const char* ASLEEP = "with no client left, all of it is asleep";

/// The finding when a server without clients is not idle; empty when it is idle.
std::optional<Finding> work_without_clients(const Subject& subject) {
    Server server(patient(subject.program));
    if (subject.nature.unanswered.empty() && !subject.nature.exits_on_child_exit) {
        Clients clients;
        if (connect(server, clients) && ask(server, clients.back())) wait_for_close(server, clients.back());
        clients.clear();
        server.until([&] { return server.is_quiet() || server.is_at_rest(); });
    }
    const Work work = watch(server);
    if (server.has_ended()) return not_applicable("it does not live as long: " + server.exit_report());
    return work.is_idle() ? std::nullopt : std::optional(no("with no client left, " + work.in_words()));
}

/// Whether the exit of a client's child makes the server fork another one. Such a child may exit too soon to be seen.
/// But when it is reaped, the kernel adds its page faults to the server's count ("cminflt").
bool forks_after_exit(const Subject& subject) {
    Server server(patient(subject.program));
    Clients clients;
    const Holder holder = hold(server, clients);
    if (holder.place != Place::with_a_child) return false;
    kill(server.acceptor(), SIGSTOP);
    if (!server.until([&] { return server.is_stopped(); })) return false;
    send_request(server, clients.front());
    until_exit(server, holder.pid, clients.front());
    const auto child = proc::process(holder.pid);
    const auto before = proc::process(server.acceptor());
    kill(server.acceptor(), SIGCONT);
    settle(server);
    const auto after = proc::process(server.acceptor());
    if (!child || !before || !after || server.has_ended()) return false;
    const std::uint64_t faults = after->faults_of_reaped - before->faults_of_reaped;
    return server.starts_processes() || faults > child->faults + child->faults_of_reaped;
}

}  // namespace

Finding idle_when_done(const Subject& subject) {
    if (!subject.nature.short_life.empty()) return not_applicable(subject.nature.short_life);
    if (subject.nature.kind == Kind::forks && without_exit(subject.nature) == std::nullopt &&
        !subject.nature.exits_on_child_exit && forks_after_exit(subject)) {
        return {Answer::no, "when the only child had exited, and no client was left, it started another one",
                "an interrupted accept returns no connection, but -1 (EINTR)"};
    }
    if (std::optional<Finding> fault = work_without_clients(subject)) return *fault;
    if (subject.nature.kind != Kind::event_loop && subject.nature.kind != Kind::threads) return yes(ASLEEP);
    const Program limited = with_few_descriptors(subject.program);
    Server full(limited);
    Clients clients;
    connect_many(full, clients, *limited.max_descriptors + 8);
    const Work work = watch(full);
    if (full.has_ended() || work.is_idle()) return yes(ASLEEP);
    return {Answer::no, "with as many clients as it has descriptors for, " + work.in_words(),
            "a listening socket stays readable as long as accept fails (EMFILE)"};
}

}  // namespace diagnose
