#include "changes.hpp"

#include <sys/types.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "../proc/process.hpp"
#include "../proc/tcp.hpp"
#include "lessons.hpp"
#include "model.hpp"

namespace xray {
namespace {

using Log = std::vector<std::string>;

const Process* find(const Server& server, pid_t pid) {
    const auto found = std::find_if(server.processes.begin(), server.processes.end(),
                                    [&](const Process& process) { return process.head.pid == pid; });
    return found == server.processes.end() ? nullptr : &*found;
}

/// Whether the process has this descriptor, and it is the same file.
bool has(const Process& process, const proc::Descriptor& descriptor) {
    return std::any_of(process.descriptors.begin(), process.descriptors.end(), [&](const proc::Descriptor& candidate) {
        return candidate.number == descriptor.number && candidate.target == descriptor.target;
    });
}

/// "4711 "
std::string who(pid_t pid) { return std::to_string(pid) + ' '; }

std::string exits(const std::optional<int>& status) {
    if (status && WIFEXITED(*status)) return "exits " + std::to_string(WEXITSTATUS(*status));
    return status ? fate(status) : "exits, " + fate(status);
}

void log_closed(Log& log, const Server& now, pid_t pid, const proc::Descriptor& descriptor) {
    const std::string number = std::to_string(descriptor.number);
    if (!descriptor.is_socket()) log.push_back(who(pid) + "closes " + number + ": " + kind_of(descriptor));
    else if (now.holders(descriptor.inode) > 0) log.push_back(who(pid) + "closes its copy of " + number);
    else log.push_back(who(pid) + "closes " + number + ", the last copy");
}

void log_opened(Log& log, const Server& now, pid_t pid, const proc::Descriptor& descriptor) {
    const std::string number = std::to_string(descriptor.number);
    const proc::ListeningSocket* const listening = now.listening_socket(descriptor.inode);
    const proc::TcpSocket* const connection = now.connection(descriptor.inode);
    const bool is_accepted =
        connection && std::any_of(now.listening.begin(), now.listening.end(),
                                  [&](const auto& socket) { return socket.port == connection->port; });
    if (listening) log.push_back(who(pid) + "listens on " + listening->address + " with " + number);
    else if (is_accepted) log.push_back(who(pid) + "accepts " + connection->peer + " as " + number);
    else if (connection) log.push_back(who(pid) + "opens " + number + ": connection to " + connection->peer);
    else log.push_back(who(pid) + "opens " + number + ": " + kind_of(descriptor));
}

/// Logs a new child. fork gives it a copy of every descriptor. So the child has closed what its parent had before and
/// still has but the child has not. A connection that only the child has was accepted by its parent.
void log_fork(Log& log, const Server& before, const Server& now, const Process& child) {
    const pid_t pid = child.head.pid;
    const Process* const parent_before = find(before, child.head.ppid);
    const Process* const parent = find(now, child.head.ppid);
    const bool is_a_copy = parent && parent_before && child.head.name == parent->head.name && !child.is_hidden;
    Log closed_by_parent;
    for (const proc::Descriptor& descriptor : child.descriptors) {
        if (!is_a_copy || !now.connection(descriptor.inode) || has(*parent, descriptor) ||
            before.holders(descriptor.inode) > 0)
            continue;
        log_opened(log, now, parent->head.pid, descriptor);
        log_closed(closed_by_parent, now, parent->head.pid, descriptor);
    }
    log.push_back(who(pid) + "fork, child of " + std::to_string(child.head.ppid));
    if (child.head.is_zombie()) log.push_back(who(pid) + exits(child.head.exit_status) + ": zombie");
    else if (is_a_copy) {
        for (const proc::Descriptor& descriptor : parent->descriptors) {
            if (descriptor.is_socket() && has(*parent_before, descriptor) && !has(child, descriptor))
                log_closed(log, now, pid, descriptor);
        }
    }
    log.insert(log.end(), closed_by_parent.begin(), closed_by_parent.end());
}

void log_process(Log& log, const Server& now, const Process& before, const Process& process) {
    const pid_t pid = process.head.pid;
    if (process.head.name != before.head.name) log.push_back(who(pid) + "exec: " + process.head.name);
    if (process.head.is_zombie()) {
        if (!before.head.is_zombie()) log.push_back(who(pid) + exits(process.head.exit_status) + ": zombie");
        return;
    }
    if (process.is_stopped() && !before.is_stopped()) log.push_back(who(pid) + "is stopped");
    if (!process.is_stopped() && before.is_stopped()) log.push_back(who(pid) + "goes on");
    for (const proc::Descriptor& descriptor : before.descriptors) {
        if (!has(process, descriptor)) log_closed(log, now, pid, descriptor);
    }
    for (const proc::Descriptor& descriptor : process.descriptors) {
        if (!has(before, descriptor)) log_opened(log, now, pid, descriptor);
    }
}

void log_end(Log& log, const Snapshot& before, const Snapshot& now, const Ended& ended) {
    const std::string pid = std::to_string(ended.head.pid);
    if (ended.is_orphan) return log.push_back(pid + " has lost its parent, and goes on");
    if (!ended.head.is_zombie()) log.push_back(pid + ' ' + exits(ended.status));
    if (!now.server || !find(*now.server, ended.head.ppid)) return;
    const bool ignores = before.server && before.server->child_signal.disposition == proc::Disposition::ignored;
    if (ignores) log.push_back(pid + " is no zombie: its parent ignores SIGCHLD");
    else log.push_back(who(ended.head.ppid) + "reaps " + pid);
}

void log_sockets(Log& log, const Server& before, const Server& now) {
    const pid_t pid = now.itself().head.pid;
    for (const proc::ListeningSocket& socket : now.listening) {
        const proc::ListeningSocket* const same = before.listening_socket(socket.inode);
        if (same && same->queued == socket.queued) continue;
        if (!same && socket.queued == 0) continue;
        log.push_back(who(pid) + "has " + std::to_string(socket.queued) + " in its accept queue, of " +
                      std::to_string(socket.backlog));
    }
    for (const proc::TcpSocket& socket : now.connections) {
        const proc::TcpSocket* const same = before.connection(socket.inode);
        if (same && same->state != socket.state) {
            log.push_back(socket.address + " <-> " + socket.peer + " is " + proc::tcp_state_name(socket.state));
        }
    }
}

void log_signal(Log& log, const Server& before, const Server& now) {
    const pid_t pid = now.itself().head.pid;
    const proc::SignalState& state = now.child_signal;
    const char* const dispositions[] = {"default", "ignored", "handled"};
    if (state.disposition != before.child_signal.disposition) {
        log.push_back(who(pid) + "SIGCHLD: " + dispositions[static_cast<int>(state.disposition)]);
    }
    if (state.pending != before.child_signal.pending) {
        log.push_back(who(pid) + (state.pending ? "SIGCHLD is pending" : "SIGCHLD is delivered"));
    }
}

/// Logs the explanations that did not apply before.
void log_lessons(Log& log, const Snapshot& before, const Snapshot& now) {
    const std::vector<Lesson> known = lessons(before);
    for (const Lesson& lesson : lessons(now)) {
        const bool is_known =
            std::any_of(known.begin(), known.end(), [&](const Lesson& old) { return old.id == lesson.id; });
        if (!is_known) log.push_back("> " + lesson.text + " Look up: " + lesson.look_up);
    }
}

void log_start(Log& log, const Server& server) {
    for (const proc::ListeningSocket& socket : server.listening) {
        log.push_back(who(server.itself().head.pid) + server.itself().head.name + " listens on " + socket.address);
    }
    if (server.listening.empty())
        log.push_back(who(server.itself().head.pid) + server.itself().head.name + " is there");
    const std::size_t below = server.processes.size() - 1;
    if (below > 0)
        log.push_back(std::to_string(below) + " processes are below it, " + std::to_string(server.zombies()) +
                      " of them zombies");
}

}  // namespace

std::vector<std::string> changes(const Snapshot& before, const Snapshot& now) {
    Log log;
    if (before.server && now.server && before.server->itself().head.pid == now.server->itself().head.pid) {
        for (const Process& process : now.server->processes) {
            const Process* const same = find(*before.server, process.head.pid);
            if (same && same->head.started == process.head.started) log_process(log, *now.server, *same, process);
            else log_fork(log, *before.server, *now.server, process);
        }
        log_sockets(log, *before.server, *now.server);
    } else if (now.server) {
        log_start(log, *now.server);
    }
    for (const Ended& ended : now.ended) log_end(log, before, now, ended);
    if (before.server && now.server) log_signal(log, *before.server, *now.server);
    if (before.server && now.server_exit) {
        log.push_back(who(now.server_exit->ended.head.pid) + exits(now.server_exit->ended.status) +
                      ": the server is gone");
    }
    log_lessons(log, before, now);
    return log;
}

}  // namespace xray
