#include "server.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "../proc/process.hpp"
#include "../proc/tcp.hpp"
#include "client.hpp"
#include "process.hpp"
#include "program.hpp"

namespace harness {
namespace {

using Clock = std::chrono::steady_clock;

/// How long all of a server must have been asleep in the same calls to be called at rest. More than the article's
/// longest pause that is worth waiting for: 3 seconds.
constexpr std::chrono::milliseconds STILLNESS = std::chrono::seconds(5);
constexpr int LOOKS = 50;  // meanwhile

/// How long a server that never rests may run, in the processor's time: a slow machine makes it no longer.
constexpr std::chrono::nanoseconds MOST_WORK = std::chrono::seconds(1);

/// More children than this a server has no need of: we never have so many clients.
constexpr std::size_t MOST_CHILDREN = 64;

/// The listening socket with this inode, if there is one still.
std::optional<proc::ListeningSocket> listening_socket(std::uint64_t inode) {
    for (const proc::ListeningSocket& one : proc::listening_sockets()) {
        if (one.inode == inode) return one;
    }
    return std::nullopt;
}

/// '?' when there is no such process.
char state_of(pid_t pid) {
    const std::optional<proc::Process> process = proc::process(pid);
    return process ? process->state : '?';
}

/// How long the process has run, on whichever processors (clock_getcpuclockid(3)); 0 when there is no such process.
std::chrono::nanoseconds time_of_processor(pid_t pid) {
    clockid_t clock = 0;
    timespec time = {};
    if (pid <= 0) return {};  // to the kernel 0 is ourselves
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return {};
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

bool is_one_of(const std::string& call, std::initializer_list<const char*> calls) {
    return std::find(calls.begin(), calls.end(), call) != calls.end();
}

bool is_accept(const std::string& call) { return is_one_of(call, {"accept", "accept4"}); }
bool is_wait_for_a_child(const std::string& call) { return is_one_of(call, {"wait4", "waitid"}); }

/// What servers wait in that watch many descriptors.
bool is_wait_for_events(const std::string& call) {
    return is_one_of(
        call, {"poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2", "io_uring_enter"});
}

bool is_fork(const std::string& call) { return is_one_of(call, {"clone", "clone3", "fork", "vfork"}); }

/// Whether all threads of the process wait for something. To be on the way into write(2), say, is not to wait; nor is a
/// fork that waits for our keeper (fork_limit.hpp).
bool is_asleep(pid_t pid) {
    const std::vector<pid_t> threads = proc::threads(pid);
    return !threads.empty() && std::all_of(threads.begin(), threads.end(), [](pid_t thread) {
        if (state_of(thread) != 'S') return false;
        const std::string call = proc::blocked_in(thread);  // after its state: it may have slept in a fork until now
        return !call.empty() && !is_fork(call);
    });
}

bool has(const std::vector<proc::Descriptor>& all, std::uint64_t socket_inode) {
    return std::any_of(all.begin(), all.end(),
                       [&](const proc::Descriptor& one) { return one.is_socket() && one.inode == socket_inode; });
}

std::string last_lines(const std::string& text) {
    constexpr std::size_t MOST = 600;
    return text.size() <= MOST ? text : "…" + text.substr(text.size() - MOST);
}

std::string last_line(std::string text) {
    while (text.ends_with('\n')) text.pop_back();
    return text.substr(text.rfind('\n') + 1);
}

}  // namespace

Server::Server(const Program& program)
    : Process(program.environment.count("PORT") ? program : program.with("PORT", "0")) {
    // Pre-forked workers come after the listening socket, and before the first client; a daemon is not who we started.
    const bool listens = until([this] {
        if (find_listening_socket() && is_asleep() && children().empty()) return true;  // nobody came meanwhile
        acceptor_ = -1;
        return false;
    });
    if (!listens || Server::has_ended()) {
        std::string line;
        for (const std::string& word : program.command) line += (line.empty() ? "" : " ") + word;
        throw NotListening(line + " does not listen: it " + fate() + "\nstdout: " + last_lines(out()) +
                           "\nstderr: " + last_lines(err()));
    }
}

bool Server::find_listening_socket() {
    const std::vector<proc::ListeningSocket> listening = proc::listening_sockets();
    const std::vector<proc::Process> all = alive();
    first_.clear();
    for (const proc::Process& one : all) first_.insert(one.pid);
    for (const proc::Process& candidate : all) {
        for (const proc::Descriptor& descriptor : proc::descriptors(candidate.pid)) {
            for (const proc::ListeningSocket& socket : listening) {
                if (socket.inode != descriptor.inode) continue;
                acceptor_ = candidate.pid;
                port_ = socket.port;
                listening_inode_ = socket.inode;
                return true;
            }
        }
    }
    return false;
}

bool Server::has_ended() {
    if (acceptor_ == pid()) return Process::has_ended();
    if (acceptor_ == -1) return Process::has_ended() && alive().empty();
    const std::optional<proc::Process> process = proc::process(acceptor_);
    return !process || process->is_zombie();
}

std::string Server::death() {
    // Where a shell stands above it, the shell's end tells its own.
    const bool told = acceptor_ == pid() || (fate_of(acceptor_) == "is gone" && Process::has_ended());
    return "it " + (told ? fate() : fate_of(acceptor_)) + (last_words().empty() ? "" : ": " + last_words());
}

std::string Server::last_words() const { return last_line(err()); }

bool Server::until(const std::function<bool()>& condition) {
    bool holds = false;
    std::string last_seen;
    int still_looks = 0;  // not the time since the last change: a machine that stands still makes no server hopeless
    Clock::time_point next_look = Clock::now();
    std::chrono::nanoseconds worked = time_of_processor(acceptor_);  // when it was last seen at rest
    is_restless_ = false;
    const auto is_hopeless = [&] {
        if (Clock::now() < next_look) return false;
        next_look = Clock::now() + STILLNESS / LOOKS;
        if (program().is_foreign && children().size() > MOST_CHILDREN) return true;
        const auto works = time_of_processor(acceptor_);
        if (state_of(acceptor_) != 'R') worked = works;
        if (works - worked > MOST_WORK) return is_restless_ = true;
        const std::string seen = snapshot();
        // Who wants to run, and is not let by a busy machine, is not still.
        still_looks = seen == last_seen && state_of(acceptor_) != 'R' ? still_looks + 1 : 0;
        last_seen = seen;
        return !seen.empty() && still_looks > LOOKS;
    };
    Process::until([&] { return (holds = condition()) || is_hopeless(); });
    return holds || condition();
}

bool Server::stays(const std::function<bool()>& condition) {
    const auto begin = std::chrono::steady_clock::now();
    for (int looks = 0; looks < 25; ++looks) {
        if (!condition()) return false;
        const auto time = std::chrono::steady_clock::now() - begin;
        if (looks > 5 && time > std::chrono::seconds(1)) break;  // a slow machine has looked for long enough
        poll(nullptr, 0, 1);
    }
    return true;
}

bool Server::until_ended() {
    until([] { return false; });
    return has_ended();
}

bool Server::waits_in_accept() const { return state_of(acceptor_) == 'S' && is_accept(proc::blocked_in(acceptor_)); }

bool Server::waits_in_recv() const { return state_of(acceptor_) == 'S' && waits_for_bytes(acceptor_); }

bool Server::waits_for_a_child() const {
    return state_of(acceptor_) == 'S' && is_wait_for_a_child(proc::blocked_in(acceptor_));
}

bool Server::is_stopped() const { return state_of(acceptor_) == 'T'; }

std::size_t Server::sockets() const {
    const std::vector<proc::Descriptor> all = proc::descriptors(acceptor_);
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const proc::Descriptor& one) { return one.is_socket(); }));
}

bool Server::holds(std::uint64_t socket_inode) const { return has(proc::descriptors(acceptor_), socket_inode); }

bool Server::is_ready() const {
    return std::any_of(first_.begin(), first_.end(), [this](pid_t pid) {
        const std::vector<pid_t> threads = proc::threads(pid);
        return std::any_of(threads.begin(), threads.end(), [&](pid_t thread) {
            const std::string call = proc::blocked_in(thread);
            if (state_of(thread) != 'S') return false;
            return is_accept(call) ||
                   (is_wait_for_events(call) && queued() == 0 && has(proc::descriptors(pid), listening_inode_));
        });
    });
}

bool Server::is_asleep() const {
    return std::all_of(first_.begin(), first_.end(), [this](pid_t pid) {
        const char state = state_of(pid);
        const bool is_gone = state == '?' || state == 'Z';
        return is_gone ? pid != acceptor_ : harness::is_asleep(pid);
    });
}

bool Server::is_listening() const { return listening_socket(listening_inode_).has_value(); }

unsigned Server::queued() const {
    const std::optional<proc::ListeningSocket> socket = listening_socket(listening_inode_);
    return socket ? socket->queued : 0;
}

unsigned Server::backlog() const {
    const std::optional<proc::ListeningSocket> socket = listening_socket(listening_inode_);
    return socket ? socket->backlog : 0;
}

std::vector<proc::Process> Server::children() const {
    std::vector<proc::Process> all = alive();
    std::erase_if(all, [this](const proc::Process& one) { return first_.contains(one.pid); });
    return all;
}

bool Server::has_noticed_exits() const {
    proc::wait_for_signals_of_seen_zombies();
    const proc::SignalState sigchld = proc::signal_state(acceptor_, SIGCHLD);
    return !sigchld.pending || sigchld.blocked;
}

bool Server::is_quiet(std::size_t at_work) const {
    return children().size() == at_work && has_noticed_exits() && is_ready() && is_asleep();  // in this order
}

std::vector<pid_t> Server::holders_of(const Client& client) const {
    const std::optional<proc::Connection> connection = proc::loopback_connection(port_, client.port());
    std::vector<pid_t> holders;
    if (!connection || connection->inode == 0) return holders;
    for (const proc::Process& one : alive()) {
        if (has(proc::descriptors(one.pid), connection->inode)) holders.push_back(one.pid);
    }
    std::stable_partition(holders.begin(), holders.end(), [this](pid_t pid) { return !first_.contains(pid); });
    return holders;
}

Place Server::place_of(const Client& client) const {
    if (!is_asleep()) return Place::moving;
    if (client.has_ended()) return Place::let_go;
    const std::vector<pid_t> holders = holders_of(client);
    if (holders.empty()) return is_ready() || !is_asleep() ? Place::moving : Place::in_the_queue;
    if (first_.contains(holders.front())) return Place::with_the_server;
    return harness::is_asleep(holders.front()) ? Place::with_a_child : Place::moving;
}

bool waits_for_bytes(pid_t pid) {
    const std::string call = proc::blocked_in(pid);
    return is_one_of(call, {"recvfrom", "recvmsg", "read"}) || (is_wait_for_events(call) && !proc::sleeps(pid));
}

std::string Server::snapshot() const {
    std::ostringstream text;
    for (const proc::Process& one : alive()) {
        for (const pid_t thread : proc::threads(one.pid)) {
            text << thread << state_of(thread) << proc::blocked_in(thread) << ' ';
        }
    }
    return text.str();
}

std::string Server::state() {
    if (has_ended()) return death();
    const std::string pid = "pid " + std::to_string(acceptor_);
    const std::string call = proc::blocked_in(acceptor_);
    if (is_restless_) return pid + " is running all the time (a loop that does not end?)";
    if (children().size() > MOST_CHILDREN) return "it has started " + std::to_string(children().size()) + " processes";
    return pid + (state_of(acceptor_) != 'S' || call.empty() ? " does not rest" : " is asleep in " + call);
}

std::string Server::describe() {
    std::ostringstream text;
    text << program().command.front() << " pid " << acceptor_ << ' ' << fate() << ", " << queued()
         << " in the accept queue" << (proc::is_pending(acceptor_, SIGCHLD) ? ", SIGCHLD pending" : "");
    std::vector<proc::Process> all = alive();
    for (const proc::Process& zombie : zombies()) all.push_back(zombie);
    for (const proc::Process& one : all) {
        text << "\n  pid " << one.pid << " (" << one.name << ", child of " << one.ppid << "), state " << one.state
             << ", blocked in \"" << proc::blocked_in(one.pid) << '"';
        for (const proc::Descriptor& descriptor : proc::descriptors(one.pid)) {
            text << "\n    descriptor " << descriptor.number << ' ' << descriptor.target;
        }
    }
    text << "\n  stdout: " << last_lines(out()) << "\n  stderr: " << last_lines(err());
    return text.str();
}

}  // namespace harness
