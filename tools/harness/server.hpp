// A server under test: a Process that listens, and the state that the kernel reports for it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../net/socket.hpp"
#include "../proc/process.hpp"
#include "../proc/tcp.hpp"
#include "client.hpp"
#include "process.hpp"
#include "program.hpp"

namespace harness {

/// Where the connection of a silent client is.
enum class Place {
    with_a_child,  ///< a child that the server has forked for it
    with_the_server,  ///< a process that existed before the client connected
    in_the_queue,  ///< no process accepts it: all are busy
    disconnected,  ///< the server has closed the connection
    moving,  ///< not settled yet
};

/// The program was started, but it exited or did not listen in time. A fault of the observer, such as too few
/// descriptors, is a different std::runtime_error.
class NotListening : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Reserves a port of 127.0.0.1 for a server that cannot let the kernel choose one. The returned socket does not
/// listen. While it exists, the kernel chooses its port for no other socket. A server that sets SO_REUSEADDR can use
/// the port (socket(7)).
net::Socket reserve_port();

/// A program that was started and listens. Its port is that of the listening socket. The process or a descendant of it
/// holds that socket: a shell may have started the server, or it is a daemon.
class Server : public Process {
public:
    /// Starts `program` with PORT=0, so that the kernel chooses the port of a server that honours PORT. Returns when it
    /// listens and is blocked. Throws NotListening, with its last output, when it exits or does not listen in time.
    /// Also throws what Process's constructor throws.
    explicit Server(const Program& program);

    std::uint16_t port() const { return port_; }
    /// The process that holds the listening socket; the oldest when several do. When each worker has a socket of its
    /// own (SO_REUSEPORT), their parent.
    pid_t acceptor() const { return acceptor_; }
    std::size_t ports() const { return ports_; }  ///< the number of ports that it listens on

    bool has_ended() override;  ///< whether the acceptor has exited
    bool until_ended();  ///< as Process::until_ended, but stops waiting as until() does
    /// How it ended, and its last line on stderr: "it exited with 1: step_e: accept: Interrupted system call".
    std::string exit_report();
    std::string last_error_line() const;  ///< its last line on stderr; empty when there is none

    /// Waits until `condition` holds, or certainly never will, and returns whether it holds. The wait ends early when
    /// the server has exited, or all its processes have slept in the same calls for 5 seconds. It also ends when the
    /// server has used a second of CPU time without ever blocking, or a foreign one forks without end. For a restless
    /// server the wait lasts 6 seconds at most.
    bool until(const std::function<bool()>& condition);
    using Process::until;
    /// Whether `condition` holds in 25 checks in a row. Use it for a state that can appear for a moment in the middle
    /// of a change.
    bool stays(const std::function<bool()>& condition);

    // The state of the acceptor:
    bool waits_in_accept() const;  ///< asleep in accept(2), ready for the next client
    bool waits_for_a_child() const;  ///< asleep in wait4(2) or waitid(2)
    bool waits_in_recv() const;  ///< asleep in recv(2) or read(2): a client is silent
    bool is_stopped() const;  ///< stopped by a signal
    bool holds(std::uint64_t socket_inode) const;

    // The state of all processes and threads that existed before the first client: the server alone, or a master and
    // its workers.
    std::size_t sockets() const;  ///< the number of socket descriptors that they hold
    bool is_ready() const;  ///< one of them waits for the next client in accept(2), epoll_wait(2) or a similar call
    bool is_asleep() const;  ///< all are blocked, in any call

    bool is_listening() const;  ///< whether one of its listening sockets still exists
    std::uint64_t listening_inode() const { return listening_inodes_.empty() ? 0 : *listening_inodes_.begin(); }
    /// Whether the descriptor is one of its listening sockets.
    bool is_listening_socket(const proc::Descriptor& descriptor) const {
        return listening_inodes_.contains(descriptor.inode);
    }
    /// The pre-forked workers: processes besides the acceptor that existed before the first client and can accept it.
    std::vector<pid_t> workers() const;
    /// From now on all present descendants, such as replacement workers, count as started before the first client.
    void adopt();
    unsigned queued() const;  ///< the number of connections in its accept queues
    unsigned backlog() const;  ///< the backlog given to listen(2)

    /// The processes that it has started since it was ready for the first client, and that have not exited.
    std::vector<proc::Process> children() const;
    /// Whether the SIGCHLD of each child that was seen as a zombie has been delivered. The handler may still be
    /// running.
    bool has_noticed_exits() const;
    /// Whether the server has finished with its clients. Then exactly `at_work` children are left, and SIGCHLD has been
    /// delivered. The server is ready for the next client, and all its threads are blocked.
    bool is_quiet(std::size_t at_work = 0) const;
    /// The same for a server whose children may live on, for example as helpers. Such children are blocked and wait for
    /// an event, or run another program.
    bool is_at_rest() const;

    Place place_of(const Client& client) const;
    /// Whether a thread other than the first serves a client: it was started for it, or waits in recv(2).
    bool has_serving_thread(pid_t pid) const;
    /// The processes that hold the server's end of the connection, the server's children first.
    std::vector<pid_t> holders_of(const Client& client) const;

    bool starts_processes() const { return is_forking_; }  ///< without end: that is why the last wait ended
    bool runs_for_ever() const { return is_restless_ || is_forking_; }  ///< it never blocked, or it forks without end
    /// One line: each process and the call in which it sleeps.
    std::string state();
    /// The whole state in words, with the last lines of output. It explains a check that failed.
    std::string describe();

private:
    bool find_listening_socket();  // also records the processes that exist
    bool runs_without_end();  // whether it has used CPU time without ever blocking since it listens
    bool may_be_starting();  // one of its processes sleeps in nanosleep or a similar call
    void find_acceptor(const std::vector<proc::Process>& all);
    std::vector<proc::ListeningSocket> listening() const;
    bool has_empty_queue(pid_t pid) const;  // whether an accept queue of a socket that the process holds is empty
    std::string snapshot() const;

    pid_t acceptor_ = -1;
    std::uint16_t port_ = 0;
    std::size_t ports_ = 0;
    std::set<std::uint64_t> listening_inodes_;  // several when sockets share the port (SO_REUSEPORT)
    std::set<pid_t> first_;  // the processes that existed before the first client
    std::set<pid_t> first_threads_;  // the acceptor's threads before the first client
    bool is_restless_ = false;  // the last wait ended because it never blocks
    bool is_forking_ = false;  // the last wait ended because it forks without end
    std::optional<std::chrono::nanoseconds> work_at_rest_;  // the CPU time it had used when it last blocked
    std::optional<std::chrono::steady_clock::time_point> sleeping_since_;
    std::string elsewhere_;  // the address that it listens on, if 127.0.0.1 does not reach it
};

/// Whether the process waits for a client to send: it is blocked in recv(2) or read(2), or in poll(2) or a similar
/// call.
bool waits_for_bytes(pid_t pid);

}  // namespace harness
