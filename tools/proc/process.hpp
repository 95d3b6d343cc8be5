// What the Linux kernel says about processes, read from /proc (proc(5)): never from the process itself, which is
// neither stopped nor asked. Everything here is a snapshot; it may be out of date when it is returned. Each function
// that reads a file throws std::runtime_error when there is no descriptor left to read it with (errors.hpp).
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

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
    std::string name;  ///< the program's, at most 15 bytes of it
    unsigned threads = 1;  ///< 0 or 1: it is alone
    std::uint64_t faults = 0;  ///< pages that it was given: no two runs have none ("minflt")
    std::uint64_t faults_of_reaped = 0;  ///< those of all children that it has waited for ("cminflt")
    std::uint64_t started = 0;  ///< in clock ticks since the system was started
    std::optional<int> exit_status = {};  ///< a zombie's, as waitpid(2) gives it; nothing when we may not read it

    bool is_zombie() const { return state == 'Z'; }
};

/// Nothing when there is no such process (any more).
std::optional<Process> process(pid_t pid);

/// Every process that /proc shows, in the order of their pids.
std::vector<Process> processes();

/// The children of `pid`, zombies included.
std::vector<Process> children(pid_t pid);

/// The same, of their pids alone. The kernel's list may lack one when another is reaped while it is read (proc(5),
/// "/proc/PID/task/TID/children"): it is read until two looks agree.
std::vector<pid_t> child_pids(pid_t pid);

/// `pid`'s children, their children, and so on, parents first. Nobody is missed because its parent ends meanwhile.
std::vector<Process> descendants(pid_t pid);

/// The threads of the process by their ids (gettid(2)), of which the first is `pid` itself. To the kernel a thread is a
/// process like another: what takes a pid here takes such an id as well.
std::vector<pid_t> threads(pid_t pid);

/// The name of the system call that the process is blocked in ("accept", "recvfrom"), from /proc/PID/syscall. Empty
/// when it is running, is a zombie or gone, or belongs to another user. A call that has no name here is "system call
/// 123". A call of select(2), poll(2) or their kind without a descriptor and without a timeout is a "pause": it waits
/// for a signal, and some architectures have no other pause(2). Where only an ancestor may read that file (Yama's
/// ptrace_scope), /proc/PID/wchan tells of some calls.
std::string blocked_in(pid_t pid);

/// Whether it is blocked in a call that waits for nothing but time: nanosleep(2), or select(2) and poll(2) with a
/// timeout and without a descriptor.
bool sleeps(pid_t pid);

/// How a process has ended, in words, of its wait status (waitpid(2)): "exited with 1", "was killed by signal 15
/// (Terminated)".
std::string describe_wait_status(int status);

/// Returns when each process that was seen as a zombie before this call has had its SIGCHLD sent to its parent. The
/// kernel shows a child as a zombie a moment before it sends the signal, but does both under its lock on the process
/// table (exit_notify), which waitid takes too: when it returns, the signals of all zombies that we have seen have been
/// sent.
void wait_for_signals_of_seen_zombies();

/// Whether we may read what a process shows only to its user, and to root: its descriptors, its call, its exit status
/// (ptrace(2), "Ptrace access mode checking"). No for a process that is gone.
bool is_readable(pid_t pid);

/// A text that is another one whenever the process has run meanwhile (/proc/PID/schedstat; of several threads, the
/// first). Empty when it is gone, or the kernel does not count. The cheapest question there is about a process.
std::string run_count(pid_t pid);

/// The file of its program, as readlink(2) tells of /proc/PID/exe. Empty when it may not be read.
std::string executable(pid_t pid);

/// The words it was started with. Empty for a zombie and for a thread of the kernel.
std::vector<std::string> command_line(pid_t pid);

/// An open descriptor.
struct Descriptor {
    int number = -1;
    std::string target;  ///< as readlink(2) tells: "/dev/null", "pipe:[4711]", "socket:[4712]"
    std::uint64_t inode = 0;  ///< of a socket, which it has in common with all its copies; otherwise 0

    bool is_socket() const { return inode != 0; }
};

/// Empty when the process is a zombie or gone, or belongs to another user.
std::vector<Descriptor> descriptors(pid_t pid);

/// Whether `signal` was sent to the process and has not been delivered yet (SigPnd and ShdPnd of /proc/PID/status).
bool is_pending(pid_t pid, int signal);

enum class Disposition { default_action, ignored, handled };

/// What a process does about a signal, and how far it has come: from the masks of /proc/PID/status. The kernel shows
/// that there is a handler; with which flags (SA_RESTART) it was installed, it shows nowhere.
struct SignalState {
    Disposition disposition = Disposition::default_action;
    bool blocked = false;
    bool pending = false;  ///< as is_pending: however often it was sent

    bool operator==(const SignalState&) const = default;
};

/// All of it "no" when there is no such process.
SignalState signal_state(pid_t pid, int signal);

/// What setrlimit(2) has set, the soft limits; RLIM_INFINITY: none.
struct Limits {
    rlim_t descriptors = RLIM_INFINITY;
    rlim_t processes = RLIM_INFINITY;  ///< of its user, all in all; root is exempt
};

Limits limits(pid_t pid);

/// The real user id, from /proc/PID/status. Nothing when there is no such process.
std::optional<uid_t> user_of(pid_t pid);

/// How many processes and threads belong to the user: what RLIMIT_NPROC limits (getrlimit(2)). Zombies count.
std::size_t count_of_user(uid_t user);

}  // namespace proc
