// What every test file needs: doctest, the harness, and where the programs are.
#pragma once

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

#include "../harness/behaviours.hpp"
#include "../harness/client.hpp"
#include "../harness/process.hpp"
#include "../harness/server.hpp"
#include "../proc/process.hpp"
#include "../proc/tcp.hpp"

using namespace harness;

constexpr Answer yes = Answer::yes;
constexpr Answer no = Answer::no;
constexpr Answer not_applicable = Answer::not_applicable;
constexpr Answer undecided = Answer::undecided;

/// A folder that the Makefile names in the environment, or what it is for a test program started by hand.
inline std::string folder(const char* variable, const char* fallback) {
    const char* const value = std::getenv(variable);
    return value && *value ? std::string(value) + '/' : fallback;
}

/// ./step_a and so on, or ./client3. When they are sanitized they do not look for leaks in the end: that takes a
/// process, which a program that dies of its limits has not.
inline Program built(const std::string& name) {
    return {{folder("BIN", "./") + name}, {{"ASAN_OPTIONS", "detect_leaks=0"}}, {}, {}};
}

/// A server that is wrong, or right, on purpose: tests/fixtures.
inline Program fixture(const std::string& name) {
    return {{folder("BUILD", "build/") + "tests/fixtures/" + name}, {}, {}, {}};
}

inline std::vector<Program> all_steps() {
    std::vector<Program> all;
    for (const char letter : std::string("abcdefg")) all.push_back(built(std::string("step_") + letter));
    return all;
}

/// "step_a"
inline std::string name_of(const Program& program) {
    const std::string& path = program.command.front();
    return path.substr(path.rfind('/') + 1);
}

inline sockaddr_in loopback(int port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<in_port_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/// net.core.somaxconn, above which no backlog goes (listen(2)).
inline unsigned system_limit_of_backlogs() {
    unsigned limit = 0;
    std::ifstream("/proc/sys/net/core/somaxconn") >> limit;
    return limit;
}

inline std::size_t count_in(const std::string& text, const std::string& wanted) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(wanted, at)) != std::string::npos; at += wanted.size()) ++count;
    return count;
}

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
    explicit Ended(const Program& program) {
        Process process(program);
        CHECK_MESSAGE(process.until_ended(), "it does not end; stderr: ", process.err());
        fate = process.fate();
        out = process.out();
        err = process.err();
    }
    std::string fate, out, err;
};

/// Tries all behaviours on the step, and checks them against its column of the table.
inline void check_column(const Program& step) {
    for (const Behaviour& row : behaviours()) {
        CAPTURE(row.name);
        CHECK(find(row, step) == row.expected[STEPS.find(name_of(step).back())]);
    }
}

/// Fails when `condition` is not reached; INFO(server.describe()) makes it say how far the server has come.
#define CHECK_EVENTUALLY(server, condition) CHECK((server).until([&] { return (condition); }))
