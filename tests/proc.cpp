// tools/proc: its view of processes and sockets, compared with what the tests know about them.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../net/socket.hpp"
#include "../tools/proc/pidfd.hpp"
#include "../tools/proc/syscalls.hpp"
#include "support.hpp"

namespace {

Program shell(const std::string& script) { return {{"sh", "-c", script}}; }

bool kernel_is_older_than(long major, long minor) {
    utsname name = {};
    uname(&name);
    char* dot = nullptr;
    const long is = std::strtol(name.release, &dot, 10);
    return std::pair(is, std::strtol(dot + 1, nullptr, 10)) < std::pair(major, minor);
}

}  // namespace

TEST_CASE("proc: process() shows the pid, parent, state and name") {
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

TEST_CASE("proc: a process that does not exist shows nothing") {
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    waitpid(pid, nullptr, 0);
    CHECK_FALSE(proc::process(pid));
    CHECK(proc::children(pid).empty());
    CHECK(proc::descriptors(pid).empty());
    CHECK(proc::blocked_in(pid) == "");
    CHECK_FALSE(proc::is_pending(pid, SIGCHLD));
}

TEST_CASE("proc: process() reads a name that contains parentheses and spaces") {
    const pid_t pid = fork_child([] {
        prctl(PR_SET_NAME, "a) Z 1 (b");
        pause();
    });
    CHECK(eventually([&] { return proc::process(pid)->name == "a) Z 1 (b"; }));
    CHECK(proc::process(pid)->ppid == getpid());
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
}

TEST_CASE("proc: a child that has exited is a zombie until its parent waits for it") {
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    CHECK(eventually([&] { return proc::process(pid)->is_zombie(); }));
    waitpid(pid, nullptr, 0);
    CHECK_FALSE(proc::process(pid));
}

TEST_CASE("proc: descendants() lists parents first") {
    Process process(shell("sh -c 'sleep 600; true'; true"));
    CHECK(process.until([&] { return proc::descendants(process.pid()).size() == 2; }));
    const std::vector<proc::Process> all = proc::descendants(process.pid());
    CHECK(all[0].ppid == process.pid());
    CHECK(all[1].ppid == all[0].pid);
}

TEST_CASE("proc: descendants() finds a process whose parent exits during the scan") {
    const pid_t reaper = fork_child([] {
        int turns[2];
        if (pipe(turns) == -1 || prctl(PR_SET_CHILD_SUBREAPER, 1) == -1) _exit(1);
        if (fork() == 0) {
            close(turns[1]);
            for (char turn; read(turns[0], &turn, 1) == 1;) {
                if (fork() != 0) _exit(0);  // one process forks the next and exits
            }
            _exit(0);
        }
        for (int look = 0; look < 1000; ++look) {
            if (write(turns[1], "", 1) != 1) _exit(1);
            const std::vector<proc::Process> all = proc::descendants(getpid());
            if (std::all_of(all.begin(), all.end(), [](const proc::Process& child) { return child.is_zombie(); }))
                _exit(2);
            waitpid(-1, nullptr, 0);
        }
        _exit(0);
    });
    int status = 0;
    waitpid(reaper, &status, 0);
    CHECK(status == 0);
}

TEST_CASE("proc: a call that waits for time alone is a sleep") {
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

TEST_CASE("proc: a call that waits for neither time nor descriptors is a pause, and no sleep") {
    const auto call_of = [](auto call) {
        const pid_t pid = fork_child(call);
        CHECK(eventually([&] { return !proc::blocked_in(pid).empty() && proc::process(pid)->state == 'S'; }));
        std::string name = proc::blocked_in(pid) + (proc::sleeps(pid) ? ", a sleep" : "");
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
        return name;
    };
    timespec minutes = {600, 0};
    CHECK(call_of([] { pause(); }) == "pause");
    CHECK(call_of([] { syscall(SYS_ppoll, nullptr, 0, nullptr, nullptr, 8); }) == "pause");  // pause() on aarch64
    CHECK(call_of([&] { syscall(SYS_ppoll, nullptr, 0, &minutes, nullptr, 8); }) == "ppoll, a sleep");
    CHECK(call_of([] { syscall(SYS_pselect6, 0, nullptr, nullptr, nullptr, nullptr, nullptr); }) == "pause");
    CHECK(call_of([&] { syscall(SYS_pselect6, 0, nullptr, nullptr, nullptr, &minutes, nullptr); }) ==
          "pselect6, a sleep");
    CHECK(call_of([] { poll(nullptr, 0, -1); }) == "pause");
}

TEST_CASE("proc: a call of a 32-bit system with 64-bit time has its usual name") {
    const std::pair<long, std::string> calls[] = {
        {407, "clock_nanosleep"}, {413, "pselect6"},        {414, "ppoll"}, {417, "recvmmsg"},
        {420, "semtimedop"},      {421, "rt_sigtimedwait"}, {422, "futex"}};  // linux/arch/arm/tools/syscall.tbl
    for (const auto& [number, name] : calls) CHECK(proc::syscall_name(number) == name);
    CHECK(proc::syscall_name(SYS_accept4) == std::string("accept4"));
    CHECK(proc::syscall_name(SYS_getpid) == nullptr);
}

TEST_CASE("proc: describe_wait_status() puts a wait status into words") {
    CHECK(proc::describe_wait_status(7 << 8) == "exited with 7");
    CHECK(proc::describe_wait_status(SIGTERM) == "was killed by signal 15 (Terminated)");
}

TEST_CASE("proc: does not take a file for missing when descriptors run out") {
    const pid_t pid = fork_child([] {
        const rlimit none = {0, 0};
        setrlimit(RLIMIT_NOFILE, &none);
        int thrown = 0;
        const auto count = [&](auto look) {
            try {
                look();
            } catch (const std::runtime_error& error) {
                if (std::string(error.what()).find("no more than 0 descriptors") != std::string::npos) ++thrown;
            }
        };
        count([] { proc::process(getpid()); });
        count([] { proc::threads(getpid()); });
        count([] { proc::listening_sockets(); });
        count([] { const Client client(1); });
        _exit(thrown);
    });
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK(proc::describe_wait_status(status) == "exited with 4");
}

TEST_CASE("diagnose, xray, run_tests: report in one line that /proc is not mounted") {
#ifdef __SANITIZE_ADDRESS__
    WARN_MESSAGE(false, "not tried: the sanitizer needs /proc itself, before main");
    return;
#endif
    const std::string tests = folder("BUILD", "build/") + "run_tests";
    const std::vector<std::string> programs[] = {{built("diagnose").command[0], built("step_g").command[0]},
                                                 {built("xray").command[0], "--once"},
                                                 {tests, "--first=1", "--last=1"}};
    for (const std::vector<std::string>& program : programs) {
        Program hidden = {
            {"unshare", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"}};
        hidden.command.insert(hidden.command.end(), program.begin(), program.end());
        const Ended said(hidden);
        if (said.err.starts_with("unshare: ")) {
            WARN_MESSAGE(false, "not tried: ", said.err);
            return;
        }
        CAPTURE(program[0]);
        CHECK(said.fate.starts_with("exited with "));
        CHECK(said.fate != "exited with 0");
        CHECK(said.err.find(": /proc does not show this process: it is not mounted") != std::string::npos);
        CHECK(count_in(said.err, "\n") == 1);
        CHECK(said.out == "");
    }
}

TEST_CASE("proc: threads() lists a process's threads, its main thread first") {
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

TEST_CASE("proc: descriptors of the same socket show the same inode") {
    const net::Socket socket(AF_INET, SOCK_STREAM);
    const int copy = dup(socket.fileno());
    std::vector<std::uint64_t> inodes;
    for (const proc::Descriptor& descriptor : proc::descriptors(getpid())) {
        if (descriptor.number == socket.fileno() || descriptor.number == copy) inodes.push_back(descriptor.inode);
    }
    close(copy);
    REQUIRE(inodes.size() == 2);
    CHECK(inodes[0] != 0);
    CHECK(inodes[0] == inodes[1]);
}

TEST_CASE("proc: a blocked signal is pending until it is unblocked") {
    struct sigaction action = {};
    struct sigaction before = {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR2, &action, &before);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    CHECK_FALSE(proc::is_pending(getpid(), SIGUSR2));
    CHECK(proc::signal_state(getpid(), SIGUSR2).blocked);
    kill(getpid(), SIGUSR2);
    CHECK(proc::is_pending(getpid(), SIGUSR2));
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    CHECK_FALSE(proc::is_pending(getpid(), SIGUSR2));
    CHECK_FALSE(proc::signal_state(getpid(), SIGUSR2).blocked);
    sigaction(SIGUSR2, &before, nullptr);
}

TEST_CASE("proc: a listening socket shows its port, its backlog and its queue") {
    net::Socket listener(AF_INET, SOCK_STREAM);
    listener.bind(loopback(0));
    listener.listen(3);
    const auto found = [&]() -> proc::ListeningSocket {
        for (const proc::ListeningSocket& socket : proc::listening_sockets()) {
            if (socket.port == listener.port()) return socket;
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

TEST_CASE("proc: a connection shows its state, its inode and its unread bytes") {
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

TEST_CASE("proc: a zombie shows its exit status, and a pidfd shows it after the process was reaped") {
    for (const bool is_killed : {false, true}) {
        const pid_t pid = fork_child([&] {
            if (is_killed) kill(getpid(), SIGKILL);
            _exit(7);
        });
        const proc::PidFd hold(pid);
        REQUIRE(hold.fileno() != -1);
        CHECK(eventually([&] { return proc::process(pid)->is_zombie(); }));
        int status = 0;
        const std::optional<int> as_zombie = proc::process(pid)->exit_status;
        CHECK_FALSE(hold.exit_status());
        waitpid(pid, &status, 0);
        CHECK(as_zombie == status);
        if (hold.exit_status()) CHECK(hold.exit_status() == status);
        else CHECK_MESSAGE(kernel_is_older_than(6, 15), "this kernel should show the exit status");
    }
}

TEST_CASE("proc: a pidfd becomes readable when its process exits") {
    int hold_on[2];
    REQUIRE(pipe2(hold_on, O_CLOEXEC) == 0);
    const pid_t pid = fork_child([&] {
        close(hold_on[1]);
        char byte;
        _exit(static_cast<int>(read(hold_on[0], &byte, 1)));
    });
    const proc::PidFd hold(pid);
    pollfd event = {hold.fileno(), POLLIN, 0};
    CHECK(poll(&event, 1, 0) == 0);
    close(hold_on[1]);
    CHECK(poll(&event, 1, 30000) == 1);
    close(hold_on[0]);
    waitpid(pid, nullptr, 0);
    CHECK(proc::PidFd(pid).fileno() == -1);
}

TEST_CASE("proc: child_pids() gives the pids of children()") {
    Process process(shell("sleep 600 & sleep 600 & wait"));
    CHECK(process.until([&] { return proc::child_pids(process.pid()).size() == 2; }));
    std::vector<pid_t> pids;
    for (const proc::Process& child : proc::children(process.pid())) pids.push_back(child.pid);
    CHECK(proc::child_pids(process.pid()) == pids);
    CHECK(proc::child_pids(pids[0]).empty());
}

TEST_CASE("proc: a process shows how many threads it has, and when it started") {
    const std::optional<proc::Process> self = proc::process(getpid());
    Process process(shell("exec sleep 600"));
    REQUIRE(self);
    CHECK(self->threads == 1);
    std::thread second([&] { CHECK(proc::process(getpid())->threads == 2); });
    second.join();
    CHECK(self->started > proc::process(1)->started);
    CHECK(self->started <= proc::process(process.pid())->started);
}

TEST_CASE("proc: run_count() stays the same while a process sleeps, and changes when it wakes") {
    const pid_t pid = fork_child([] {
        struct sigaction action = {};
        action.sa_handler = [](int) {};
        sigaction(SIGUSR1, &action, nullptr);
        while (true) pause();
    });
    CHECK(eventually([&] { return !proc::blocked_in(pid).empty() && proc::process(pid)->state == 'S'; }));
    const std::string before = proc::run_count(pid);
    CHECK_FALSE(before.empty());
    CHECK(proc::run_count(pid) == before);
    kill(pid, SIGUSR1);
    CHECK(eventually([&] { return proc::run_count(pid) != before; }));
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    CHECK(proc::run_count(pid) == "");
}

TEST_CASE("proc: is_readable() is false when a process may not be inspected") {
    int ready[2];
    REQUIRE(pipe2(ready, O_CLOEXEC) == 0);
    const pid_t secretive = fork_child([&] {
        prctl(PR_SET_DUMPABLE, 0);
        close(ready[1]);
        pause();
    });
    close(ready[1]);
    char byte;
    CHECK(read(ready[0], &byte, 1) == 0);
    close(ready[0]);
    const pid_t without_rights = fork_child([&] {
        if (getuid() == 0 && setresuid(65534, 65534, 65534) == -1) _exit(2);
        _exit(proc::is_readable(secretive) || !proc::descriptors(secretive).empty() || !proc::is_readable(getpid()));
    });
    int status = -1;
    waitpid(without_rights, &status, 0);
    CHECK(status == 0);
    kill(secretive, SIGKILL);
    waitpid(secretive, nullptr, 0);
    CHECK_FALSE(proc::is_readable(secretive));
}

TEST_CASE("proc: a process shows its command line, its user and its limits") {
    Program program = shell("exec sleep 600");
    program.max_descriptors = 77;
    program.max_processes = 500;
    Process process(program);
    CHECK(process.until([&] { return proc::blocked_in(process.pid()) == "clock_nanosleep"; }));
    CHECK(proc::command_line(process.pid()) == std::vector<std::string>{"sleep", "600"});
    CHECK(proc::limits(process.pid()).descriptors == 77);
    CHECK(proc::limits(process.pid()).processes >= 500);  // higher when the user has processes already
    CHECK(proc::limits(process.pid()).processes != RLIM_INFINITY);
    CHECK(proc::user_of(getpid()) == getuid());
    rlimit own = {};
    getrlimit(RLIMIT_NPROC, &own);
    CHECK(proc::limits(getpid()).processes == own.rlim_cur);
    const pid_t gone = fork_child([] { _exit(0); });
    waitpid(gone, nullptr, 0);
    CHECK_FALSE(proc::user_of(gone));
    CHECK(proc::command_line(gone).empty());
    CHECK(proc::limits(gone).descriptors == RLIM_INFINITY);
}

TEST_CASE("proc: signal_state() shows how a process handles a signal") {
    using proc::Disposition;
    const auto state = [] { return proc::signal_state(getpid(), SIGUSR2); };
    struct sigaction before = {};
    sigaction(SIGUSR2, nullptr, &before);
    std::signal(SIGUSR2, SIG_DFL);
    CHECK(state() == proc::SignalState{Disposition::default_action, false, false});
    std::signal(SIGUSR2, SIG_IGN);
    CHECK(state() == proc::SignalState{Disposition::ignored, false, false});
    std::signal(SIGUSR2, [](int) {});
    CHECK(state() == proc::SignalState{Disposition::handled, false, false});
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    raise(SIGUSR2);
    CHECK(state() == proc::SignalState{Disposition::handled, true, true});
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    CHECK(state() == proc::SignalState{Disposition::handled, false, false});
    sigaction(SIGUSR2, &before, nullptr);
}

TEST_CASE("proc: tcp_sockets() shows both addresses of a connection, and no inode before accept") {
    net::Socket listener(AF_INET, SOCK_STREAM);
    listener.bind(loopback(0));
    listener.listen(3);
    Client client(static_cast<std::uint16_t>(listener.port()));
    const std::string address = "127.0.0.1:" + std::to_string(listener.port());
    const std::string peer = "127.0.0.1:" + std::to_string(client.port());
    const auto listed = [&]() -> proc::TcpSocket {
        for (const proc::TcpSocket& socket : proc::tcp_sockets()) {
            if (socket.address == address && socket.peer == peer) return socket;
        }
        return {};
    };
    CHECK(listed().port == listener.port());
    CHECK(listed().inode == 0);
    const net::Socket connection = listener.accept();
    CHECK(listed().inode != 0);
    CHECK(listed().unread == 0);
    client.send("12345");
    CHECK(eventually([&] { return listed().unread == 5; }));
    CHECK(std::string(proc::tcp_state_name(listed().state)) == "ESTABLISHED");
    client.half_close();
    CHECK(eventually([&] { return std::string(proc::tcp_state_name(listed().state)) == "CLOSE_WAIT"; }));
    CHECK(listed().unread == 5);
    for (const proc::ListeningSocket& socket : proc::listening_sockets()) {
        if (socket.port == listener.port()) CHECK(socket.address == address);
        if (socket.port == listener.port()) CHECK(socket.user == getuid());
    }
}

TEST_CASE("proc: tcp_sockets() leaves out what is in TIME_WAIT") {
    net::Socket listening(AF_INET, SOCK_STREAM);
    listening.bind(loopback(0));
    listening.listen(1);
    const auto is_there = [&] {
        const std::vector<proc::TcpSocket> all = proc::tcp_sockets();
        return std::any_of(all.begin(), all.end(), [&](const auto& socket) { return socket.port == listening.port(); });
    };
    net::Socket client(AF_INET, SOCK_STREAM);
    client.connect(loopback(listening.port()));
    net::Socket connection = listening.accept();
    CHECK(is_there());
    connection.close();  // first, so its end waits
    CHECK(client.recv(1) == "");
    client.close();
    CHECK(eventually([&] { return !is_there(); }));
}

TEST_CASE("proc: IPv6 addresses are in brackets, and IPv4 addresses mapped into IPv6 are not") {
    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd != -1);
    sockaddr_in6 any = {};
    any.sin6_family = AF_INET6;
    socklen_t size = sizeof any;
    REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
    REQUIRE(listen(fd, 1) == 0);
    REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&any), &size) == 0);
    const Client client(ntohs(any.sin6_port));
    const std::string port = std::to_string(ntohs(any.sin6_port));
    const std::vector<proc::ListeningSocket> listening = proc::listening_sockets();
    CHECK(std::any_of(listening.begin(), listening.end(),
                      [&](const auto& socket) { return socket.address == "[::]:" + port; }));
    const std::vector<proc::TcpSocket> all = proc::tcp_sockets();
    CHECK(std::any_of(all.begin(), all.end(), [&](const auto& socket) {
        return socket.address == "127.0.0.1:" + port && socket.peer == "127.0.0.1:" + std::to_string(client.port());
    }));
    close(fd);
}
