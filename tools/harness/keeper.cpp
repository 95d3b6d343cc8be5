#include "keeper.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <limits>
#include <system_error>
#include <utility>
#include <vector>

#include "../../net/socket.hpp"
#include "../proc/process.hpp"
#include "fd.hpp"
#include "fork_limit.hpp"
#include "limits.hpp"
#include "program.hpp"

namespace harness {
namespace {

using Clock = std::chrono::steady_clock;
using net::check;

/// Closes all descriptors except stdin, stdout and stderr, which it redirects to /dev/null, and those given (-1: none).
void close_all_but(std::vector<int> kept) {
    std::erase(kept, -1);
    std::sort(kept.begin(), kept.end());
    int next = STDERR_FILENO + 1;
    for (const int descriptor : kept) {
        if (descriptor > next) check("close_range", syscall(SYS_close_range, next, descriptor - 1, 0U));
        next = descriptor + 1;
    }
    check("close_range", syscall(SYS_close_range, next, std::numeric_limits<int>::max(), 0U));
    const Fd null(check("open", open("/dev/null", O_RDWR | O_CLOEXEC)));
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null.number(), standard);
}

sigset_t child_signal() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    return set;
}

// ---- the start ----------------------------------------------------------------------------------

/// Reports why the program could not be started.
[[noreturn]] void report_failure(int started, int error, const char* reason) {
    Start start;
    start.error = error;
    std::strncpy(start.reason, reason, sizeof start.reason - 1);
    if (write(started, &start, sizeof start) == -1) _exit(126);
    _exit(127);
}

/// Runs in the child that will execute the program.
[[noreturn]] void start_program(const Program& program, const KeeperEnds& ends, Fd to_keeper, pid_t keeper) {
    try {
        close_all_but({ends.out, ends.err, ends.started, to_keeper.number()});
        become(program, ends.out, ends.err, to_keeper.number(), keeper);
        report_failure(ends.started, errno, "");
    } catch (const std::system_error& error) {
        report_failure(ends.started, error.code().value(), "");
    } catch (const std::exception& error) {
        report_failure(ends.started, 0, error.what());
    }
}

/// A program that was started, and the descriptor on which it asks for permission to fork.
struct Started {
    pid_t pid;
    Fd forks;
};

/// Starts the program and reports its pid.
Started start(const Program& program, const KeeperEnds& ends) {
    Fd from_program;
    Fd to_keeper;
    if (program.max_processes) {
        int pair[2];
        check("socketpair", socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
        from_program = Fd(pair[0]);
        to_keeper = Fd(pair[1]);
    }
    const pid_t keeper = getpid();
    Start start;
    start.pid = fork_within_limit();
    if (start.pid == 0) start_program(program, ends, std::move(to_keeper), keeper);
    if (write(ends.started, &start, sizeof start) != sizeof start) _exit(127);
    to_keeper.close();
    return {start.pid, program.max_processes ? receive_listener(from_program.number()) : Fd()};
}

// ---- the end ------------------------------------------------------------------------------------

/// Sends SIGSTOP to all descendants, so that none can fork any more. It scans until two scans in a row find nothing to
/// stop: the second finds a child that was forked during the first.
void freeze_all_descendants(Clock::time_point deadline) {
    for (int quiet_scans = 0; quiet_scans < 2 && Clock::now() < deadline; ++quiet_scans) {
        for (const proc::Process& process : proc::descendants(getpid())) {
            if ((process.state == 'R' || process.state == 'S') && kill(process.pid, SIGSTOP) == 0) quiet_scans = -1;
        }
    }
}

/// Reaps all children that have exited. Returns whether other children are left.
bool reap_all() {
    pid_t pid;
    while ((pid = waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    return pid == 0;
}

/// Kills and reaps all descendants; orphans become children of this process, a subreaper. The program is killed even
/// when /proc cannot be read. If a child is still left at the deadline, the whole process group is killed, the keeper
/// included. The process that started the keeper then inherits the rest. `program`: 0 when it was reaped already.
void end_all_descendants(pid_t program) {
    const Clock::time_point deadline = Clock::now() + MOST_TIME_TO_END_A_PROGRAM;
    const sigset_t child = child_signal();
    try {
        freeze_all_descendants(deadline);
    } catch (const std::exception&) {  // no descriptor left to read /proc with
    }
    if (program > 0) kill(program, SIGKILL);
    while (reap_all() && Clock::now() < deadline) {
        try {
            for (const proc::Process& process : proc::descendants(getpid())) kill(process.pid, SIGKILL);
        } catch (const std::exception&) {
        }
        constexpr timespec A_MOMENT = {0, 10'000'000};
        sigtimedwait(&child, nullptr, &A_MOMENT);
    }
    if (reap_all()) kill(0, SIGKILL);
}

// ---- while the program runs ---------------------------------------------------------------------

/// Reaps children and reports each of them, until the other end of `reports` is closed. Returns the program's pid; 0
/// when the program was reaped.
pid_t keep(const Program& program, const Started& started, int reports, int child_signals) {
    pid_t left = started.pid;
    pollfd events[] = {{child_signals, POLLIN, 0}, {reports, POLLIN, 0}, {started.forks.number(), POLLIN, 0}};
    while (events[1].revents == 0) {
        if (poll(events, 3, -1) == -1) continue;
        signalfd_siginfo ignored;
        if ((events[0].revents & POLLIN) != 0) check("read", read(child_signals, &ignored, sizeof ignored));
        bool has_ended = false;
        for (Report report = {}; (report.pid = waitpid(-1, &report.status, WNOHANG)) > 0;) {
            if (report.pid == left) has_ended = true;
            send(reports, &report, sizeof report, MSG_NOSIGNAL);
        }
        // When a process exits, the kernel gives its children a new parent before the process itself can be reaped
        // (exit_notify). So all zombies that the program left have been reported by now.
        constexpr Report END = {0, 0};
        if (has_ended) {
            send(reports, &END, sizeof END, MSG_NOSIGNAL);
            left = 0;
        }
        if ((events[2].revents & POLLIN) != 0) answer_fork(started.forks.number(), *program.max_processes);
        else if (events[2].revents != 0) events[2].fd = -1;  // no process is left that could fork
    }
    return left;
}

}  // namespace

void be_keeper(const Program& program, KeeperEnds ends) {
    prctl(PR_SET_NAME, KEEPER);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    setsid();  // the terminal's Ctrl-C does not reach another session
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_IGN);
    const sigset_t child = child_signal();
    sigprocmask(SIG_BLOCK, &child, nullptr);
    Started started = {0, Fd()};
    try {
        // First, since RLIMIT_NOFILE may allow only a few.
        close_all_but({ends.out, ends.err, ends.reports, ends.started});
        const int child_signals = check("signalfd", signalfd(-1, &child, SFD_CLOEXEC));
        started = start(program, ends);
        for (const int descriptor : {ends.out, ends.err, ends.started}) close(descriptor);
        started.pid = keep(program, started, ends.reports, child_signals);
    } catch (const std::system_error& error) {
        if (started.pid == 0) report_failure(ends.started, error.code().value(), "");
    } catch (const std::exception& error) {
        if (started.pid == 0) report_failure(ends.started, 0, error.what());
    }
    end_all_descendants(started.pid);
    _exit(0);
}

}  // namespace harness
