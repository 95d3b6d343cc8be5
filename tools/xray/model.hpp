// A snapshot of a server: its processes, their descriptors and sockets, its queue, its signals. The functions of proc/
// read it from the kernel without stopping or tracing any process. It shows a past moment.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "../proc/process.hpp"
#include "../proc/tcp.hpp"

namespace xray {

struct Process {
    proc::Process head;
    std::size_t depth = 0;  ///< levels below the server: its children have 1
    bool is_hidden = false;  ///< belongs to another user: the kernel shows neither its descriptors nor its call
    std::string call;  ///< as proc::blocked_in
    std::vector<proc::Descriptor> descriptors;

    bool accepts() const { return call == "accept" || call == "accept4"; }
    bool receives() const { return call == "recvfrom" || call == "recvmsg" || call == "read"; }
    bool sleeps() const { return call == "nanosleep" || call == "clock_nanosleep"; }
    bool is_stopped() const { return head.state == 'T'; }
    bool holds(std::uint64_t inode) const;
};

/// The number of references to a socket.
struct References {
    std::size_t descriptors = 0;  ///< descriptors that refer to it: the reference count
    std::size_t processes = 0;  ///< processes that hold such a descriptor
};
using ReferenceCounts = std::unordered_map<std::uint64_t, References>;  ///< the key is the socket's inode

/// Adds the sockets that one process holds to the counts.
void add_references(ReferenceCounts& counts, const std::vector<proc::Descriptor>& descriptors);

/// The process that listens, and its descendants.
struct Server {
    std::vector<Process> processes;  ///< the server first, children after their parents
    std::string parent_name;  ///< empty when its parent is not visible
    proc::SignalState child_signal;  ///< how it treats SIGCHLD
    proc::Limits limits;
    uid_t user = 0;
    std::size_t processes_of_user = 0;  ///< counted against limits.processes
    std::vector<proc::ListeningSocket> listening;  ///< held by one of the processes
    std::vector<proc::TcpSocket> connections;  ///< held by one of the processes, in the order of their inodes
    /// The references to the sockets of its processes. References held by other processes that this user may inspect
    /// count too, above all those of a parent.
    ReferenceCounts references;
    /// Connections that are not accepted yet, the oldest first: accept will return them in this order.
    std::vector<proc::TcpSocket> queue;

    const Process& itself() const { return processes.front(); }
    std::size_t zombies() const;
    /// The number of entries in the accept queues whose clients have reset the connection. The kernel counts them, and
    /// accept will return them, but no list shows them.
    std::size_t reset_in_queue() const;
    /// The number of processes in the whole system that hold the socket, among those that this user may inspect.
    std::size_t holders(std::uint64_t inode) const;
    /// The number of descriptors that refer to it: close(2) ends a connection when it becomes 0.
    std::size_t references_to(std::uint64_t inode) const;
    const proc::ListeningSocket* listening_socket(std::uint64_t inode) const;  ///< null: there is none
    const proc::TcpSocket* connection(std::uint64_t inode) const;  ///< null: there is none
    std::vector<const proc::TcpSocket*> connections_of(const Process& process) const;  ///< sorted, each once
    /// Whether the connection is a leftover copy: the process is blocked in accept and will never read from it, and no
    /// other process holds it.
    bool is_leftover(const Process& holder, const proc::TcpSocket& connection) const;
};

/// A process that was a descendant of the server in the previous snapshot, and is not any more.
struct Ended {
    proc::Process head;  ///< its state in the last snapshot that contained it
    std::optional<int> status;  ///< its wait status (waitpid(2)); empty when the kernel does not show it
    bool is_orphan = false;  ///< it still runs, but is no longer a descendant of the server
};

/// The end of a server.
struct ServerExit {
    Ended ended;
    std::int64_t when = 0;  ///< when it was noticed, in seconds since the Epoch
    std::size_t orphans = 0;  ///< children that were still running
    /// Whether it was blocked in accept, had a handler for SIGCHLD and exited with an error when a child exited:
    /// step_e's fault.
    bool was_interrupted = false;
};

/// Everything that is shown, at one moment.
struct Snapshot {
    std::optional<Server> server;
    std::vector<Ended> ended;  ///< processes that the server has lost since the previous snapshot
    std::optional<ServerExit> server_exit;  ///< the end of the previous server, while there is no new one
    /// A listening socket of a process whose descriptors this user may not see.
    std::optional<proc::ListeningSocket> hidden_listener;
};

/// How much of a limit is used.
enum class Fill {
    low,
    high,  ///< at least three quarters
    nearly_full,  ///< at least nine tenths
};
Fill fill_of(std::size_t used, rlim_t limit);

/// "exited with 0", "was killed by signal 9 (Killed)"; "exit status not visible" when the status is empty.
std::string fate(const std::optional<int>& status);

/// The kind of a descriptor: "terminal", "pipe", a path. A socket that the kernel does not list is "without a TCP
/// connection". It was reset, is no TCP socket, or belongs to another network namespace. Only printable ASCII.
std::string kind_of(const proc::Descriptor& descriptor);

/// The text with a question mark for each byte that is not printable ASCII: names of processes and files may contain
/// anything, even escape sequences.
std::string printable(std::string text);

}  // namespace xray
