// For every test file: doctest, the harness, tools/proc, the behaviours, and the paths of the programs. It exports the
// headers marked below; each test file includes the standard library's headers itself.
#pragma once

#define DOCTEST_CONFIG_SUPER_FAST_ASSERTS  // shortens the compilation by up to a fifth

#include <doctest/doctest.h>  // IWYU pragma: export
#include <netinet/in.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <vector>

#include "../tools/diagnose/behaviours.hpp"  // IWYU pragma: export
#include "../tools/diagnose/nature.hpp"  // IWYU pragma: export
#include "../tools/diagnose/probes.hpp"  // IWYU pragma: export
#include "../tools/diagnose/verdict.hpp"  // IWYU pragma: export
#include "../tools/harness/client.hpp"  // IWYU pragma: export
#include "../tools/harness/guard.hpp"  // IWYU pragma: export
#include "../tools/harness/process.hpp"  // IWYU pragma: export
#include "../tools/harness/program.hpp"  // IWYU pragma: export
#include "../tools/harness/server.hpp"  // IWYU pragma: export
#include "../tools/proc/process.hpp"  // IWYU pragma: export
#include "../tools/proc/tcp.hpp"  // IWYU pragma: export

using namespace diagnose;
using namespace harness;

constexpr Answer yes = Answer::yes;
constexpr Answer no = Answer::no;
constexpr Answer not_applicable = Answer::not_applicable;
constexpr Answer undecided = Answer::undecided;

/// The folder in an environment variable that the Makefile sets; `fallback` when the tests are started by hand.
std::string folder(const char* variable, const char* fallback);

/// ./step_a, ./client3 and so on. A sanitized program does not look for leaks at its exit: that takes another process,
/// which a program at its limits cannot start.
Program built(const std::string& name);

/// A program of tests/fixtures, such as a server that is wrong on purpose.
Program fixture(const std::string& name);

std::vector<Program> all_steps();

/// "step_a"
std::string name_of(const Program& program);

sockaddr_in loopback(int port);

/// net.core.somaxconn, the largest backlog of the system (listen(2)).
unsigned system_limit_of_backlogs();

std::size_t count_in(const std::string& text, const std::string& wanted);

/// Runs `body` in a child process and then ends the child. It also ends when its parent does.
template <class Body> pid_t fork_child(Body body) {
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid != 0) return pid;
    die_with_parent(parent);
    try {
        body();
    } catch (...) {
    }
    _exit(1);
}

/// Runs a program until it exits, and keeps its fate and its output.
struct Ended {
    explicit Ended(const Program& program);
    std::string fate, out, err;
};

/// Tries all behaviours on the step, and checks them against its column of the table.
void check_column(const Program& step);

/// Fails when `condition` never holds. After INFO(server.describe()), the failure also describes the server.
#define CHECK_EVENTUALLY(server, condition) CHECK((server).until([&] { return (condition); }))
