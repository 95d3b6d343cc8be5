// What to start, under which conditions; and how a process turns into it.
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

/// How long to wait for what should happen. Generous, since machines are slow and loaded; it costs nothing when it does
/// happen.
constexpr std::chrono::milliseconds PATIENCE = std::chrono::seconds(30);

/// Thrown out of a wait when the user has interrupted us. It is no std::exception: no fault of a server is caught by
/// it.
struct Interrupted {};

struct Program {
    std::vector<std::string> command;  ///< program and arguments; looked up in PATH as a shell would
    std::map<std::string, std::string> environment = {};  ///< added to ours, of which the servers' settings are dropped
    std::optional<rlim_t> max_descriptors = {};  ///< RLIMIT_NOFILE; less where we may not have as many
    /// How many processes it may have, itself, threads and zombies included: fork(2) fails with EAGAIN for one more.
    /// What else its user runs is not counted (limits.hpp).
    std::optional<rlim_t> max_processes = {};
    /// Not ours, and able to do anything: it may not have more than 128 processes at once. Where what its user runs
    /// counts as well, that is added, and 1024 more.
    bool is_foreign = false;
    std::chrono::milliseconds patience = PATIENCE;  ///< how long to wait for it
    /// When every wait for it ends, however much patience is left.
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
    /// A signal handler's: not 0 makes every wait throw Interrupted. Null: there is no such handler.
    const volatile std::sig_atomic_t* interrupted = nullptr;
    std::string path = "/hello";  ///< of the page that clients ask for
    std::uint16_t port = 0;  ///< where it listens; 0: it is told to take a free port, and that is found
    std::size_t listening_socket = 0;  ///< which of its listening sockets is the server's, counted from 0
    /// It never comes to rest: it asks for its next client again and again, or starts processes without end
    /// (server.hpp).
    bool is_restless = false;
    /// The kernel hands over a client only when it has sent something (TCP_DEFER_ACCEPT, tcp(7)).
    bool defers_accept = false;

    /// The rest of `patience`, cut off at the deadline; not less than 0. Throws Interrupted.
    std::chrono::milliseconds patience_left() const { return until_deadline(patience); }
    /// The same of a longest time.
    std::chrono::milliseconds until_deadline(std::chrono::milliseconds longest) const;

    /// The same program with one more variable in its environment.
    Program with(const std::string& variable, const std::string& value) const;
};

/// Turns this process into the program, with `out` and `err` as its stdout and stderr; it dies with its parent, the
/// `keeper`. `to_keeper` is a socket for what the keeper needs in order to limit its processes. Returns only when the
/// program cannot be executed, with errno set. Throws std::system_error when a call fails, std::runtime_error when its
/// processes cannot be limited.
void become(const Program& program, int out, int err, int to_keeper, pid_t keeper);

}  // namespace harness
