// A server under test: a Process that listens, and what the kernel tells about it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../proc/process.hpp"
#include "process.hpp"

namespace harness {

/// A program that was started and listens. Its port is not told but found: it is that of the listening socket which the
/// process, or one below it (a shell's, a launcher's), holds.
class Server : public Process {
public:
    /// Starts `program`, on a port that the kernel chooses if it honours PORT, and returns when it listens. Throws
    /// std::system_error when it cannot be started, std::runtime_error with its last words when it ends or does not
    /// listen in time.
    explicit Server(const Program& program);

    std::uint16_t port() const { return port_; }
    /// The process that holds the listening socket; the oldest, when several do.
    pid_t acceptor() const { return acceptor_; }

    // What the acceptor is about:
    bool is_asleep() const;  ///< in whatever call
    bool waits_in_accept() const;  ///< asleep in accept(2), ready for the next client
    bool waits_for_a_child() const;  ///< asleep in wait(2) or one of its kind
    bool waits_in_recv() const;  ///< asleep in recv(2) or read(2), since a client is silent
    bool is_stopped() const;  ///< by SIGSTOP
    std::size_t sockets() const;  ///< how many descriptors of sockets it has
    bool holds(std::uint64_t socket_inode) const;

    bool is_listening() const;  ///< whether its listening socket still exists
    std::uint64_t listening_inode() const { return listening_inode_; }
    unsigned queued() const;  ///< how many connections wait to be accepted
    unsigned backlog() const;  ///< what listen(2) was given

    std::vector<proc::Process> children() const;  ///< that have not exited
    std::vector<proc::Process> zombies() const;  ///< children that have exited and were not waited for
    /// Whether all children but `at_work` have exited, the SIGCHLD of each has had its effect, and the acceptor waits
    /// in accept: for clients that are handled, nothing more will happen.
    bool is_quiet(std::size_t at_work = 0) const;

    /// All of this in words, with the last lines of its output: the evidence when something is not as expected.
    std::string describe();

private:
    bool find_listening_socket();

    pid_t acceptor_ = -1;
    std::uint16_t port_ = 0;
    std::uint64_t listening_inode_ = 0;
};

/// Whether the process is blocked in recv(2) or read(2).
bool waits_for_bytes(pid_t pid);

}  // namespace harness
