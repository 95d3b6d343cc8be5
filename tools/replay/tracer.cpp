#include "tracer.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "../proc/process.hpp"
#include "../proc/tcp.hpp"

namespace replay {
namespace {

constexpr int OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                        PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

// The tracer stops waiting for processes that have computed for so long without a system call. It counts their
// processor time, so that a busy machine makes no difference. After ten seconds it stops waiting in any case.
constexpr std::chrono::seconds MOST_WORK{2};
constexpr std::chrono::seconds PATIENCE{10};

/// Runs in the new process: waits until it is traced, then executes the program. Writes errno to `failure` when that
/// fails.
[[noreturn]] void become(const std::vector<std::string>& command, const std::map<std::string, std::string>& environment,
                         int output, int go, int failure, const sigset_t& mask) {
    char byte = 0;
    if (read(go, &byte, 1) != 1) _exit(127);  // the recorder has exited
    setpgid(0, 0);  // so that the terminal's Ctrl-C reaches only the recorder
    const int input = open("/dev/null", O_RDONLY);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (input > STDERR_FILENO) close(input);
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    const int error = errno;
    if (write(failure, &error, sizeof error) == -1) _exit(126);
    _exit(127);
}

std::string why_not_followed(int error) {
    std::string text =
        "ptrace: " + std::string(std::strerror(error)) + ": this system does not let one process follow ";
    text += "another. In a container: --cap-add=SYS_PTRACE, or a seccomp profile that allows ptrace; with Yama: ";
    return text + "sysctl kernel.yama.ptrace_scope=1";
}

/// Waits until SIGCHLD (which is blocked) announces a status for waitpid, or the time is over.
void wait_for_news(std::chrono::microseconds most) {
    sigset_t news;
    sigemptyset(&news);
    sigaddset(&news, SIGCHLD);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(most);
    const timespec time = {seconds.count(), std::chrono::nanoseconds(most - seconds).count()};
    sigtimedwait(&news, nullptr, &time);
}

}  // namespace

Tracer::Tracer() {
    sigset_t news;
    sigemptyset(&news);
    sigaddset(&news, SIGCHLD);
    sigprocmask(SIG_BLOCK, &news, &mask_before_);
}

Tracer::~Tracer() {
    for (auto& [pid, tracee] : tracees_) {
        if (!tracee.has_ended()) kill(pid, SIGKILL);
    }
    // Kill all before waiting for any: a process does not end before its threads. This process is a subreaper
    // (prctl(2)), so zombies whose parents did not wait are its children now.
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
        if (WIFSTOPPED(status)) ptrace(PTRACE_CONT, pid, nullptr, nullptr);
    }
    sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

Tracee& Tracer::start(const std::vector<std::string>& command, const std::map<std::string, std::string>& environment,
                      int output, bool is_client) {
    int go[2], failure[2];
    if (pipe2(go, O_CLOEXEC) == -1 || pipe2(failure, O_CLOEXEC) == -1) throw std::runtime_error("pipe2: no descriptor");
    const pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);  // or the new process would hold the pipe open for itself
        become(command, environment, output, go[0], failure[1], mask_before_);
    }
    close(go[0]);
    close(failure[1]);
    const bool is_followed = ptrace(PTRACE_SEIZE, pid, nullptr, OPTIONS) == 0;
    const int error = errno;
    if (is_followed && write(go[1], "", 1) == -1) throw std::runtime_error("write: the child is gone");
    close(go[1]);
    if (!is_followed) {
        close(failure[0]);
        waitpid(pid, nullptr, 0);
        throw std::runtime_error(why_not_followed(error));
    }
    Tracee& tracee = add(pid);
    tracee.is_client = is_client;
    while (!tracee.has_ended() && tracee.stop != Stop::exec) {
        wait_for_stop(1000);
        if (tracee.is_stopped() && tracee.stop != Stop::exec) resume(tracee);
    }
    int reason = 0;
    const bool has_failed = read(failure[0], &reason, sizeof reason) == sizeof reason;
    close(failure[0]);
    if (has_failed) throw std::runtime_error("cannot start " + command[0] + ": " + std::strerror(reason));
    return tracee;
}

Tracee& Tracer::add(pid_t pid) {
    Tracee& tracee = tracees_[pid];
    tracee.pid = tracee.process = pid;
    tracee.number = by_number_.size();
    by_number_[tracee.number] = &tracee;
    return tracee;
}

Tracee* Tracer::find(pid_t pid) {
    const auto found = tracees_.find(pid);
    return found == tracees_.end() ? nullptr : &found->second;
}

void Tracer::resume(Tracee& tracee) {
    const bool delivers = tracee.stop == Stop::signal;
    const auto request = tracee.stop == Stop::group_stop ? PTRACE_LISTEN : PTRACE_SYSCALL;
    const int signal = delivers ? tracee.signal : 0;
    // A process in a group stop stays stopped until SIGCONT.
    if (tracee.stop != Stop::group_stop) tracee.stop = Stop::none;
    tracee.is_news = false;
    // An error means that it was killed meanwhile: waitpid will report that.
    ptrace(request, tracee.pid, nullptr, signal);
}

/// Collects all statuses that waitpid has. Returns whether there was one.
bool Tracer::collect() {
    bool has_any = false;
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0;) {
        has_any = true;
        if (Tracee* const tracee = find(pid)) note(*tracee, status);
        else if (WIFSTOPPED(status)) early_[pid] = status;
    }
    return has_any;
}

void Tracer::note(Tracee& tracee, int status) {
    tracee.is_news = true;
    if (!WIFSTOPPED(status)) {
        tracee.status = status;
        tracee.stop = Stop::none;
        return;
    }
    const int event = status >> 16;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
        __ptrace_syscall_info info = {};
        ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO), tracee.pid, sizeof info, &info);
        tracee.stop = info.op == PTRACE_SYSCALL_INFO_ENTRY ? Stop::call_entry : Stop::call_exit;
        tracee.is_in_call = tracee.stop == Stop::call_entry;
        if (tracee.is_in_call) {
            tracee.call = {};
            tracee.call.number = static_cast<long>(info.entry.nr);
            std::copy(std::begin(info.entry.args), std::end(info.entry.args), tracee.call.arguments);
        } else {
            tracee.call.result = info.exit.rval;
            tracee.call.is_error = info.exit.is_error != 0;
        }
    } else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
        unsigned long child = 0;
        ptrace(PTRACE_GETEVENTMSG, tracee.pid, nullptr, &child);
        tracee.stop = Stop::fork;
        tracee.child = static_cast<pid_t>(child);
        Tracee& born = add(tracee.child);
        born.is_client = tracee.is_client;
        // /proc lists a thread below its process, but not a child.
        const std::vector<pid_t> threads = proc::threads(tracee.process);
        tracee.is_thread = std::find(threads.begin(), threads.end(), tracee.child) != threads.end();
        born.parent = tracee.process;
        if (tracee.is_thread) born.process = tracee.process;
        if (const auto early = early_.find(born.pid); early != early_.end()) {
            note(born, early->second);
            early_.erase(early);
        }
    } else if (event == PTRACE_EVENT_EXEC) {
        tracee.stop = Stop::exec;
    } else if (event == PTRACE_EVENT_STOP) {
        const int signal = WSTOPSIG(status);
        tracee.stop = signal == SIGTRAP ? Stop::other : Stop::group_stop;
    } else {
        tracee.stop = Stop::signal;
        tracee.signal = WSTOPSIG(status);
    }
}

/// Whether the server or a client has sent something that the other has not acknowledged.
bool Tracer::packet_is_on_its_way() const {
    if (server_port_ == 0) return false;
    const std::string port = ':' + std::to_string(server_port_);
    const std::vector<proc::TcpSocket> all = proc::tcp_sockets();
    return std::any_of(all.begin(), all.end(), [&](const proc::TcpSocket& socket) {
        return socket.is_unacknowledged && (socket.port == server_port_ || socket.peer.ends_with(port));
    });
}

bool Tracer::is_settled() const {
    const auto is_blocked = [](const auto& entry) {
        if (entry.second.is_stopped() || entry.second.has_ended()) return true;
        // State S is not enough: a process has it already while it checks whether it must sleep. So the process must be
        // off its processor as well. A process that was stopped meanwhile is also in a call, but has another state.
        if (proc::blocked_in(entry.first).empty()) return false;
        const std::optional<proc::Process> now = proc::process(entry.first);
        return now && (now->state == 'S' || now->state == 'T');
    };
    return std::all_of(tracees_.begin(), tracees_.end(), is_blocked) && !packet_is_on_its_way();
}

std::chrono::nanoseconds Tracer::work() const {
    std::chrono::nanoseconds sum = {};
    for (const auto& [pid, tracee] : tracees_) sum += proc::processor_time(pid);
    return sum;
}

void Tracer::settle() {
    // All must be blocked in two checks in a row: a packet may arrive while the first check moves from processes to
    // packets.
    const auto deadline = std::chrono::steady_clock::now() + PATIENCE;
    const auto most_work = work() + MOST_WORK;
    const auto is_in_time = [&] { return std::chrono::steady_clock::now() < deadline && work() < most_work; };
    for (int settled_checks = 0; settled_checks < 2 && is_in_time();) {
        const bool has_news = collect();
        settled_checks = !has_news && is_settled() ? settled_checks + 1 : 0;
        if (settled_checks == 0 && !has_news) wait_for_news(std::chrono::microseconds(50));
    }
}

bool Tracer::wait_for_stop(int milliseconds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    while (!collect()) {
        const auto left = deadline - std::chrono::steady_clock::now();
        if (left <= left.zero()) return false;
        wait_for_news(std::chrono::ceil<std::chrono::microseconds>(left));
    }
    return true;
}

std::string Tracer::memory(pid_t pid, std::uint64_t address, std::size_t size) {
    std::string bytes(size, '\0');
    const int fd = open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
    const ssize_t count = fd == -1 ? 0 : pread(fd, bytes.data(), size, static_cast<off_t>(address));
    close(fd);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return bytes;
}

}  // namespace replay
