// What every test file needs: doctest, the harness, and where the programs are.
#pragma once

#define DOCTEST_CONFIG_SUPER_FAST_ASSERTS  // to compile: a test file takes up to a fifth less time

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <string>
#include <vector>

#include "../tools/diagnose/behaviours.hpp"
#include "../tools/harness/client.hpp"
#include "../tools/harness/guard.hpp"
#include "../tools/harness/process.hpp"
#include "../tools/harness/server.hpp"
#include "../tools/proc/process.hpp"
#include "../tools/proc/tcp.hpp"

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
