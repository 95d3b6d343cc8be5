#include "server.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "../proc/tcp.hpp"

namespace harness {
namespace {

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

bool is_one_of(const std::string& call, std::initializer_list<const char*> calls) {
    return std::find(calls.begin(), calls.end(), call) != calls.end();
}

/// The kernel shows a child as a zombie a moment before it sends SIGCHLD to the parent, but does both under its lock on
/// the process table (exit_notify), which waitid takes too: when it returns, the signals of all zombies that we have
/// seen have been sent.
void wait_for_signals_of_seen_zombies() {
    siginfo_t ignored;
    waitid(P_ALL, 0, &ignored, WEXITED | WNOHANG | WNOWAIT);
}

std::string last_lines(const std::string& text) {
    constexpr std::size_t MOST = 600;
    return text.size() <= MOST ? text : "…" + text.substr(text.size() - MOST);
}

}  // namespace

Server::Server(const Program& program)
    : Process(program.environment.count("PORT") ? program : program.with("PORT", "0")) {
    if (!until([this] { return find_listening_socket(); })) {
        throw std::runtime_error(program.command.front() + " does not listen: it " + fate() +
                                 "\nstdout: " + last_lines(out()) + "\nstderr: " + last_lines(err()));
    }
}

bool Server::find_listening_socket() {
    const std::vector<proc::ListeningSocket> listening = proc::listening_sockets();
    std::vector<proc::Process> candidates = proc::descendants(pid());
    candidates.insert(candidates.begin(), proc::Process{pid(), 0, '?', ""});
    for (const proc::Process& candidate : candidates) {
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

bool Server::is_asleep() const { return state_of(acceptor_) == 'S'; }

bool Server::waits_in_accept() const {
    return is_asleep() && is_one_of(proc::blocked_in(acceptor_), {"accept", "accept4"});
}

bool Server::waits_in_recv() const { return is_asleep() && waits_for_bytes(acceptor_); }

bool Server::waits_for_a_child() const {
    return is_asleep() && is_one_of(proc::blocked_in(acceptor_), {"wait4", "waitid"});
}

bool Server::is_stopped() const { return state_of(acceptor_) == 'T'; }

std::size_t Server::sockets() const {
    const std::vector<proc::Descriptor> all = proc::descriptors(acceptor_);
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const proc::Descriptor& one) { return one.is_socket(); }));
}

bool Server::holds(std::uint64_t socket_inode) const {
    const std::vector<proc::Descriptor> all = proc::descriptors(acceptor_);
    return std::any_of(all.begin(), all.end(),
                       [&](const proc::Descriptor& one) { return one.is_socket() && one.inode == socket_inode; });
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
    std::vector<proc::Process> all = proc::children(acceptor_);
    all.erase(std::remove_if(all.begin(), all.end(), [](const proc::Process& one) { return one.is_zombie(); }),
              all.end());
    return all;
}

std::vector<proc::Process> Server::zombies() const {
    std::vector<proc::Process> all = proc::children(acceptor_);
    all.erase(std::remove_if(all.begin(), all.end(), [](const proc::Process& one) { return !one.is_zombie(); }),
              all.end());
    return all;
}

bool Server::is_quiet(std::size_t at_work) const {
    if (children().size() != at_work) return false;
    wait_for_signals_of_seen_zombies();
    return !proc::is_pending(acceptor_, SIGCHLD) && waits_in_accept();  // in this order: delivered, then back in accept
}

bool waits_for_bytes(pid_t pid) { return is_one_of(proc::blocked_in(pid), {"recvfrom", "recvmsg", "read"}); }

std::string Server::describe() {
    std::ostringstream text;
    text << program().command.front() << " pid " << acceptor_ << ' ' << fate();
    if (const auto process = proc::process(acceptor_); process && !has_ended()) {
        text << ", state " << process->state << ", blocked in \"" << proc::blocked_in(acceptor_) << "\", " << queued()
             << " in the accept queue" << (proc::is_pending(acceptor_, SIGCHLD) ? ", SIGCHLD pending" : "");
        for (const proc::Descriptor& one : proc::descriptors(acceptor_)) {
            text << "\n  descriptor " << one.number << ' ' << one.target;
        }
        for (const proc::Process& child : proc::children(acceptor_)) {
            text << "\n  child " << child.pid << ", state " << child.state << ", blocked in \""
                 << proc::blocked_in(child.pid) << '"';
        }
    }
    text << "\n  stdout: " << last_lines(out()) << "\n  stderr: " << last_lines(err());
    return text.str();
}

}  // namespace harness
