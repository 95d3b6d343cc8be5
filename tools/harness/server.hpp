// A server under test: a Process that listens, and what the kernel tells about it.
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

#include "../proc/process.hpp"
#include "../proc/tcp.hpp"
#include "client.hpp"
#include "process.hpp"
#include "program.hpp"

namespace harness {

/// Where a client has ended up that was connected and stays silent.
enum class Place {
    with_a_child,  ///< which the server has started for it
    with_the_server,  ///< one of the processes that were there before
    in_the_queue,  ///< nobody accepts it: all are busy with something else
    let_go,  ///< the server has closed it
    moving,  ///< none of these yet
};

/// A program was started, but it exited or did not listen in time. A fault of the observer, such as too few
/// descriptors, is another std::runtime_error.
class NotListening : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A program that was started and listens. Its port is not told but found: it is that of the listening socket which the
/// process, or one below it (a shell's, a launcher's, a daemon), holds.
class Server : public Process {
public:
    /// Starts `program`, on a port that the kernel chooses if it honours PORT, and returns when it listens and has come
    /// to rest. Throws NotListening with its last words when it ends or does not listen in time, and what Process's
    /// constructor throws.
    explicit Server(const Program& program);

    std::uint16_t port() const { return port_; }
    /// The process that holds the listening socket; the oldest, when several do. Where each of several workers has a
    /// socket of its own (SO_REUSEPORT), their parent.
    pid_t acceptor() const { return acceptor_; }
    std::size_t ports() const { return ports_; }  ///< at how many ports it listens

    bool has_ended() override;  ///< whether the acceptor has
    bool until_ended();  ///< as of a Process, but with an eye on whether it ever will
    /// "it exited with 1: step_e: accept: Interrupted system call": how it has ended, and its last words.
    std::string death();
    std::string last_words() const;  ///< its last line on stderr; empty when there is none

    /// Waits until `condition` holds, or it is certain that it never will: the server has ended, or all of it has been
    /// asleep in the same calls for 5 seconds, or it has run for a second of the processor's time and was never seen
    /// asleep, or a foreign one starts processes without end. For a server that never rests: until 6 seconds are over.
    /// Whether it holds.
    bool until(const std::function<bool()>& condition);
    using Process::until;
    /// Whether `condition` holds and goes on to hold over a number of looks: for what, in the middle of a change, looks
    /// for a moment like its end.
    bool stays(const std::function<bool()>& condition);

    // The state of the acceptor:
    bool waits_in_accept() const;  ///< asleep in accept(2), ready for the next client
    bool waits_for_a_child() const;  ///< asleep in wait(2) or one of its kind
    bool waits_in_recv() const;  ///< asleep in recv(2) or read(2), since a client is silent
    bool is_stopped() const;  ///< by SIGSTOP
    bool holds(std::uint64_t socket_inode) const;

    // The state of all that was there before the first client: one process, a master and its workers, threads.
    std::size_t sockets() const;  ///< how many descriptors of sockets they have
    bool is_ready() const;  ///< one waits for the next client: in accept(2), or in epoll_wait(2) and the like
    bool is_asleep() const;  ///< all wait, for whatever

    bool is_listening() const;  ///< whether a listening socket of its still exists
    std::uint64_t listening_inode() const { return listening_inodes_.empty() ? 0 : *listening_inodes_.begin(); }
    /// Whether the descriptor is one of its listening sockets.
    bool is_listening_socket(const proc::Descriptor& one) const { return listening_inodes_.contains(one.inode); }
    /// The processes besides the acceptor that were there before the first client and can accept it: pre-forked
    /// workers.
    std::vector<pid_t> workers() const;
    /// From now on all that it has started count as having been there before the first client, its new workers say.
    void adopt();
    unsigned queued() const;  ///< how many connections wait to be accepted
    unsigned backlog() const;  ///< what listen(2) was given

    /// The processes that it has started since the first client could come, and that have not exited.
    std::vector<proc::Process> children() const;
    /// Whether the SIGCHLD of each child that was seen to exit has been delivered: what else it makes of it, it is
    /// about to do, or has done.
    bool has_noticed_exits() const;
    /// Whether all children but `at_work` have exited, the SIGCHLD of each has had its effect, the server is ready for
    /// the next client and none of its threads runs: for clients that are handled, nothing more will happen.
    bool is_quiet(std::size_t at_work = 0) const;
    /// The same where children may live on that are asleep until something happens, or are another program: helpers
    /// that it has started, say.
    bool is_at_rest() const;

    Place place_of(const Client& client) const;
    /// Whether a thread serves a client: one that was started for it, or waits in recv(2) beside the first one.
    bool has_serving_thread(pid_t pid) const;
    /// The processes that hold the server's end of the connection, its children first.
    std::vector<pid_t> holders_of(const Client& client) const;

    bool starts_processes() const { return is_forking_; }  ///< without end: the last wait was given up for it
    bool runs_for_ever() const { return is_restless_ || is_forking_; }  ///< the same
    /// In one line: who is asleep in what.
    std::string state();
    /// All of this in words, with the last lines of its output: the evidence when something is not as expected.
    std::string describe();

private:
    bool find_listening_socket();  // and who is there
    bool runs_without_end();  // since it listens
    bool may_be_starting();  // one of its processes only lets time pass
    void find_acceptor(const std::vector<proc::Process>& all);
    std::vector<proc::ListeningSocket> listening() const;
    bool has_empty_queue(pid_t pid) const;  // a process: one of its listening sockets has nobody waiting
    std::string snapshot() const;

    pid_t acceptor_ = -1;
    std::uint16_t port_ = 0;
    std::size_t ports_ = 0;
    std::set<std::uint64_t> listening_inodes_;  // one; more where several sockets share the port (SO_REUSEPORT)
    std::set<pid_t> first_;  // the processes that were there before the first client
    std::set<pid_t> first_threads_;  // of the acceptor, before the first client
    bool is_restless_ = false;  // the last wait was given up since it runs all the time
    bool is_forking_ = false;  // or since it starts processes all the time
    std::optional<std::chrono::nanoseconds> work_at_rest_;  // of the processor's time, when it last waited
    std::optional<std::chrono::steady_clock::time_point> sleeping_since_;
    std::string elsewhere_;  // where it listens, if not where our clients come
};

/// Whether the process is blocked in recv(2) or read(2), or waits with poll(2) and the like until it need not be.
bool waits_for_bytes(pid_t pid);

}  // namespace harness
