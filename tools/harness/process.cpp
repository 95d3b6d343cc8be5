#include "process.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "../../net/socket.hpp"
#include "../proc/process.hpp"

namespace harness {
namespace {

using net::check;

/// What the keeper reports of a process that it has reaped. pid 0: the program has ended, and up to here came the
/// zombies that it left.
struct Report {
    pid_t pid;
    int status;
};

constexpr const char* KEEPER = "keeper";

constexpr rlim_t MOST_PROCESSES_OF_A_FOREIGN_PROGRAM = 128;
constexpr rlim_t MOST_PROCESSES_STARTED_MEANWHILE = 1024;  // by the same user, elsewhere
constexpr rlim_t MOST_OUTPUT_OF_A_FOREIGN_PROGRAM = 64 << 20;  // bytes, into each file

// ---- in the process that becomes the program ----------------------------------------------------

/// RLIMIT_NPROC does not hold for root: becomes a user that has no process yet, and keeps but the rights to reach the
/// program where only root may, and to listen on any port (capabilities(7)). Returns false when this is not allowed.
bool become_unused_user() {
    uid_t user = 0;  // chosen by chance, for other containers have users that we do not see
    do check("getrandom", getrandom(&user, sizeof user, 0));
    while ((user = 1'000'000'000U + user % 1'000'000'000U, proc::count_of_user(user)) > 0);
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct kept[_LINUX_CAPABILITY_U32S_3] = {};
    kept[0].effective = kept[0].permitted = kept[0].inheritable = 1U << CAP_DAC_OVERRIDE | 1U << CAP_NET_BIND_SERVICE;
    return prctl(PR_SET_KEEPCAPS, 1) == 0 && setresuid(user, user, user) == 0 &&
           syscall(SYS_capset, &header, kept) == 0 &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0) == 0 &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) == 0;
}

/// Enters a user namespace, which has a count of processes of its own since Linux 5.14, and in which the user is still
/// the same, or nobody where that is refused. Returns false when this is not allowed, or is no use.
bool enter_user_namespace() {
    const uid_t user = geteuid();
    utsname system = {};
    uname(&system);
    int major = 0;
    int minor = 0;
    const bool is_known = std::sscanf(system.release, "%d.%d", &major, &minor) == 2;  // NOLINT(cert-err34-c)
    if (!is_known || std::pair(major, minor) < std::pair(5, 14) || unshare(CLONE_NEWUSER) == -1) return false;
    const int map = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    dprintf(map, "%u %u 1", user, user);
    close(map);
    return true;
}

void limit(int resource, rlim_t most) {
    const rlimit both = {most, most};  // it can be raised no more
    check("setrlimit", setrlimit(resource, &both));
}

/// Nothing but the program counts. Where that cannot be had, there is room for what else its user runs, and for as many
/// processes as it may start `meanwhile`.
void limit_processes(rlim_t most, rlim_t meanwhile) {
    const std::size_t others = proc::count_of_user(getuid());
    const bool is_alone = (geteuid() == 0 && become_unused_user()) || enter_user_namespace();
    limit(RLIMIT_NPROC, is_alone ? most : most + others + meanwhile);
}

/// Turns this process into the program. Returns only when that is impossible, with errno set.
void become(const Program& program, int out, int err, pid_t keeper) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int number = 1; number < NSIG; ++number) std::signal(number, SIG_DFL);

    dup2(open("/dev/null", O_RDWR), STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);  // what we have inherited ourselves is not for the program
    for (const char* variable : {"PORT", "HOST", "SLEEP", "TIMEOUT", "MAX_CLIENTS", "APP_TIMEOUT", "GRACE"}) {
        unsetenv(variable);
    }
    for (const auto& [variable, value] : program.environment) setenv(variable.c_str(), value.c_str(), 1);

    if (program.is_foreign) limit(RLIMIT_FSIZE, MOST_OUTPUT_OF_A_FOREIGN_PROGRAM);
    if (program.max_processes) limit_processes(*program.max_processes, 0);
    else if (program.is_foreign) {
        limit_processes(MOST_PROCESSES_OF_A_FOREIGN_PROGRAM, MOST_PROCESSES_STARTED_MEANWHILE);
    }
    die_with_parent(keeper);
    std::vector<char*> arguments;
    for (const std::string& argument : program.command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    if (program.max_descriptors) limit(RLIMIT_NOFILE, *program.max_descriptors);  // last: there may be none left
    execvp(arguments[0], arguments.data());
}

// ---- in the keeper ------------------------------------------------------------------------------

/// Stops all that stands below us, until nobody is left who could fork another one. Two calm looks it takes: a child
/// that was born behind the first one is seen by the second.
void freeze_all_descendants() {
    for (int calm_looks = 0; calm_looks < 2; ++calm_looks) {
        for (const proc::Process& one : proc::descendants(getpid())) {
            if ((one.state == 'R' || one.state == 'S') && kill(one.pid, SIGSTOP) == 0) calm_looks = -1;
        }
    }
}

/// Kills and reaps all that stands below us: whoever loses its parent becomes our own child.
void end_all_descendants() {
    freeze_all_descendants();
    while (true) {
        for (const proc::Process& one : proc::descendants(getpid())) kill(one.pid, SIGKILL);
        if (waitpid(-1, nullptr, 0) == -1 && errno == ECHILD) return;
        while (waitpid(-1, nullptr, WNOHANG) > 0) {
        }
    }
}

/// Reaps, and reports what it has reaped, until the other end of `reports` is closed; then ends all that is left.
[[noreturn]] void keep(pid_t program, int reports, int child_signals) {
    pollfd events[] = {{child_signals, POLLIN, 0}, {reports, POLLIN, 0}};
    while (events[1].revents == 0) {
        if (poll(events, 2, -1) == -1) continue;
        signalfd_siginfo ignored;
        if ((events[0].revents & POLLIN) != 0) check("read", read(child_signals, &ignored, sizeof ignored));
        bool ended = false;
        for (Report report = {}; (report.pid = waitpid(-1, &report.status, WNOHANG)) > 0;) {
            ended = ended || report.pid == program;
            send(reports, &report, sizeof report, MSG_NOSIGNAL);
        }
        // The kernel hands over the children of a dying process before its parent can reap it (exit_notify): so these
        // were all of its zombies.
        const Report end = {0, 0};
        if (ended) send(reports, &end, sizeof end, MSG_NOSIGNAL);
    }
    end_all_descendants();
    _exit(0);
}

/// Leaves but stdin, stdout, stderr and the two descriptors, which become 3 and 4: a keeper that held the copy of a
/// connection would keep it open.
void close_all_but(int& first, int& second) {
    const int null = open("/dev/null", O_RDWR);
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, standard);
    const int high_first = check("fcntl", fcntl(first, F_DUPFD_CLOEXEC, 10));
    const int high_second = check("fcntl", fcntl(second, F_DUPFD_CLOEXEC, 10));
    first = dup3(high_first, 3, O_CLOEXEC);
    second = dup3(high_second, 4, O_CLOEXEC);
    check("close_range", syscall(SYS_close_range, 5U, ~0U, 0U));
}

/// The life of the keeper. `started` gets the program's pid, and errno should it not start; it is closed when it has.
[[noreturn]] void be_keeper(const Program& program, int out, int err, int reports, int started) {
    prctl(PR_SET_NAME, KEEPER);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    setsid();  // out of reach of the terminal's Ctrl-C
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, SIG_IGN);
    sigset_t child_signal;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_signal, nullptr);
    int child_signals = signalfd(-1, &child_signal, SFD_CLOEXEC);

    const pid_t keeper = getpid();
    const pid_t pid = fork();
    if (pid == 0) {
        try {
            become(program, out, err, keeper);
        } catch (const std::system_error& error) {
            errno = error.code().value();
        }
    }
    const int message = pid > 0 ? pid : -errno;
    const bool sent = write(started, &message, sizeof message) == sizeof message;
    if (pid <= 0 || !sent) _exit(127);
    try {
        close_all_but(reports, child_signals);
        keep(pid, reports, child_signals);
    } catch (...) {
        end_all_descendants();
        _exit(127);
    }
}

/// A file in memory that takes the output of many processes: each write goes to its end, since without O_APPEND
/// processes that write at once to a memfd overwrite each other.
int open_output(const char* name) {
    const int fd = check("memfd_create", memfd_create(name, MFD_CLOEXEC));
    check("fcntl", fcntl(fd, F_SETFL, O_APPEND));
    return fd;
}

std::string read_all(int fd) {
    std::string text;
    char buffer[65536];
    for (ssize_t count; (count = pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0;) {
        text.append(buffer, static_cast<std::size_t>(count));
    }
    return text;
}

/// A wait status (waitpid(2)).
std::string in_words(int status) {
    if (WIFEXITED(status)) return "exited with " + std::to_string(WEXITSTATUS(status));
    const int number = WTERMSIG(status);
    return "was killed by signal " + std::to_string(number) + " (" + strsignal(number) + ')';
}

}  // namespace

// ---- in the process that watches ----------------------------------------------------------------

namespace {

/// ptrace(2), "Ptrace access mode checking".
bool may_look_into_other_users() {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct ours[_LINUX_CAPABILITY_U32S_3] = {};
    return syscall(SYS_capget, &header, ours) == 0 && (ours[0].effective & 1U << CAP_SYS_PTRACE) != 0;
}

}  // namespace

Program Program::with(const std::string& variable, const std::string& value) const {
    Program changed = *this;
    changed.environment[variable] = value;
    return changed;
}

Process::Process(const Program& program) : program_(program) {
    const bool is_limited = program.max_processes || program.is_foreign;
    if (is_limited && geteuid() == 0 && !may_look_into_other_users()) {
        throw std::runtime_error(
            "as root, which lacks CAP_SYS_PTRACE here (a container?), nobody can be watched who runs as another user: "
            "be a user yourself (setpriv --reuid=1000 --regid=1000 --clear-groups …), or have it "
            "(--cap-add=SYS_PTRACE)");
    }
    int ends[2];
    int started[2];
    out_ = open_output("stdout");
    err_ = open_output("stderr");
    check("socketpair", socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
    check("pipe2", pipe2(started, O_CLOEXEC));
    reports_ = ends[0];
    keeper_ = check("fork", fork());
    if (keeper_ == 0) {
        close(ends[0]);
        be_keeper(program, out_, err_, ends[1], started[1]);
    }
    close(ends[1]);
    close(started[1]);
    int error = 0;
    for (int message = 0; read(started[0], &message, sizeof message) == sizeof message;) {
        if (message > 0) pid_ = message;
        else error = -message;
    }
    close(started[0]);
    if (error != 0 || pid_ == -1) {  // -1: the keeper was killed before it could tell
        end();
        throw std::system_error(error, std::generic_category(), "cannot start " + program.command.front());
    }
}

Process::~Process() { end(); }

void Process::end() {
    close(reports_);
    while (waitpid(keeper_, nullptr, 0) == -1 && errno == EINTR) {
    }
    close(out_);
    close(err_);
}

std::string Process::out() const { return read_all(out_); }
std::string Process::err() const { return read_all(err_); }

void Process::read_reports() {
    for (Report report = {}; recv(reports_, &report, sizeof report, MSG_DONTWAIT) == sizeof report;) {
        if (report.pid == 0) settled_ = true;
        else statuses_[report.pid] = report.status;
        if (!settled_ && report.pid != pid_) left_zombies_.push_back(report.pid);
    }
}

std::optional<int> Process::status() {
    read_reports();
    return settled_ ? std::optional(statuses_.at(pid_)) : std::nullopt;
}

std::string Process::fate() { return status() ? in_words(*status()) : "is running"; }

std::string Process::fate_of(pid_t pid) {
    read_reports();
    const auto status = statuses_.find(pid);
    return status == statuses_.end() ? "is gone" : in_words(status->second);
}

bool Process::until(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
    bool holds = false;
    eventually([&] { return (holds = condition()) || has_ended(); }, patience);
    return holds || condition();
}

bool Process::until_ended() {
    until([] { return false; });
    return has_ended();
}

void Process::signal(int number) {
    if (has_ended()) throw std::system_error(ESRCH, std::generic_category(), "kill");
    check("kill", kill(pid_, number));
}

std::vector<proc::Process> Process::alive() const {
    std::vector<proc::Process> all = proc::descendants(keeper_);
    std::erase_if(all, [](const proc::Process& one) { return one.is_zombie(); });
    return all;
}

std::vector<proc::Process> Process::zombies() const {
    std::vector<proc::Process> all = proc::descendants(keeper_);
    std::erase_if(all, [this](const proc::Process& one) { return !one.is_zombie() || one.ppid == keeper_; });
    return all;
}

void die_with_parent(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // it was faster
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        poll(nullptr, 0, 1);
    }
    return true;
}

namespace {
volatile pid_t guarded_program = 0;
void pass_on(int number) {
    const int saved_errno = errno;
    kill(guarded_program, number);
    errno = saved_errno;
}
}  // namespace

int guarded(const std::function<int()>& program) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t guard = getpid();
    guarded_program = check("fork", fork());
    if (guarded_program == 0) {
        die_with_parent(guard);
        std::exit(program());
    }
    struct sigaction action = {};
    action.sa_handler = pass_on;
    action.sa_flags = SA_RESTART;
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
    int result = 1;
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, 0)) != -1;) {  // until no keeper is left either
        if (pid == guarded_program) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (!proc::process(guarded_program)) {  // gone: what else it has started is on its own now, but for keepers
            for (const proc::Process& child : proc::children(guard)) {
                if (child.name != KEEPER) kill(child.pid, SIGKILL);
            }
        }
    }
    return result;
}

}  // namespace harness
