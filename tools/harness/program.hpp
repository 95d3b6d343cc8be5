// Describes a program to be started, with its limits and environment, and executes it.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace harness {

/// How long to wait for an expected event. The time is long, since machines can be slow or busy. It costs nothing when
/// the event happens.
constexpr std::chrono::milliseconds PATIENCE = std::chrono::seconds(30);

/// Thrown by a wait when the user has pressed Ctrl-C. It is no std::exception, so that code which catches a server's
/// errors does not catch it.
struct Interrupted {};

struct Program {
    std::vector<std::string> command;  ///< the program, which is looked up in PATH as in a shell, and its arguments
    /// Added to this process's environment, from which the servers' settings are removed.
    std::map<std::string, std::string> environment = {};
    std::optional<rlim_t> max_descriptors = {};  ///< RLIMIT_NOFILE; lower when our own hard limit is lower
    /// The most processes that it may have, counting itself, its threads and zombies. One fork(2) more fails with
    /// EAGAIN. Other processes of the same user are not counted (limits.hpp).
    std::optional<rlim_t> max_processes = {};
    /// An unknown program, which may do anything: it may have at most 128 processes at once. Where the kernel counts
    /// other processes of its user too, their number plus 1024 is added to the limit.
    bool is_foreign = false;
    std::chrono::milliseconds patience = PATIENCE;  ///< how long to wait for an event
    /// Every wait ends at this time, however much patience is left.
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
    /// Set by a signal handler: when it is not 0, every wait throws Interrupted. Null when there is no such handler.
    const volatile std::sig_atomic_t* interrupted = nullptr;
    std::string path = "/hello";  ///< the path that clients request
    std::uint16_t port = 0;  ///< where it listens; 0: PORT=0 asks it to choose one, which is then looked up
    std::size_t listening_socket = 0;  ///< which of its listening sockets clients connect to, counted from 0
    /// It never blocks: it polls for its next client, or starts processes without end (server.hpp).
    bool is_restless = false;
    /// accept(2) returns a connection only after the client has sent something (TCP_DEFER_ACCEPT, tcp(7)).
    bool defers_accept = false;

    /// `patience`, or the time until the deadline if that is shorter; never negative. Throws Interrupted.
    std::chrono::milliseconds patience_left() const { return until_deadline(patience); }
    /// The same for the given time instead of `patience`.
    std::chrono::milliseconds until_deadline(std::chrono::milliseconds longest) const;

    /// The same program with one more variable in its environment.
    Program with(const std::string& variable, const std::string& value) const;
};

/// Executes the program in this process, with `out` and `err` as its stdout and stderr. The kernel kills it when its
/// parent, the `keeper`, exits. Through the socket `to_keeper` the keeper receives what it needs to limit the program's
/// processes. Returns only when the program cannot be executed, with errno set. Throws std::system_error when a call
/// fails, std::runtime_error when the processes cannot be limited.
void become(const Program& program, int out, int err, int to_keeper, pid_t keeper);

}  // namespace harness
