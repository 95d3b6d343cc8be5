// For every test file: doctest, the harness, what it reads from the kernel, the behaviours, and where the
// programs are. It stands for the headers that it exports; the standard library's are included where they are used.
#pragma once

#define DOCTEST_CONFIG_SUPER_FAST_ASSERTS  // to compile: a test file takes up to a fifth less time

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

/// A folder that the Makefile names in the environment, or what it is for a test program started by hand.
std::string folder(const char* variable, const char* fallback);

/// ./step_a and so on, or ./client3. When they are sanitized they do not look for leaks in the end: that takes a
/// process, which a program that dies of its limits has not.
Program built(const std::string& name);

/// A server that is wrong, or right, on purpose: tests/fixtures.
Program fixture(const std::string& name);

std::vector<Program> all_steps();

/// "step_a"
std::string name_of(const Program& program);

sockaddr_in loopback(int port);

/// net.core.somaxconn, above which no backlog goes (listen(2)).
unsigned system_limit_of_backlogs();

std::size_t count_in(const std::string& text, const std::string& wanted);

/// Runs `body` in a process of its own, which dies with ours, and does not come back from it.
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

/// The output of a program that ends by itself.
struct Ended {
    explicit Ended(const Program& program);
    std::string fate, out, err;
};

/// Tries all behaviours on the step, and checks them against its column of the table.
void check_column(const Program& step);

/// Fails when `condition` is not reached; INFO(server.describe()) makes it say how far the server has come.
#define CHECK_EVENTUALLY(server, condition) CHECK((server).until([&] { return (condition); }))
