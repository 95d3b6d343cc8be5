// The processor time that xray takes. These tests take too long for `make test`.
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <string>
#include <vector>

#include "../../net/socket.hpp"
#include "../support.hpp"

namespace {

/// The share of a core that xray takes during 20 seconds after it has printed `first`. In that time, one look more or
/// less changes the share little.
double share_of_xray(int port, const std::string& first) {
    Program xray = built("xray");
    xray.command.insert(xray.command.end(), {"--log", std::to_string(port)});
    Process log(xray);
    CHECK(log.until([&] { return log.out().find(first) != std::string::npos; }));
    const auto used = [&] { return std::strtod(proc::run_count(log.pid()).c_str(), nullptr) / 1e9; };
    const auto start = std::chrono::steady_clock::now();
    const double before = used();
    CHECK(log.until([&] { return std::chrono::steady_clock::now() - start >= std::chrono::seconds(20); }));
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    const double share = (used() - before) / time.count();
    std::cout << "xray --log, " << first << ": " << 100 * share << "% of a core" << std::endl;
    return share;
}

/// A process that listens on a port that the kernel chooses, and then does what `body` does with the socket.
template <class Body> struct Listening {
    explicit Listening(Body body) {
        net::Socket listener(AF_INET, SOCK_STREAM);
        listener.bind(loopback(0));
        listener.listen(1024);
        port = listener.port();
        pid = fork_child([&] { body(listener); });
    }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;
    ~Listening() {
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
    }
    int port = 0;
    pid_t pid = -1;
};

}  // namespace

TEST_CASE("xray: takes less than 2% of a core when the server has 500 processes") {
    Server server(built("step_c").with("SLEEP", "600"));
    INFO(server.describe());
    std::deque<Client> clients;
    for (int i = 0; i < 500; ++i) clients.emplace_back(server.port()).ask();
    CHECK_EVENTUALLY(server, server.children().size() == 500 && server.waits_in_accept());
    CHECK(share_of_xray(server.port(), "500 processes are below it") < 0.02);
}

TEST_CASE("xray: takes less than 2% of a core when the server has 3,000 zombies") {
    const Listening server([](net::Socket&) {
        for (int i = 0; i < 3000; ++i) {
            if (fork() == 0) _exit(0);
        }
        pause();
    });
    CHECK(eventually(
        [&] { return proc::child_pids(server.pid).size() == 3000 && proc::blocked_in(server.pid) == "pause"; }));
    CHECK(share_of_xray(server.port, "3000 processes are below it, 3000 of them zombies") < 0.02);
}

TEST_CASE("xray: takes less than 2% of a core when the server has 4,000 connections") {
    rlimit limit = {};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    REQUIRE(limit.rlim_max > 8100);
    setrlimit(RLIMIT_NOFILE, &limit);
    const Listening server([](net::Socket& listener) {
        std::vector<net::Socket> accepted;
        while (true) accepted.push_back(listener.accept());
    });
    std::deque<Client> clients;
    for (int i = 0; i < 4000; ++i) clients.emplace_back(server.port);
    CHECK(eventually([&] { return proc::descriptors(server.pid).size() > 4000; }));
    CHECK(share_of_xray(server.port, "run_heavy_tests listens on") < 0.02);
}
