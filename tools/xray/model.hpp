// What is seen of a server: its processes, their descriptors and sockets, its queue, its signals. Read from the kernel
// by proc/, which neither stops nor traces anything; a snapshot is true for a moment that has passed.
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
    std::size_t depth = 0;  ///< below the server: its children have 1
    bool is_hidden = false;  ///< another user's: the kernel shows neither its descriptors nor its call
    std::string call;  ///< as proc::blocked_in
    std::vector<proc::Descriptor> descriptors;

    bool accepts() const { return call == "accept" || call == "accept4"; }
    bool receives() const { return call == "recvfrom" || call == "recvmsg" || call == "read"; }
    bool sleeps() const { return call == "nanosleep" || call == "clock_nanosleep"; }
    bool is_stopped() const { return head.state == 'T'; }
    bool holds(std::uint64_t inode) const;
};

/// How often a socket is held.
struct References {
    std::size_t descriptors = 0;  ///< that refer to it: the reference count
    std::size_t processes = 0;  ///< that have such a descriptor
};
using ReferenceCounts = std::unordered_map<std::uint64_t, References>;  ///< by the socket's inode

/// Adds the sockets that one process holds.
void add_references(ReferenceCounts& counts, const std::vector<proc::Descriptor>& descriptors);

/// The process that listens, and all that is below it.
struct Server {
    std::vector<Process> processes;  ///< itself first, then children after their parents
    std::string parent_name;  ///< empty when it has no parent that is shown
    proc::SignalState child_signal;  ///< what it does about SIGCHLD
    proc::Limits limits;
    uid_t user = 0;
    std::size_t processes_of_user = 0;  ///< counted against limits.processes
    std::vector<proc::ListeningSocket> listening;  ///< held by one of the processes
    std::vector<proc::TcpSocket> connections;  ///< held by one of the processes, in the order of their inodes
    /// To the sockets of the processes; also of processes elsewhere that we may look into, a parent above all.
    ReferenceCounts references;
    /// Connected to a listening socket and not accepted: the one that has waited longest first, as accept will take
    /// them.
    std::vector<proc::TcpSocket> queue;

    const Process& itself() const { return processes.front(); }
    std::size_t zombies() const;
    /// How many in the accept queues are no connections any more: their clients have reset them (the kernel counts
    /// them, and accept will return them, but it lists them nowhere).
    std::size_t reset_in_queue() const;
    /// How many processes hold the socket, in the whole system, as far as we may look into them.
    std::size_t holders(std::uint64_t inode) const;
    /// How many descriptors refer to it: close(2) ends a connection when this becomes 0.
    std::size_t references_to(std::uint64_t inode) const;
    const proc::ListeningSocket* listening_socket(std::uint64_t inode) const;  ///< null: there is none
    const proc::TcpSocket* connection(std::uint64_t inode) const;  ///< null: there is none
    std::vector<const proc::TcpSocket*> connections_of(const Process& process) const;  ///< sorted, each once
    /// Whether the process, blocked in accept, will never read from this connection, which nobody else holds: a copy
    /// that was left.
    bool is_leftover(const Process& holder, const proc::TcpSocket& connection) const;
};

/// A process that was below the server when we looked before, and is no more.
struct Ended {
    proc::Process head;  ///< as it was last seen
    std::optional<int> status;  ///< as waitpid(2) gives it; nothing when the kernel does not tell
    bool is_orphan = false;  ///< it is still there, but no longer below the server
};

/// The end of a server.
struct Death {
    Ended ended;
    std::int64_t when = 0;  ///< seconds since the Epoch, as we noticed it
    std::size_t orphans = 0;  ///< children that it has left at work
    /// Whether it ended with an error, out of accept, as a child exited, with a handler for SIGCHLD.
    bool was_interrupted = false;
};

/// What there is to see, at one look.
struct Snapshot {
    std::optional<Server> server;
    std::vector<Ended> ended;  ///< processes of the server that went since the look before
    std::optional<Death> death;  ///< of the server that was seen last, while there is no other
    std::optional<proc::ListeningSocket> hidden_listener;  ///< a process listens whose descriptors we may not see
};

/// How near a limit is.
enum class Fill {
    low,
    high,  ///< three quarters of it are used
    nearly_full,  ///< nine tenths
};
Fill fill_of(std::size_t used, rlim_t limit);

/// "exited with 0", "was killed by signal 9 (Killed)"; "exit status not visible" for nothing.
std::string fate(const std::optional<int>& status);

/// What the descriptor is, in words: "terminal", "pipe", a path. A socket that the kernel does not list is "without a
/// TCP connection": it was reset, or is of another kind, or of another network. Nothing but printable ASCII.
std::string kind_of(const proc::Descriptor& descriptor);

/// The text with a question mark for each byte that is not printable ASCII: names of processes and files may hold
/// anything, escape sequences too.
std::string printable(std::string text);

}  // namespace xray
