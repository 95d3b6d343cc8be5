// What the Linux kernel says about processes, read from /proc (proc(5)): never from the process itself, which is
// neither stopped nor asked. Everything here is a snapshot; it may be out of date when it is returned.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace proc {

/// The head of /proc/PID/stat.
struct Process {
    pid_t pid = 0;
    pid_t ppid = 0;
    char state = '?';  ///< R running, S sleeping, D waiting for a disk, T stopped, Z zombie (proc(5), "state")
    std::string name;  ///< the program's, at most 15 bytes of it

    bool is_zombie() const { return state == 'Z'; }
};

/// Nothing when there is no such process (any more).
std::optional<Process> process(pid_t pid);

/// Every process that /proc shows, in the order of their pids.
std::vector<Process> processes();

/// The children of `pid`, zombies included.
std::vector<Process> children(pid_t pid);

/// `pid`'s children, their children, and so on, parents first.
std::vector<Process> descendants(pid_t pid);

/// The threads of the process by their ids (gettid(2)), of which the first is `pid` itself. To the kernel a thread is a
/// process like another: what takes a pid here takes such an id as well.
std::vector<pid_t> threads(pid_t pid);

/// The name of the system call that the process is blocked in ("accept", "recvfrom"), from /proc/PID/syscall. Empty
/// when it is running, is a zombie or gone, or belongs to another user. A call that has no name here is "system call
/// 123".
std::string blocked_in(pid_t pid);

/// Whether it is blocked in a call that waits for nothing but time: nanosleep(2), or select(2) and poll(2) without a
/// descriptor.
bool sleeps(pid_t pid);

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

/// Whether the process's first thread has blocked `signal` (SigBlk).
bool is_blocked(pid_t pid, int signal);

/// How many processes and threads belong to the user: what RLIMIT_NPROC limits (getrlimit(2)). Zombies count.
std::size_t count_of_user(uid_t user);

}  // namespace proc
