// A descriptor that refers to a process (pidfd_open(2)). It does not keep the process alive, but reports its exit to
// any process that holds it.
#pragma once

#include <sys/types.h>

#include <optional>

namespace proc {

/// A descriptor that refers to one process and never to a later one with the same pid. poll(2) and epoll(7) report it
/// when the process becomes a zombie, and again when it is reaped.
class PidFd {
public:
    /// Holds no descriptor when there is no such process, or no descriptor is left.
    explicit PidFd(pid_t pid);
    PidFd(PidFd&& other) noexcept;
    PidFd& operator=(PidFd&&) = delete;
    ~PidFd();

    int fileno() const { return fd_; }  ///< -1 when it holds none

    /// The wait status (waitpid(2)) of the process, once any process has reaped it. Empty before that, and on a kernel
    /// that does not keep it (before Linux 6.15).
    std::optional<int> exit_status() const;

private:
    int fd_;
};

}  // namespace proc
