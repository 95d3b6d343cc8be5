#include "server.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>

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

#include "../../net/socket.hpp"
#include "../proc/process.hpp"
#include "../proc/tcp.hpp"
#include "client.hpp"
#include "process.hpp"
#include "program.hpp"

namespace harness {
namespace {

using Clock = std::chrono::steady_clock;

/// When all of a server's processes have slept in the same calls for this long, waiting stops. It is longer than a
/// sleep of 3 seconds, which the article's servers may have.
constexpr std::chrono::milliseconds STILLNESS = std::chrono::seconds(5);
constexpr int SNAPSHOTS = 50;  // snapshots taken during that time

/// The CPU time after which a server that is never seen blocked counts as restless. CPU time does not depend on how
/// busy the machine is.
constexpr std::chrono::nanoseconds MOST_WORK = std::chrono::seconds(1);

/// The same for a server that listens but has not blocked yet, since it may still be reading its configuration.
constexpr std::chrono::nanoseconds MOST_WORK_TO_START = std::chrono::seconds(1);

/// A server with more children than this forks without end: the probes never connect so many clients.
constexpr std::size_t MOST_CHILDREN = 64;

/// A server that has a new child in more snapshots in a row than this forks without end.
constexpr int MOST_BIRTHS = 6;

/// How long to wait for a server that never blocks.
constexpr std::chrono::milliseconds RESTLESS_PATIENCE = std::chrono::seconds(6);

/// Whether a client can connect to the socket through 127.0.0.1.
bool is_reachable(const proc::ListeningSocket& socket) {
    const std::string host = socket.address.substr(0, socket.address.rfind(':'));
    return host == "127.0.0.1" || host == "0.0.0.0" || host == "[::]" || host == "*";
}

/// The state in /proc/PID/stat; '?' when there is no such process.
char state_of(pid_t pid) {
    const std::optional<proc::Process> process = proc::process(pid);
    return process ? process->state : '?';
}

bool is_one_of(const std::string& call, std::initializer_list<const char*> calls) {
    return std::find(calls.begin(), calls.end(), call) != calls.end();
}

bool is_accept(const std::string& call) { return is_one_of(call, {"accept", "accept4"}); }
bool is_wait_for_a_child(const std::string& call) { return is_one_of(call, {"wait4", "waitid"}); }

/// The calls in which a server waits for any of many descriptors.
bool is_wait_for_events(const std::string& call) {
    return is_one_of(
        call, {"poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2", "io_uring_enter"});
}

bool is_fork(const std::string& call) { return is_one_of(call, {"clone", "clone3", "fork", "vfork"}); }

/// Whether all threads of the process are blocked in a system call. A thread that is about to enter a call is
/// not blocked; nor is a fork that waits for the keeper's permission (fork_limit.hpp).
bool is_asleep(pid_t pid) {
    const std::vector<pid_t> threads = proc::threads(pid);
    return !threads.empty() && std::all_of(threads.begin(), threads.end(), [](pid_t thread) {
        if (state_of(thread) != 'S') return false;
        const std::string call = proc::blocked_in(thread);  // after the state: it may have slept in fork before
        return !call.empty() && !is_fork(call);
    });
}

bool has(const std::vector<proc::Descriptor>& all, std::uint64_t socket_inode) {
    return std::any_of(all.begin(), all.end(), [&](const proc::Descriptor& descriptor) {
        return descriptor.is_socket() && descriptor.inode == socket_inode;
    });
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

net::Socket reserve_port() {
    net::Socket socket(AF_INET, SOCK_STREAM);
    socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socket.bind(address);
    return socket;
}

Server::Server(const Program& program)
    : Process(program.environment.count("PORT") ? program : program.with("PORT", std::to_string(program.port))) {
    // A server forks its workers after it listens and before its first client connects. A daemon is a descendant of the
    // process that was started, so all descendants are searched.
    const bool listens = until([this] {
        const bool is_found = find_listening_socket();
        if (is_found && is_asleep() && children().empty() && !may_be_starting()) return true;  // and no child yet
        if (acceptor_ != -1 && runs_without_end()) return set_restless(), true;
        acceptor_ = -1;
        return false;
    });
    if (!listens || Server::has_ended()) {
        std::string line;
        for (const std::string& word : program.command) line += (line.empty() ? "" : " ") + word;
        if (!elsewhere_.empty()) {
            throw NotListening(line + " listens on " + elsewhere_ + ", where no client from 127.0.0.1 can come");
        }
        if (is_forking_) {
            throw NotListening(line + " has started " + std::to_string(alive().size()) +
                               " processes before its first client comes, and starts more");
        }
        throw NotListening(line + " does not listen: it " + fate() + "\nstdout: " + last_lines(out()) +
                           "\nstderr: " + last_lines(err()));
    }
    for (const pid_t thread : proc::threads(acceptor_)) first_threads_.insert(thread);
}

bool Server::may_be_starting() {
    constexpr std::chrono::milliseconds LONGEST_PAUSE(500);  // a server may sleep this long between forking two workers
    if (program().is_restless || std::none_of(first_.begin(), first_.end(), proc::sleeps)) return false;
    if (!sleeping_since_) sleeping_since_ = Clock::now();
    return Clock::now() - *sleeping_since_ < LONGEST_PAUSE;
}

bool Server::runs_without_end() {
    const auto work = proc::processor_time(acceptor_);
    if (state_of(acceptor_) != 'R' || !work_at_rest_) work_at_rest_ = work;
    return work - *work_at_rest_ > MOST_WORK_TO_START;
}

bool Server::find_listening_socket() {
    const std::vector<proc::ListeningSocket> listening = proc::listening_sockets();
    const std::vector<proc::Process> all = alive();
    first_.clear();
    listening_inodes_.clear();
    std::vector<std::uint16_t> ports;  // in the order of the processes and their descriptors
    for (const proc::Process& process : all) first_.insert(process.pid);
    for (const proc::Process& candidate : all) {
        for (const proc::Descriptor& descriptor : proc::descriptors(candidate.pid)) {
            for (const proc::ListeningSocket& socket : listening) {
                if (socket.inode != descriptor.inode) continue;
                if (!is_reachable(socket)) {
                    elsewhere_ = socket.address;
                    continue;
                }
                listening_inodes_.insert(socket.inode);
                if (std::find(ports.begin(), ports.end(), socket.port) == ports.end()) ports.push_back(socket.port);
            }
        }
    }
    if (program().port != 0) std::erase_if(ports, [this](std::uint16_t port) { return port != program().port; });
    if (ports.empty()) return false;
    ports_ = ports.size();
    port_ = ports[std::min(program().listening_socket, ports.size() - 1)];
    for (const proc::ListeningSocket& socket : listening) {
        if (socket.port != port_) listening_inodes_.erase(socket.inode);
    }
    find_acceptor(all);
    return true;
}

void Server::find_acceptor(const std::vector<proc::Process>& all) {
    std::vector<proc::Process> holders;
    for (const proc::Process& process : all) {
        const std::vector<proc::Descriptor> descriptors = proc::descriptors(process.pid);
        if (std::any_of(descriptors.begin(), descriptors.end(),
                        [this](const proc::Descriptor& each) { return is_listening_socket(each); })) {
            holders.push_back(process);
        }
    }
    if (holders.empty()) return;
    acceptor_ = holders.front().pid;
    const pid_t parent = holders.front().ppid;
    const bool are_siblings =
        holders.size() > 1 &&
        std::all_of(holders.begin(), holders.end(), [=](const auto& process) { return process.ppid == parent; });
    if (are_siblings && first_.contains(parent)) acceptor_ = parent;
}

std::vector<proc::ListeningSocket> Server::listening() const {
    std::vector<proc::ListeningSocket> sockets = proc::listening_sockets();
    std::erase_if(sockets, [this](const auto& socket) { return !listening_inodes_.contains(socket.inode); });
    return sockets;
}

std::vector<pid_t> Server::workers() const {
    std::vector<pid_t> pids;
    for (const pid_t pid : first_) {
        const std::vector<proc::Descriptor> all = proc::descriptors(pid);
        const auto listens = [this](const proc::Descriptor& descriptor) { return is_listening_socket(descriptor); };
        if (pid != acceptor_ && std::any_of(all.begin(), all.end(), listens)) pids.push_back(pid);
    }
    return pids;
}

void Server::adopt() {
    const std::vector<proc::ListeningSocket> sockets = proc::listening_sockets();
    for (const proc::Process& process : alive()) {
        first_.insert(process.pid);
        for (const proc::Descriptor& descriptor : proc::descriptors(process.pid)) {
            const auto is_its = [&](const auto& each) { return each.inode == descriptor.inode && each.port == port_; };
            if (std::any_of(sockets.begin(), sockets.end(), is_its)) listening_inodes_.insert(descriptor.inode);
        }
    }
}

bool Server::has_ended() {
    if (acceptor_ == pid()) return Process::has_ended();
    if (acceptor_ == -1) return Process::has_ended() && alive().empty();
    const std::optional<proc::Process> process = proc::process(acceptor_);
    return !process || process->is_zombie();
}

std::string Server::exit_report() {
    // When a shell started the server, the shell has reaped it; the shell's own exit status repeats the server's.
    const bool is_in_own_status = acceptor_ == pid() || (fate_of(acceptor_) == "is gone" && Process::has_ended());
    return "it " + (is_in_own_status ? fate() : fate_of(acceptor_)) +
           (last_error_line().empty() ? "" : ": " + last_error_line());
}

std::string Server::last_error_line() const { return last_line(err()); }

bool Server::until(const std::function<bool()>& condition) {
    bool holds = false;
    std::string last_seen;
    // Counts snapshots and not seconds, so that a suspended or busy machine does not end the wait.
    int unchanged_snapshots = 0;
    Clock::time_point next_snapshot = Clock::now();
    std::optional<std::chrono::nanoseconds> worked;  // the CPU time when all processes were last seen blocked
    std::set<pid_t> known_children;
    int births = 0;
    is_restless_ = is_forking_ = false;
    const auto is_hopeless = [&] {
        if (Clock::now() < next_snapshot) return false;
        next_snapshot = Clock::now() + STILLNESS / SNAPSHOTS;
        const std::size_t known = known_children.size();
        for (const proc::Process& process : children()) known_children.insert(process.pid);
        births = known_children.size() > known ? births + 1 : 0;
        if (births > MOST_BIRTHS) return is_forking_ = true;
        if (program().is_foreign && children().size() > MOST_CHILDREN) return true;
        if (program().is_restless) return false;
        const std::string seen = snapshot();
        std::chrono::nanoseconds works = {};
        for (const proc::Process& process : alive()) works += proc::processor_time(process.pid);
        if (!worked || seen.find("R ") == std::string::npos) worked = works;
        if (works - *worked > MOST_WORK) return is_restless_ = true;
        // A runnable process that is waiting for the CPU does not count as blocked.
        unchanged_snapshots = seen == last_seen && seen.find("R ") == std::string::npos ? unchanged_snapshots + 1 : 0;
        last_seen = seen;
        return !seen.empty() && unchanged_snapshots > SNAPSHOTS;
    };
    const auto patience = program().is_restless ? std::min(RESTLESS_PATIENCE, program().patience) : program().patience;
    Process::until([&] { return (holds = condition()) || is_hopeless(); }, patience);
    return holds || condition();
}

bool Server::stays(const std::function<bool()>& condition) {
    const auto begin = std::chrono::steady_clock::now();
    for (int checks = 0; checks < 25; ++checks) {
        if (!condition()) return false;
        const auto time = std::chrono::steady_clock::now() - begin;
        if (checks > 5 && time > std::chrono::seconds(1)) break;  // on a slow machine fewer checks are enough
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
    std::size_t count = 0;
    for (const pid_t pid : first_) {
        for (const proc::Descriptor& descriptor : proc::descriptors(pid)) count += descriptor.is_socket() ? 1 : 0;
    }
    return count;
}

bool Server::holds(std::uint64_t socket_inode) const { return has(proc::descriptors(acceptor_), socket_inode); }

bool Server::is_ready() const {
    if (program().is_restless) return is_listening() && queued() == 0;
    return std::any_of(first_.begin(), first_.end(), [this](pid_t pid) {
        const std::vector<pid_t> threads = proc::threads(pid);
        return std::any_of(threads.begin(), threads.end(), [&](pid_t thread) {
            const std::string call = proc::blocked_in(thread);
            if (state_of(thread) != 'S') return false;
            return is_accept(call) || (is_wait_for_events(call) && has_empty_queue(pid));
        });
    });
}

bool Server::has_empty_queue(pid_t pid) const {
    const std::vector<proc::Descriptor> all = proc::descriptors(pid);
    const std::vector<proc::ListeningSocket> sockets = listening();
    return std::any_of(sockets.begin(), sockets.end(),
                       [&](const auto& socket) { return socket.queued == 0 && has(all, socket.inode); });
}

bool Server::is_asleep() const {
    return std::all_of(first_.begin(), first_.end(), [this](pid_t pid) {
        if (program().is_restless && pid == acceptor_) return state_of(pid) != 'T';
        const char state = state_of(pid);
        const bool is_gone = state == '?' || state == 'Z';
        return is_gone ? pid != acceptor_ : harness::is_asleep(pid);
    });
}

bool Server::is_listening() const { return !listening().empty(); }

unsigned Server::queued() const {
    unsigned count = 0;
    for (const proc::ListeningSocket& socket : listening()) count += socket.queued;
    return count;
}

unsigned Server::backlog() const {
    const std::vector<proc::ListeningSocket> sockets = listening();
    return sockets.empty() ? 0 : sockets.front().backlog;
}

std::vector<proc::Process> Server::children() const {
    std::vector<proc::Process> all = alive();
    std::erase_if(all, [this](const proc::Process& process) { return first_.contains(process.pid); });
    return all;
}

bool Server::has_noticed_exits() const {
    proc::wait_for_signals_of_seen_zombies();
    const proc::SignalState sigchld = proc::signal_state(acceptor_, SIGCHLD);
    return !sigchld.pending || sigchld.blocked;
}

bool Server::is_quiet(std::size_t at_work) const {
    const bool is_done = children().size() == at_work || program().is_restless;
    return is_done && has_noticed_exits() && is_ready() && is_asleep();  // in this order: SIGCHLD wakes
}

bool Server::is_at_rest() const {
    const std::vector<proc::Process> all = children();
    const std::string own = proc::executable(acceptor_);
    const auto rests = [&](const proc::Process& process) {
        const bool will_wake = proc::sleeps(process.pid) && proc::executable(process.pid) == own;
        return harness::is_asleep(process.pid) && !will_wake;
    };
    return std::all_of(all.begin(), all.end(), rests) && has_noticed_exits() && is_ready() && is_asleep();
}

bool Server::has_serving_thread(pid_t pid) const {
    const std::vector<pid_t> threads = proc::threads(pid);
    return std::any_of(threads.begin(), threads.end(), [&](pid_t thread) {
        if (thread == pid || !waits_for_bytes(thread)) return false;
        return !first_threads_.contains(thread) || !is_wait_for_events(proc::blocked_in(thread));
    });
}

std::vector<pid_t> Server::holders_of(const Client& client) const {
    const std::optional<proc::Connection> connection = proc::loopback_connection(port_, client.port());
    std::vector<pid_t> holders;
    if (!connection || connection->inode == 0) return holders;
    for (const proc::Process& process : alive()) {
        if (has(proc::descriptors(process.pid), connection->inode)) holders.push_back(process.pid);
    }
    std::stable_partition(holders.begin(), holders.end(), [this](pid_t pid) { return !first_.contains(pid); });
    return holders;
}

Place Server::place_of(const Client& client) const {
    if (!is_asleep()) return Place::moving;
    if (client.has_ended()) return Place::disconnected;
    const std::vector<pid_t> holders = holders_of(client);
    // It may have accepted the client, and forked, since it was seen asleep.
    if (!is_asleep() || holders_of(client) != holders) return Place::moving;
    // Workers may have a socket each: the one that got this client may be busy while another is ready.
    const bool may_be_accepted = is_ready() && (listening_inodes_.size() == 1 || queued() == 0);
    if (holders.empty()) return may_be_accepted || !is_asleep() ? Place::moving : Place::in_the_queue;
    if (first_.contains(holders.front())) return Place::with_the_server;
    return harness::is_asleep(holders.front()) ? Place::with_a_child : Place::moving;
}

bool waits_for_bytes(pid_t pid) {
    const std::string call = proc::blocked_in(pid);
    return is_one_of(call, {"recvfrom", "recvmsg", "read"}) || (is_wait_for_events(call) && !proc::sleeps(pid));
}

std::string Server::snapshot() const {
    std::ostringstream text;
    for (const proc::Process& process : alive()) {
        for (const pid_t thread : proc::threads(process.pid)) {
            text << thread << proc::blocked_in(thread) << state_of(thread) << ' ';
        }
    }
    return text.str();
}

std::string Server::state() {
    if (has_ended()) return exit_report();
    const std::string pid = "pid " + std::to_string(acceptor_);
    const std::string call = proc::blocked_in(acceptor_);
    if (is_forking_) return pid + " starts processes all the time";
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
    for (const proc::Process& process : all) {
        text << "\n  pid " << process.pid << " (" << process.name << ", child of " << process.ppid << "), state "
             << process.state << ", blocked in \"" << proc::blocked_in(process.pid) << '"';
        for (const proc::Descriptor& descriptor : proc::descriptors(process.pid)) {
            text << "\n    descriptor " << descriptor.number << ' ' << descriptor.target;
        }
    }
    text << "\n  stdout: " << last_lines(out()) << "\n  stderr: " << last_lines(err());
    return text.str();
}

}  // namespace harness
