// What to start, under which conditions; and how a process turns into it.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace harness {

/// How long to wait for what should happen. Generous, since machines are slow and loaded; it costs nothing when it does
/// happen.
constexpr std::chrono::milliseconds PATIENCE = std::chrono::seconds(30);

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

    /// The same program with one more variable in its environment.
    Program with(const std::string& variable, const std::string& value) const;
};

/// Turns this process into the program, with `out` and `err` as its stdout and stderr; it dies with its parent, the
/// `keeper`. `to_keeper` is a socket for what the keeper needs in order to limit its processes. Returns only when the
/// program cannot be executed, with errno set. Throws std::system_error when a call fails, std::runtime_error when its
/// processes cannot be limited.
void become(const Program& program, int out, int err, int to_keeper, pid_t keeper);

}  // namespace harness
