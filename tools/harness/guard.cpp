#include "guard.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>

#include "../proc/process.hpp"
#include "keeper.hpp"
#include "limits.hpp"

namespace harness {
namespace {

using Clock = std::chrono::steady_clock;

/// Longer than the longest time that a keeper needs to end its program.
constexpr std::chrono::seconds MOST_TIME_TO_END(15);
static_assert(MOST_TIME_TO_END > MOST_TIME_TO_END_A_PROGRAM);

volatile std::sig_atomic_t guarded_program = 0;

void pass_on(int number) {
    const int saved_errno = errno;
    // 0: it was reaped, and its pid may belong to another process.
    if (guarded_program > 0) kill(guarded_program, number);
    errno = saved_errno;
}

/// fork(2); prints a line on stderr when it fails.
pid_t fork_or_say_why() {
    try {
        return fork_within_limit();
    } catch (const std::exception& error) {
        std::cerr << program_invocation_short_name << ": " << error.what() << '\n';
        return -1;
    }
}

/// Kills the processes that the guarded program has left behind, except keepers: each keeper ends its own program, then
/// exits.
void kill_strays(pid_t guard) {
    try {
        for (const proc::Process& child : proc::children(guard)) {
            if (child.name != KEEPER) kill(child.pid, SIGKILL);
        }
    } catch (const std::exception&) {  // no descriptor left to read /proc with: only waiting remains
    }
}

/// Waits for the guarded program and for the processes that it leaves behind. Returns what `guarded` returns.
int wait_for_all(pid_t guard, pid_t program) {
    int result = 1;
    bool is_over = false;
    Clock::time_point deadline;
    while (true) {
        int status = 0;
        const pid_t pid = waitpid(-1, &status, is_over ? WNOHANG : 0);
        if (pid == -1 && errno != EINTR) return result;  // ECHILD: no child is left, not even a keeper
        if (pid == program) {
            result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            guarded_program = 0;
            is_over = true;
            deadline = Clock::now() + MOST_TIME_TO_END;
        }
        if (!is_over) continue;
        kill_strays(guard);
        if (pid != 0) continue;
        if (Clock::now() > deadline) return result;
        poll(nullptr, 0, 1);
    }
}

}  // namespace

void die_with_parent(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // the parent exited before prctl took effect
}

int guarded(const std::function<int()>& program) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t guard = getpid();
    const pid_t pid = fork_or_say_why();
    if (pid == -1) return EX_OSERR;
    if (pid == 0) {
        die_with_parent(guard);
        std::exit(program());
    }
    guarded_program = pid;
    struct sigaction action = {};
    action.sa_handler = pass_on;
    action.sa_flags = SA_RESTART;
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
    return wait_for_all(guard, pid);
}

}  // namespace harness
