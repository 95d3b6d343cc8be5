// Starts a program with its own limits and environment, watches it from outside, and ends it with all that it started.
//
// Between us and the program stands the keeper (keeper.hpp): when we close the program, or die ourselves, of whatever
// signal, the keeper kills and reaps all that the program has started, and exits.
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

/// A program that was started. It ends, at the latest, with this object.
class Process {
public:
    /// Returns when the program runs. Throws std::system_error when it cannot be started; std::runtime_error, which
    /// says what helps, when it could not be watched (no /proc, no descriptor left, no right to look) or its processes
    /// could not be limited as they are to be (limits.hpp).
    explicit Process(const Program& program);
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    virtual ~Process();

    pid_t pid() const { return pid_; }
    const Program& program() const { return program_; }

    std::string out() const;  ///< what it and its children have written to stdout up to now
    std::string err() const;  ///< the same for stderr

    /// The wait status (waitpid(2)), once it has ended.
    std::optional<int> status();
    virtual bool has_ended() { return status().has_value(); }
    /// "exited with 1", "was killed by signal 15 (Terminated)"; "is running" until then.
    std::string fate();
    /// The same for a process that it has left behind; "is gone" when another process than the keeper has reaped it.
    std::string fate_of(pid_t pid);
    /// The zombies that it had not reaped when it ended.
    const std::vector<pid_t>& left_zombies() const { return left_zombies_; }

    /// Waits until `condition` holds or the program has ended or `patience` has run out, or the program's deadline has
    /// come; whether `condition` holds. Throws Interrupted.
    bool until(const std::function<bool()>& condition) { return until(condition, program_.patience); }
    bool until(const std::function<bool()>& condition, std::chrono::milliseconds patience);
    /// Waits until it has ended; whether it has. Afterwards there is a status.
    bool until_ended();

    void signal(int number);  ///< Throws std::system_error when it is not there any more.

    /// The program and all that it has started, which has not exited: parents first, but for who was left behind.
    std::vector<proc::Process> alive() const;
    /// Those of them that have exited and that their parent, another one of them, has not waited for.
    std::vector<proc::Process> zombies() const;

protected:
    void set_restless() { program_.is_restless = true; }

private:
    void end();
    void read_reports();

    Program program_;
    Fd out_;  // memory that both we and the program have open as a file (memfd_create(2))
    Fd err_;
    Fd reports_;  // from the keeper; when we close it, the keeper ends everything
    pid_t keeper_ = -1;
    pid_t pid_ = -1;
    std::map<pid_t, int> statuses_;  // of whom the keeper has reaped
    std::vector<pid_t> left_zombies_;
    bool settled_ = false;  // ended, and the zombies it left are known
};

/// Waits until `condition` holds or `patience` has run out; whether it holds. It is asked again every millisecond.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience = PATIENCE);

}  // namespace harness
