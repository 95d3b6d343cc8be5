// Reads the state of processes from /proc (proc(5)). The processes are neither stopped nor involved. Everything here is
// a snapshot and may be out of date when it is returned. Each function that reads a file throws std::runtime_error when
// no descriptor is left (errors.hpp).
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace proc {

/// From /proc/PID/stat.
struct Process {
    pid_t pid = 0;
    pid_t ppid = 0;
    char state = '?';  ///< R running, S sleeping, D waiting for a disk, T stopped, Z zombie (proc(5), "state")
    std::string name;  ///< of the program, cut to 15 bytes
    unsigned threads = 1;  ///< number of threads; 0 or 1 means a single one
    std::uint64_t faults = 0;  ///< minor page faults ("minflt"); every process that has run has some
    std::uint64_t faults_of_reaped = 0;  ///< the faults of all children that it has waited for ("cminflt")
    std::uint64_t started = 0;  ///< start time, in clock ticks since boot
    /// Wait status (waitpid(2)) of a zombie; empty when this process may not read it.
    std::optional<int> exit_status = {};

    bool is_zombie() const { return state == 'Z'; }
};

/// Empty when there is no such process (any more).
std::optional<Process> process(pid_t pid);

/// Every process that /proc shows, sorted by pid.
std::vector<Process> processes();

/// The children of `pid`, zombies included.
std::vector<Process> children(pid_t pid);

/// The pids of the children alone. The kernel's list may omit a child when another is reaped during the reading
/// (proc(5), "/proc/PID/task/TID/children"). So it is read until two readings agree.
std::vector<pid_t> child_pids(pid_t pid);

/// `pid`'s children, their children, and so on, parents first. Also finds processes whose parent exits during the scan.
std::vector<Process> descendants(pid_t pid);

/// The ids of the process's threads (gettid(2)), `pid` itself first. The functions here that take a pid also take a
/// thread id.
std::vector<pid_t> threads(pid_t pid);

/// The name of the system call that the process is blocked in ("accept", "recvfrom"), from /proc/PID/syscall. Empty
/// when it is running, is a zombie or gone, or belongs to another user. A call without a known name is "system call
/// 123". A select(2), poll(2) or similar call without descriptors and timeout is "pause". It waits for a signal, and
/// some architectures implement pause(2) this way. Where only an ancestor may read that file (Yama's ptrace_scope), the
/// name is derived from /proc/PID/wchan, which identifies some calls only.
std::string blocked_in(pid_t pid);

/// Whether it is blocked in a call that waits only for time to pass: nanosleep(2), or select(2) or poll(2) with a
/// timeout and no descriptors.
bool sleeps(pid_t pid);

/// A wait status (waitpid(2)) in words: "exited with 1", "was killed by signal 15 (Terminated)".
std::string describe_wait_status(int status);

/// Returns when SIGCHLD has been sent for each process that was seen as a zombie before this call. The kernel shows a
/// zombie a moment before it sends the signal. It does both under the lock on the process table (exit_notify), which
/// waitid takes too: when waitid returns, those signals have been sent.
void wait_for_signals_of_seen_zombies();

/// Whether this process may read the descriptors, the blocking call and the exit status. The kernel shows them only to
/// the process's user and to root (ptrace(2), "Ptrace access mode checking"). False for a process that is gone.
bool is_readable(pid_t pid);

/// A text that changes whenever the process has run (/proc/PID/schedstat; of the first thread only). Empty when the
/// process is gone, or the kernel does not count. It is the cheapest way to detect activity.
std::string run_count(pid_t pid);

/// The processor time that the process has used, in all its threads (clock_getcpuclockid(3)). 0 when it is gone.
std::chrono::nanoseconds processor_time(pid_t pid);

/// The path of its program: the target of /proc/PID/exe. Empty when it may not be read.
std::string executable(pid_t pid);

/// The words of its command line. Empty for a zombie and for a kernel thread.
std::vector<std::string> command_line(pid_t pid);

/// An open descriptor.
struct Descriptor {
    int number = -1;
    std::string target;  ///< from readlink(2): "/dev/null", "pipe:[4711]", "socket:[4712]"
    std::uint64_t inode = 0;  ///< of a socket, the same for all copies of the descriptor; otherwise 0

    bool is_socket() const { return inode != 0; }
};

/// Empty when the process is a zombie or gone, or belongs to another user.
std::vector<Descriptor> descriptors(pid_t pid);

/// Whether `signal` was sent to the process and has not been delivered yet (SigPnd and ShdPnd of /proc/PID/status).
bool is_pending(pid_t pid, int signal);

enum class Disposition { default_action, ignored, handled };

/// How a process treats a signal, and whether one is pending: from the masks of /proc/PID/status. The kernel shows that
/// a handler exists, but not its flags (SA_RESTART).
struct SignalState {
    Disposition disposition = Disposition::default_action;
    bool blocked = false;
    bool pending = false;  ///< as is_pending; the kernel does not count how often it was sent

    bool operator==(const SignalState&) const = default;
};

/// All flags are false when there is no such process.
SignalState signal_state(pid_t pid, int signal);

/// The soft limits that setrlimit(2) has set; RLIM_INFINITY means no limit.
struct Limits {
    rlim_t descriptors = RLIM_INFINITY;
    rlim_t processes = RLIM_INFINITY;  ///< counted for its user over all programs; root is exempt
};

Limits limits(pid_t pid);

/// The real user id, from /proc/PID/status. Empty when there is no such process.
std::optional<uid_t> user_of(pid_t pid);

/// The number of processes and threads of the user, zombies included: the number that RLIMIT_NPROC limits
/// (getrlimit(2)).
std::size_t count_of_user(uid_t user);

}  // namespace proc
