// The harness finds a server's listening process, limits and observes it, and leaves no process behind.
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "../net/socket.hpp"
#include "../tools/harness/fd.hpp"
#include "../tools/harness/fork_limit.hpp"
#include "../tools/harness/guard.hpp"
#include "support.hpp"

namespace {

Program shell(const std::string& script, const std::string& argument = "") { return {{"sh", "-c", script, argument}}; }

bool exists(pid_t pid) { return proc::process(pid).has_value(); }

}  // namespace

TEST_CASE("server: finds the listening process below a shell") {
    Program launched = shell("\"$0\"; exit 0", built("step_g").command.front());
    Server server(launched);
    CHECK(server.acceptor() != server.pid());
    Client client(server.port());
    client.ask();
    CHECK(client.receive_all() == PAGE);
}

TEST_CASE("server: throws when the program does not exist") {
    CHECK_THROWS_WITH(Server({{"./no_such_server"}}), "cannot start ./no_such_server: No such file or directory");
}

TEST_CASE("server: throws, with the program's output, when the program exits before it listens") {
    CHECK_THROWS_WITH(Server(shell("echo so far; echo so bad >&2; exit 3")),
                      "sh -c echo so far; echo so bad >&2; exit 3  does not listen: it exited with 3\nstdout: so "
                      "far\n\nstderr: so bad\n");
    CHECK_THROWS_AS(Server(shell("exit 3")), NotListening);
}

TEST_CASE("server: does not throw NotListening when our own descriptors run out") {
    const pid_t starter = fork_child([] {
        const rlimit none = {3, 3};
        setrlimit(RLIMIT_NOFILE, &none);
        try {
            const Server server(built("step_g"));
        } catch (const NotListening&) {
            _exit(1);
        } catch (const std::runtime_error&) {
            _exit(2);
        }
        _exit(0);
    });
    int status = 0;
    waitpid(starter, &status, 0);
    CHECK(proc::describe_wait_status(status) == "exited with 2");
}

TEST_CASE("program: gets its own settings, and not the PORT and SLEEP of the tests' environment") {
    setenv("PORT", "nonsense", 1);
    setenv("SLEEP", "nonsense", 1);
    const Ended printed(shell("echo \"$PORT,$SLEEP,$OURS\"").with("OURS", "set"));
    unsetenv("PORT");
    unsetenv("SLEEP");
    CHECK(printed.out == ",,set\n");
}

TEST_CASE("max_processes: limits one program alone, also for root") {
    Program limited = built("step_g");
    limited.max_processes = 4;
    Server first(limited);
    Server second(limited);  // the first server's processes do not count towards its limit
    std::deque<Client> clients;
    while (!first.has_ended() && clients.size() < 500) {
        clients.emplace_back(first.port());
        first.until([&] { return first.children().size() == clients.size() && first.waits_in_accept(); });
    }
    CHECK(first.until_ended());
    CHECK(first.err() == "step_g: fork: Resource temporarily unavailable\n");
    Client client(second.port());
    client.ask();
    CHECK(client.receive_all() == PAGE);
}

TEST_CASE("fork limit: asks the keeper at each fork, and fails with EAGAIN when there is one too many") {
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    const pid_t program = fork_child([&] {
        ask_at_each_fork(pair[1]);
        close(pair[1]);
        for (int forks = 0; forks < 20; ++forks) {
            const pid_t child = fork_child([] { pause(); });
            if (child == -1) _exit(errno == EAGAIN ? forks : 100);
        }
        _exit(101);
    });
    close(pair[1]);
    const Fd listener = receive_listener(pair[0]);
    close(pair[0]);
    REQUIRE(listener.number() != -1);
    for (pollfd asks = {listener.number(), POLLIN, 0}; poll(&asks, 1, 30'000) == 1 && (asks.revents & POLLIN) != 0;) {
        answer_fork(listener.number(), 5);
    }
    int status = 0;
    waitpid(program, &status, 0);
    CHECK(proc::describe_wait_status(status) == "exited with 4");  // the limit of five is the program and four children
}

TEST_CASE("limits: a program gets no more descriptors than we have ourselves") {
    Program limited = built("step_g");
    limited.max_descriptors = 200;
    const pid_t starter = fork_child([&] {
        const rlimit descriptors = {100, 100};
        setrlimit(RLIMIT_NOFILE, &descriptors);
        const Server server(limited);
        const proc::Limits limits = proc::limits(server.pid());
        _exit(limits.descriptors == 100 ? 2 : 1);
    });
    int status = 0;
    waitpid(starter, &status, 0);
    CHECK(proc::describe_wait_status(status) == "exited with 2");
}

TEST_CASE("limits: a program does not start when its user may not have as many processes") {
    Program limited = built("step_g");
    limited.max_processes = 8;
    const pid_t starter = fork_child([&] {
        const rlimit processes = {4, 4};
        setrlimit(RLIMIT_NPROC, &processes);
        try {
            const Server server(limited);
        } catch (const std::runtime_error& error) {
            const bool says_so = std::string(error.what()).find("no more than 4 processes") != std::string::npos;
            _exit(says_so ? 2 : 1);
        }
        _exit(0);
    });
    int status = 0;
    waitpid(starter, &status, 0);
    CHECK(proc::describe_wait_status(status) == "exited with 2");
}

TEST_CASE("guarded: returns EX_OSERR when no process can be started") {
    const pid_t starter = fork_child([] {
        const rlimit none = {0, 0};
        setrlimit(RLIMIT_NPROC, &none);
        if (geteuid() == 0) net::check("setresuid", setresuid(65533, 65533, 65533));  // root is exempt
        _exit(guarded([] { return 0; }) == EX_OSERR ? 2 : 1);
    });
    int status = 0;
    waitpid(starter, &status, 0);
    CHECK(proc::describe_wait_status(status) == "exited with 2");
}

TEST_CASE("foreign program: can fork when its user has many other processes") {
    Program foreign = built("step_c").with("SLEEP", "0");
    foreign.is_foreign = true;
    Server server(foreign);
    std::vector<pid_t> others;
    while (others.size() < 200) others.push_back(fork_child([] { pause(); }));
    Client client(server.port());
    client.ask();
    CHECK(client.receive_all() == PAGE);
    for (const pid_t other : others) {
        kill(other, SIGKILL);
        waitpid(other, nullptr, 0);
    }
}

TEST_CASE("server: names CAP_SYS_PTRACE when root lacks it") {
    Program limited = built("step_g");
    limited.max_processes = 8;
    const pid_t starter = fork_child([&] {
        __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct ours[_LINUX_CAPABILITY_U32S_3] = {};
        syscall(SYS_capget, &header, ours);
        ours[0].effective &= ~(1U << CAP_SYS_PTRACE);
        syscall(SYS_capset, &header, ours);
        try {
            const Server server(limited);
        } catch (const std::runtime_error& error) {
            _exit(std::string(error.what()).find("CAP_SYS_PTRACE") == std::string::npos ? 1 : 2);
        }
        _exit(0);
    });
    int status = 0;
    waitpid(starter, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == (geteuid() == 0 ? 2 : 0));
}

TEST_CASE("process: its destructor ends children, orphans and daemons") {
    std::vector<pid_t> all;
    {
        Process process(shell("trap '' TERM HUP INT; sleep 600 & setsid sh -c 'sleep 600 & sleep 600' & wait"));
        CHECK(process.until([&] { return proc::descendants(process.pid()).size() == 4; }));
        all.push_back(process.pid());
        for (const proc::Process& child : proc::descendants(process.pid())) all.push_back(child.pid);
        kill(all[2], SIGKILL);  // its children are orphans now
    }
    for (const pid_t pid : all) CHECK_FALSE(exists(pid));
}

TEST_CASE("server: ends with its children and its keeper when SIGKILL ends the process that started it") {
    // A child of the tests starts the server, sends the pids through the pipe, and waits to be killed.
    int report[2];
    REQUIRE(pipe2(report, O_CLOEXEC) == 0);
    const pid_t starter = fork_child([&] {
        Server server(built("step_c").with("SLEEP", "60"));
        Client client(server.port());
        client.ask();
        server.until([&] { return !server.children().empty() && client.has_answer(); });
        const pid_t pids[] = {server.pid(), server.children().at(0).pid, proc::process(server.pid())->ppid};
        if (write(report[1], pids, sizeof pids) == sizeof pids) pause();
    });
    close(report[1]);
    pid_t pids[3];
    const ssize_t size = read(report[0], pids, sizeof pids);
    close(report[0]);
    REQUIRE(size == sizeof pids);
    for (const pid_t pid : pids) CHECK(exists(pid));
    kill(starter, SIGKILL);
    waitpid(starter, nullptr, 0);
    for (const pid_t pid : pids) CHECK(eventually([&] { return !exists(pid); }));
}

TEST_CASE("process: lists the zombies that the program has not reaped") {
    Process process(shell("(exit 0) & exec sleep 600"));  // sleep never waits for its children
    const auto zombies = [&] {
        const std::vector<proc::Process> children = proc::children(process.pid());
        return children.size() == 1 && children.front().is_zombie();
    };
    CHECK(process.until(zombies));
    const pid_t zombie = proc::children(process.pid()).front().pid;
    process.signal(SIGKILL);
    CHECK(process.until_ended());
    CHECK(process.fate() == "was killed by signal 9 (Killed)");
    CHECK(process.left_zombies() == std::vector<pid_t>{zombie});
    CHECK_FALSE(exists(zombie));
}
