// Starts a program with its own limits and environment, watches it from outside, and ends it and its descendants.
//
// The keeper (keeper.hpp) runs between this process and the program. When the Process object is destroyed, or this
// process exits or is killed, the keeper kills and reaps all the program's descendants, then exits.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "../proc/process.hpp"
#include "fd.hpp"
#include "program.hpp"

namespace harness {

/// A program that was started. The destructor ends it, if it still runs.
class Process {
public:
    /// Returns when the program runs. Throws std::system_error when it cannot be started. Throws std::runtime_error,
    /// which says what helps, when it cannot be watched (no /proc, no descriptor left, no permission) or its processes
    /// cannot be limited (limits.hpp).
    explicit Process(const Program& program);
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    virtual ~Process();

    pid_t pid() const { return pid_; }
    const Program& program() const { return program_; }

    std::string out() const;  ///< what it and its children have written to stdout up to now
    std::string err() const;  ///< the same for stderr

    /// The wait status (waitpid(2)) of the program, once it has ended.
    std::optional<int> status();
    virtual bool has_ended() { return status().has_value(); }
    /// "exited with 1", "was killed by signal 15 (Terminated)"; "is running" until then.
    std::string fate();
    /// The same for a process that it has left behind; "is gone" when a process other than the keeper has reaped it.
    std::string fate_of(pid_t pid);
    /// The zombies that the program had not reaped when it ended.
    const std::vector<pid_t>& left_zombies() const { return left_zombies_; }

    /// Waits until `condition` holds, the program has ended, `patience` has run out or the program's deadline has
    /// passed. Returns whether `condition` holds. Throws Interrupted.
    bool until(const std::function<bool()>& condition) { return until(condition, program_.patience); }
    bool until(const std::function<bool()>& condition, std::chrono::milliseconds patience);
    /// Waits until the program has ended. Returns whether it has; afterwards status() has a value.
    bool until_ended();

    void signal(int number);  ///< Throws std::system_error when the program no longer exists.

    /// The program and its descendants that have not exited: parents before children, except for orphans.
    std::vector<proc::Process> alive() const;
    /// Its descendants that have exited and that their parent, the program or a descendant, has not waited for.
    std::vector<proc::Process> zombies() const;

protected:
    void set_restless() { program_.is_restless = true; }

private:
    void end();
    void read_reports();

    Program program_;
    Fd out_;  // a memfd that this process and the program share (memfd_create(2))
    Fd err_;
    Fd reports_;  // from the keeper; closing it makes the keeper end the program
    pid_t keeper_ = -1;
    pid_t pid_ = -1;
    std::map<pid_t, int> statuses_;  // wait statuses of the processes that the keeper has reaped
    std::vector<pid_t> left_zombies_;
    bool settled_ = false;  // the program has ended and the keeper has reported the zombies that it left
};

/// Waits until `condition` holds or `patience` has run out. Returns whether it holds. Checks it every 1 to 20
/// milliseconds.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience = PATIENCE);

}  // namespace harness
