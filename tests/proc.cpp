// proc/: what the kernel says, held against processes and sockets whose state is known.
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/select.h>

#include <thread>

#include "support.hpp"

namespace {

Program shell(const std::string& script) { return {{"sh", "-c", script}, {}, {}, {}}; }

}  // namespace

TEST_CASE("a process is told by its pid, parent, state and name") {
    Process process(shell("exec sleep 600"));
    CHECK(process.until([&] { return proc::blocked_in(process.pid()) == "clock_nanosleep"; }));
    const std::optional<proc::Process> sleep = proc::process(process.pid());
    REQUIRE(sleep);
    CHECK(sleep->pid == process.pid());
    CHECK(sleep->name == "sleep");
    CHECK(sleep->state == 'S');
    const std::optional<proc::Process> keeper = proc::process(sleep->ppid);
    REQUIRE(keeper);
    CHECK(keeper->name == "keeper");
    CHECK(keeper->ppid == getpid());
}

TEST_CASE("a process that is not there is none") {
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    waitpid(pid, nullptr, 0);
    CHECK_FALSE(proc::process(pid));
    CHECK(proc::children(pid).empty());
    CHECK(proc::descriptors(pid).empty());
    CHECK(proc::blocked_in(pid) == "");
    CHECK_FALSE(proc::is_pending(pid, SIGCHLD));
}

TEST_CASE("a name may contain what separates the fields") {
    const pid_t pid = fork_child([] {
        prctl(PR_SET_NAME, "a) Z 1 (b");
        pause();
    });
    CHECK(eventually([&] { return proc::process(pid)->name == "a) Z 1 (b"; }));
    CHECK(proc::process(pid)->ppid == getpid());
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
}

TEST_CASE("a child that has exited is a zombie until somebody waits for it") {
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    CHECK(eventually([&] { return proc::process(pid)->is_zombie(); }));
    waitpid(pid, nullptr, 0);
    CHECK_FALSE(proc::process(pid));
}

TEST_CASE("descendants come parents first") {
    Process process(shell("sh -c 'sleep 600; true'; true"));
    CHECK(process.until([&] { return proc::descendants(process.pid()).size() == 2; }));
    const std::vector<proc::Process> all = proc::descendants(process.pid());
    CHECK(all[0].ppid == process.pid());
    CHECK(all[1].ppid == all[0].pid);
}

TEST_CASE("a call that waits for nothing but time is a sleep") {
    const auto child_in = [](auto call) {
        const pid_t pid = fork_child(call);
        CHECK(eventually([&] { return !proc::blocked_in(pid).empty() && proc::process(pid)->state == 'S'; }));
        const bool sleeps = proc::sleeps(pid);
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
        return sleeps;
    };
    timeval minutes = {600, 0};
    fd_set none;
    FD_ZERO(&none);
    CHECK(child_in([] { sleep(600); }));
    CHECK(child_in([&] { select(0, nullptr, nullptr, nullptr, &minutes); }));
    CHECK(child_in([] { poll(nullptr, 0, 600'000); }));
    CHECK_FALSE(child_in([&] { select(1, &none, nullptr, nullptr, &minutes); }));
    CHECK_FALSE(child_in([] {
        pollfd stdin_only = {STDIN_FILENO, 0, 0};
        poll(&stdin_only, 1, 600'000);
    }));
    CHECK_FALSE(child_in([] { pause(); }));
}

TEST_CASE("a process has its threads, itself first") {
    const pid_t pid = fork_child([] {
        std::thread second([] { pause(); });
        pause();
    });
    CHECK(eventually(
        [&] { return proc::threads(pid).size() == 2 && proc::blocked_in(proc::threads(pid)[1]) == "pause"; }));
    CHECK(proc::threads(pid)[0] == pid);
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    CHECK(proc::threads(pid).empty());
}

TEST_CASE("a copy of a socket has the socket's inode") {
    const net::Socket socket(AF_INET, SOCK_STREAM);
    const int copy = dup(socket.fileno());
    std::vector<std::uint64_t> inodes;
    for (const proc::Descriptor& one : proc::descriptors(getpid())) {
        if (one.number == socket.fileno() || one.number == copy) inodes.push_back(one.inode);
    }
    close(copy);
    REQUIRE(inodes.size() == 2);
    CHECK(inodes[0] != 0);
    CHECK(inodes[0] == inodes[1]);
}

TEST_CASE("a signal that is blocked is pending until it is let through") {
    struct sigaction action = {};
    struct sigaction before = {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR2, &action, &before);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    CHECK_FALSE(proc::is_pending(getpid(), SIGUSR2));
    CHECK(proc::is_blocked(getpid(), SIGUSR2));
    kill(getpid(), SIGUSR2);
    CHECK(proc::is_pending(getpid(), SIGUSR2));
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    CHECK_FALSE(proc::is_pending(getpid(), SIGUSR2));
    CHECK_FALSE(proc::is_blocked(getpid(), SIGUSR2));
    sigaction(SIGUSR2, &before, nullptr);
}

TEST_CASE("a listening socket tells its port, its backlog and its queue") {
    net::Socket listener(AF_INET, SOCK_STREAM);
    listener.bind(loopback(0));
    listener.listen(3);
    const auto found = [&]() -> proc::ListeningSocket {
        for (const proc::ListeningSocket& one : proc::listening_sockets()) {
            if (one.port == listener.port()) return one;
        }
        return {};
    };
    CHECK(found().backlog == 3);
    CHECK(found().queued == 0);
    Client first(found().port);
    Client second(found().port);
    CHECK(eventually([&] { return found().queued == 2; }));
    const net::Socket connection = listener.accept();
    CHECK(found().queued == 1);
}

TEST_CASE("a connection tells its state, who holds it, and what nobody has received") {
    net::Socket listener(AF_INET, SOCK_STREAM);
    listener.bind(loopback(0));
    listener.listen(3);
    const auto port = static_cast<std::uint16_t>(listener.port());
    Client client(port);
    net::Socket server = listener.accept();
    const auto end = [&] { return proc::loopback_connection(port, client.port()); };
    REQUIRE(end());
    CHECK(end()->state == TCP_ESTABLISHED);
    CHECK(end()->inode != 0);
    client.send("12345");
    CHECK(eventually([&] { return end()->unread == 5; }));
    client.half_close();
    CHECK(eventually([&] { return end()->state == TCP_CLOSE_WAIT; }));
    CHECK_FALSE(proc::loopback_connection(port, 1));
}
