// Starts a program with its own limits and environment, watches it from outside, and ends it with all that it started.
//
// Between us and the program stands a keeper, a process that does nothing but own it: a subreaper (prctl(2)) in a
// session of its own. Whatever the program leaves behind becomes the keeper's child, so that nothing can get lost; when
// we close the program, or die ourselves, of whatever signal, the keeper kills and reaps it all and goes.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "../proc/process.hpp"

namespace harness {

/// How long to wait for what should happen. Generous, since machines are slow and loaded; it costs nothing when it does
/// happen.
constexpr std::chrono::milliseconds PATIENCE = std::chrono::seconds(30);

/// What to start, and under which conditions.
struct Program {
    std::vector<std::string> command;  ///< program and arguments; looked up in PATH as a shell would
    std::map<std::string, std::string> environment = {};  ///< added to ours, of which the servers' settings are dropped
    std::optional<rlim_t> max_descriptors = {};  ///< RLIMIT_NOFILE
    /// RLIMIT_NPROC, for this program alone. It counts the processes of a user, and root is exempt (getrlimit(2)): root
    /// becomes an unused user first; a user enters a user namespace, which has its own count since Linux 5.14; where
    /// neither can be had, what the user runs already is added to the limit.
    std::optional<rlim_t> max_processes = {};
    /// Not ours, and able to do anything: it may not have more than 128 processes at once, counted as above; where what
    /// the user runs counts as well, 1024 more.
    bool is_foreign = false;
    std::chrono::milliseconds patience = PATIENCE;  ///< how long to wait for it

    /// The same program with one more variable in its environment.
    Program with(const std::string& variable, const std::string& value) const;
};

/// A program that was started. It ends, at the latest, with this object.
class Process {
public:
    /// Returns when the program runs. Throws std::system_error when it cannot be started, std::runtime_error when we
    /// are root and could not watch it, since its processes are to be limited.
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

    /// Waits until `condition` holds or the program has ended or `patience` has run out; whether `condition` holds.
    bool until(const std::function<bool()>& condition) { return until(condition, program_.patience); }
    bool until(const std::function<bool()>& condition, std::chrono::milliseconds patience);
    /// Waits until it has ended; whether it has. Afterwards there is a status.
    bool until_ended();

    void signal(int number);  ///< Throws std::system_error when it is not there any more.

    /// The program and all that it has started, which has not exited: parents first, but for who was left behind.
    std::vector<proc::Process> alive() const;
    /// Those of them that have exited and that their parent, another one of them, has not waited for.
    std::vector<proc::Process> zombies() const;

private:
    void end();
    void read_reports();

    Program program_;
    int out_ = -1;  // memory that both we and the program have open as a file (memfd_create(2))
    int err_ = -1;
    int reports_ = -1;  // from the keeper; when we close it, the keeper ends everything
    pid_t keeper_ = -1;
    pid_t pid_ = -1;
    std::map<pid_t, int> statuses_;  // of whom the keeper has reaped
    std::vector<pid_t> left_zombies_;
    bool settled_ = false;  // ended, and the zombies it left are known
};

/// Waits until `condition` holds or `patience` has run out; whether it holds. It is asked again every millisecond.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience = PATIENCE);

/// For a process that was just forked: it is to be killed when its `parent` dies.
void die_with_parent(pid_t parent);

/// Calls `program` in a process of its own and returns its result, or 128 + n when signal n killed it: and not before
/// everything that it has left behind is gone. SIGINT, SIGTERM and SIGHUP are passed on to it.
int guarded(const std::function<int()>& program);

}  // namespace harness
