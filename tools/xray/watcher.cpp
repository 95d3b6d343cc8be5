#include "watcher.hpp"

#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

#include "../proc/pidfd.hpp"
#include "../proc/process.hpp"
#include "../proc/tcp.hpp"
#include "model.hpp"

namespace xray {
namespace {

using Listening = std::vector<proc::ListeningSocket>;

/// How old data may be that can change while no process of the server runs: a client disconnects, the user starts other
/// processes.
constexpr std::chrono::milliseconds SOCKETS_STAY_FRESH{250};
constexpr std::chrono::milliseconds COUNT_STAYS_FRESH{2000};

bool listens(pid_t pid, const Listening& sockets) {
    const std::vector<proc::Descriptor> descriptors = proc::descriptors(pid);
    return std::any_of(descriptors.begin(), descriptors.end(), [&](const proc::Descriptor& descriptor) {
        return std::any_of(sockets.begin(), sockets.end(), [&](const auto& socket) {
            return descriptor.is_socket() && descriptor.inode == socket.inode;
        });
    });
}

/// The oldest process that listens on one of the sockets and that `fits` accepts; -1: none. The oldest is the server,
/// since children that hold a copy of the socket are younger.
template <class Fits> pid_t oldest_listener(const Listening& sockets, Fits fits) {
    const proc::Process* oldest = nullptr;
    const std::vector<proc::Process> all = proc::processes();
    for (const proc::Process& process : all) {
        if (oldest && std::tie(oldest->started, oldest->pid) < std::tie(process.started, process.pid)) continue;
        // Call fits last: it may have to read the memory of the process.
        if (listens(process.pid, sockets) && fits(process)) oldest = &process;
    }
    return oldest ? oldest->pid : -1;
}

/// A process that `fits` accepts and whose descriptors this user may not see; -1: none.
template <class Fits> pid_t any_hidden(Fits fits) {
    for (const proc::Process& process : proc::processes()) {
        if (!proc::is_readable(process.pid) && fits(process)) return process.pid;
    }
    return -1;
}

bool is_kernel_thread(pid_t pid) { return proc::command_line(pid).empty(); }

/// Whether the connection is not accepted yet: no descriptor refers to it. A closed socket has no descriptor either,
/// but leaves these states at once.
bool is_unaccepted(const proc::TcpSocket& socket) {
    return socket.inode == 0 && (socket.state == TCP_ESTABLISHED || socket.state == TCP_CLOSE_WAIT);
}

/// Whether the process still exists and is no zombie.
bool is_alive(const proc::Process& process) {
    const std::optional<proc::Process> now = proc::process(process.pid);
    return now && !now->is_zombie() && now->started == process.started;
}

}  // namespace

std::string Target::describe() const {
    if (!name.empty()) return "a program named " + printable(name);
    return (may_be_pid ? "port or pid " : "port ") + std::to_string(number);
}

bool is_started_as(pid_t pid, const std::string& name) {
    const std::vector<std::string> words = proc::command_line(pid);
    return std::any_of(words.begin(), words.begin() + std::min<std::ptrdiff_t>(2, std::ssize(words)),
                       [&](const std::string& word) { return word.substr(word.rfind('/') + 1) == name; });
}

Watcher::Watcher(Target target) : target_(std::move(target)), events_(epoll_create1(EPOLL_CLOEXEC)) {
    if (events_ == -1) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

Watcher::~Watcher() { close(events_); }

const Snapshot& Watcher::look() {
    epoll_event seen[64];
    while (epoll_wait(events_, seen, 64, 0) == 64) {  // edge-triggered: each event is reported only once
    }
    snapshot_.ended.clear();
    if (pid_ != -1) read_server();
    if (pid_ == -1) {
        find();
        if (pid_ != -1) read_server();
    }
    return snapshot_;
}

void Watcher::find() {
    Listening sockets = proc::listening_sockets();
    snapshot_.hidden_listener.reset();
    if (!target_.name.empty()) {
        const auto is_called_so = [&](const proc::Process& process) {
            return process.name == target_.name.substr(0, 15);
        };
        const auto is_started_so = [&](const proc::Process& process) {
            return is_started_as(process.pid, target_.name);
        };
        pid_ = oldest_listener(sockets, is_called_so);
        if (pid_ == -1) pid_ = oldest_listener(sockets, is_started_so);
        if (pid_ == -1) pid_ = any_hidden(is_called_so);
    } else {
        Listening of_port;
        std::copy_if(sockets.begin(), sockets.end(), std::back_inserter(of_port),
                     [&](const auto& socket) { return socket.port == target_.number; });
        if (!of_port.empty()) {
            pid_ = oldest_listener(of_port, [](const proc::Process&) { return true; });
            if (pid_ == -1) snapshot_.hidden_listener = of_port.front();
        } else if (target_.may_be_pid && (listens(target_.number, sockets) ||
                                          (!proc::is_readable(target_.number) && !is_kernel_thread(target_.number)))) {
            pid_ = target_.number;
        }
    }
    const std::optional<proc::Process> found = proc::process(pid_);
    if (!found || found->is_zombie()) pid_ = -1;
    else started_ = found->started;
}

void Watcher::read_server() {
    const std::optional<proc::Process> head = proc::process(pid_);
    if (!head || head->is_zombie() || head->started != started_) return record_server_exit();

    Server server;
    has_run_ = false;
    for (auto& [pid, known] : known_) known.is_seen = false;
    server.processes.reserve(known_.size());
    visit(pid_, 0, server.processes);
    proc::wait_for_signals_of_seen_zombies();
    server.child_signal = proc::signal_state(pid_, SIGCHLD);
    if (server.processes.empty() || !read(known_.at(pid_))) return record_server_exit();  // it ended meanwhile
    server.processes.front() = known_.at(pid_).process;  // last: so the server's state is not older than its children's
    if (proc::run_count(pid_) != known_.at(pid_).run_count) drop_reaped(server.processes);
    drop_unseen();

    const std::optional<proc::Process> parent = proc::process(head->ppid);
    if (parent) server.parent_name = printable(parent->name);
    server.limits = proc::limits(pid_);
    server.user = proc::user_of(pid_).value_or(0);
    if (Clock::now() - user_counted_ > COUNT_STAYS_FRESH) {
        processes_of_user_ = proc::count_of_user(server.user);
        user_counted_ = Clock::now();
    }
    server.processes_of_user = processes_of_user_;
    for (const Process& process : server.processes) add_references(server.references, process.descriptors);
    const auto is_orphan = [](const Ended& ended) { return ended.is_orphan; };
    const bool has_orphans = std::any_of(snapshot_.ended.begin(), snapshot_.ended.end(), is_orphan);
    elsewhere_.add_to(server.references, server.processes, has_orphans);
    read_sockets(server);
    remember_accept(server);
    snapshot_.server = std::move(server);
    snapshot_.server_exit.reset();
    snapshot_.hidden_listener.reset();
}

/// Removes the zombies that the server has reaped since they were read.
void Watcher::drop_reaped(std::vector<Process>& tree) {
    std::erase_if(tree, [this](const Process& process) {
        if (!process.head.is_zombie()) return false;
        const std::optional<proc::Process> now = proc::process(process.head.pid);
        const bool is_reaped = !now || now->started != process.head.started;
        if (is_reaped) known_.at(process.head.pid).is_seen = false;
        return is_reaped;
    });
}

/// Adds the process and its descendants to the tree.
void Watcher::visit(pid_t pid, std::size_t depth, std::vector<Process>& tree) {
    const auto [found, is_new] = known_.try_emplace(pid, Known{{}, "", {}, proc::PidFd(pid), true});
    Known& known = found->second;
    known.process.head.pid = pid;
    if (is_new) {
        epoll_event event = {EPOLLIN | EPOLLET, {}};
        epoll_ctl(events_, EPOLL_CTL_ADD, known.hold.fileno(), &event);
    }
    const proc::Process& head = known.process.head;
    // A zombie never runs again, and is in its parent's list until the parent, which has to run for that, reaps it.
    const std::string run_count = head.is_zombie() ? known.run_count : proc::run_count(pid);
    const bool is_still = !is_new && !run_count.empty() && run_count == known.run_count && head.threads <= 1 &&
                          (head.state == 'S' || head.is_zombie());
    if (!is_still) {
        known.run_count = run_count;
        has_run_ = true;
        if (!read(known)) {
            known.is_seen = false;
            return;
        }
        std::vector<pid_t> children = proc::child_pids(pid);
        // The kernel's list may omit a child when another is reaped meanwhile.
        for (const pid_t child : known.children) {
            if (std::binary_search(children.begin(), children.end(), child)) continue;
            const std::optional<proc::Process> missing = proc::process(child);
            if (missing && missing->ppid == pid)
                children.insert(std::upper_bound(children.begin(), children.end(), child), child);
        }
        known.children = std::move(children);
    }
    known.is_seen = true;
    known.process.depth = depth;
    tree.push_back(known.process);
    for (const pid_t child : known.children) visit(child, depth + 1, tree);
}

/// Reads the state of the process. Returns false when it is gone, or another process has its pid now.
bool Watcher::read(Known& known) {
    const std::uint64_t started = known.process.head.started;
    const std::optional<proc::Process> head = proc::process(known.process.head.pid);
    if (!head || (started != 0 && head->started != started)) return false;
    known.process.head = *head;
    known.process.head.name = printable(head->name);
    known.process.is_hidden = !proc::is_readable(head->pid);
    known.process.call = head->state == 'S' || head->state == 'D' ? proc::blocked_in(head->pid) : "";
    known.process.descriptors = head->is_zombie() ? std::vector<proc::Descriptor>() : proc::descriptors(head->pid);
    return true;
}

/// Forgets processes that are no longer descendants of the server: they have exited, or their parent has.
void Watcher::drop_unseen() {
    for (auto entry = known_.begin(); entry != known_.end();) {
        const auto& [pid, known] = *entry;
        if (known.is_seen) {
            ++entry;
            continue;
        }
        const bool is_there = is_alive(known.process.head);
        snapshot_.ended.push_back({known.process.head, known.hold.exit_status(), is_there});
        entry = known_.erase(entry);
    }
}

/// Whether the list contains each socket that a process of the server holds. A socket that is missing may be no TCP
/// socket at all.
bool Watcher::has_all_sockets_of(const Server& server) const {
    std::unordered_set<std::uint64_t> known;
    for (const proc::TcpSocket& socket : sockets_) known.insert(socket.inode);
    for (const proc::ListeningSocket& socket : server.listening) known.insert(socket.inode);
    const auto is_known = [&](const proc::Descriptor& descriptor) {
        return !descriptor.is_socket() || known.count(descriptor.inode) > 0;
    };
    return std::all_of(server.processes.begin(), server.processes.end(), [&](const Process& process) {
        return std::all_of(process.descriptors.begin(), process.descriptors.end(), is_known);
    });
}

void Watcher::read_sockets(Server& server) {
    unsigned queued = 0;
    for (const proc::ListeningSocket& listener : proc::listening_sockets()) {
        if (server.holders(listener.inode) == 0) continue;
        server.listening.push_back(listener);
        queued += listener.queued;
    }
    const Clock::time_point now = Clock::now();
    if (has_run_ || queued != queued_ || now - sockets_read_ > SOCKETS_STAY_FRESH || !has_all_sockets_of(server)) {
        int attempts = 0;
        // The kernel's list may omit a socket when others are closed meanwhile.
        do sockets_ = proc::tcp_sockets(queued > 0);
        while (!has_all_sockets_of(server) && ++attempts < 3);
        sockets_read_ = now;
        queued_ = queued;
    }
    for (const proc::TcpSocket& connection : sockets_) {
        if (connection.inode != 0 && server.holders(connection.inode) > 0) server.connections.push_back(connection);
    }
    std::sort(server.connections.begin(), server.connections.end(),
              [](const auto& a, const auto& b) { return a.inode < b.inode; });
    for (const proc::TcpSocket& connection : sockets_) {
        const bool waits = std::any_of(server.listening.begin(), server.listening.end(), [&](const auto& socket) {
            return socket.queued > 0 && socket.port == connection.port;
        });
        if (waits && is_unaccepted(connection)) server.queue.push_back(connection);
    }
    std::stable_sort(server.queue.begin(), server.queue.end(),
                     [](const auto& a, const auto& b) { return a.since_sent > b.since_sent; });
}

/// Records whether the server was blocked in accept when a child exited. A server that this ends runs once more before
/// it exits, so the record is kept.
void Watcher::remember_accept(const Server& server) {
    if (!server.itself().call.empty()) {
        was_in_accept_ = server.itself().accepts();
        has_lost_child_ = false;
    } else if (server.zombies() > 0 || !snapshot_.ended.empty()) {
        has_lost_child_ = true;
    }
}

/// Records the end of the server.
void Watcher::record_server_exit() {
    ServerExit server_exit;
    // In this order: /proc shows a zombie's status until it is reaped, and the pidfd shows it from then on.
    const std::optional<proc::Process> zombie = proc::process(pid_);
    if (zombie && zombie->started == started_) server_exit.ended.status = zombie->exit_status;
    if (const auto itself = known_.find(pid_); itself != known_.end()) {
        server_exit.ended.head = itself->second.process.head;
        if (!server_exit.ended.status) server_exit.ended.status = itself->second.hold.exit_status();
    }
    known_.erase(pid_);
    for (auto& [pid, known] : known_) known.is_seen = false;
    drop_unseen();
    const auto& ended = snapshot_.ended;
    server_exit.orphans = static_cast<std::size_t>(
        std::count_if(ended.begin(), ended.end(), [](const Ended& process) { return process.is_orphan; }));
    has_lost_child_ = has_lost_child_ || server_exit.orphans < ended.size();
    const bool failed =
        server_exit.ended.status && WIFEXITED(*server_exit.ended.status) && WEXITSTATUS(*server_exit.ended.status) != 0;
    const bool handles = snapshot_.server && snapshot_.server->child_signal.disposition == proc::Disposition::handled;
    server_exit.was_interrupted = failed && handles && was_in_accept_ && has_lost_child_;
    server_exit.when = std::time(nullptr);
    snapshot_.server_exit = server_exit;
    snapshot_.server.reset();
    pid_ = -1;
}

}  // namespace xray
