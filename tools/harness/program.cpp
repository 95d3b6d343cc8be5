#include "program.hpp"

#include <linux/close_range.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "../../net/socket.hpp"
#include "guard.hpp"
#include "limits.hpp"

namespace harness {
namespace {

using net::check;

/// Unblocks all signals and gives each its default action.
void reset_signals() {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
}

/// This process's environment, without the settings that the servers read, plus the program's own variables.
void set_environment(const Program& program) {
    for (const char* variable : {"PORT", "HOST", "SLEEP", "TIMEOUT", "MAX_CLIENTS", "APP_TIMEOUT", "GRACE"}) {
        unsetenv(variable);
    }
    for (const auto& [variable, value] : program.environment) setenv(variable.c_str(), value.c_str(), 1);
}

}  // namespace

Program Program::with(const std::string& variable, const std::string& value) const {
    Program changed = *this;
    changed.environment[variable] = value;
    return changed;
}

std::chrono::milliseconds Program::until_deadline(std::chrono::milliseconds longest) const {
    if (interrupted != nullptr && *interrupted != 0) throw Interrupted();
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left > longest) return longest;
    return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(left), std::chrono::milliseconds(0));
}

void become(const Program& program, int out, int err, int to_keeper, pid_t keeper) {
    reset_signals();
    check("dup2", dup2(out, STDOUT_FILENO));
    check("dup2", dup2(err, STDERR_FILENO));
    // The program must not inherit our descriptors.
    check("close_range", syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC));
    set_environment(program);
    limit_output(program);
    limit_processes(program, to_keeper);
    die_with_parent(keeper);
    std::vector<char*> arguments;
    for (const std::string& argument : program.command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    // Last: after this the process may have no descriptor left.
    if (program.max_descriptors) limit(RLIMIT_NOFILE, *program.max_descriptors);
    execvp(arguments[0], arguments.data());
}

}  // namespace harness
