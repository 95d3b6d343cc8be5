#include "process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <sstream>

namespace proc {
namespace {

/// The text of /proc/PID/`name`; empty when it cannot be read.
std::string read_file(pid_t pid, const char* name) {
    std::string text;
    const int fd = open(("/proc/" + std::to_string(pid) + '/' + name).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd == -1) return text;
    char buffer[4096];
    for (ssize_t count; (count = read(fd, buffer, sizeof buffer)) > 0;) {
        text.append(buffer, static_cast<std::size_t>(count));
    }
    close(fd);
    return text;
}

/// Calls `visit` with each entry of `directory` whose name is a whole number. Does nothing when it cannot be read.
template <class Visit> void for_each_number(const std::string& directory, Visit visit) {
    const std::unique_ptr<DIR, int (*)(DIR*)> open_directory(opendir(directory.c_str()), closedir);
    if (!open_directory) return;
    while (const dirent* entry = readdir(open_directory.get())) {
        const std::string name = entry->d_name;
        int number = -1;
        if (std::from_chars(name.data(), name.data() + name.size(), number).ptr == name.data() + name.size()) {
            visit(number);
        }
    }
}

/// The rest of the line of /proc/PID/status that starts with `key` and a colon; empty when there is none.
std::string status_line(pid_t pid, const std::string& key) {
    std::istringstream lines(read_file(pid, "status"));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(key + ":")) return line.substr(line.find_first_not_of(" \t", key.size() + 1));
    }
    return "";
}

bool has_signal(pid_t pid, const std::string& set, int signal) {
    const std::string mask = status_line(pid, set);
    return (std::strtoull(mask.c_str(), nullptr, 16) >> (signal - 1) & 1) != 0;
}

/// The calls that a server or its child may be found blocked in. Not every architecture has them all.
const char* syscall_name(long number) {
    switch (number) {
#ifdef SYS_accept
        case SYS_accept:
            return "accept";
#endif
        case SYS_accept4:
            return "accept4";
        case SYS_recvfrom:
            return "recvfrom";
        case SYS_recvmsg:
            return "recvmsg";
        case SYS_read:
            return "read";
        case SYS_sendto:
            return "sendto";
        case SYS_sendmsg:
            return "sendmsg";
        case SYS_write:
            return "write";
        case SYS_connect:
            return "connect";
        case SYS_wait4:
            return "wait4";
        case SYS_waitid:
            return "waitid";
        case SYS_nanosleep:
            return "nanosleep";
        case SYS_clock_nanosleep:
            return "clock_nanosleep";
        case SYS_restart_syscall:
            return "restart_syscall";
#ifdef SYS_poll
        case SYS_poll:
            return "poll";
#endif
        case SYS_ppoll:
            return "ppoll";
#ifdef SYS_select
        case SYS_select:
            return "select";
#endif
        case SYS_pselect6:
            return "pselect6";
#ifdef SYS_epoll_wait
        case SYS_epoll_wait:
            return "epoll_wait";
#endif
        case SYS_epoll_pwait:
            return "epoll_pwait";
#ifdef SYS_epoll_pwait2
        case SYS_epoll_pwait2:
            return "epoll_pwait2";
#endif
#ifdef SYS_io_uring_enter
        case SYS_io_uring_enter:
            return "io_uring_enter";
#endif
        case SYS_futex:
            return "futex";
        case SYS_rt_sigtimedwait:
            return "rt_sigtimedwait";
        case SYS_rt_sigsuspend:
            return "rt_sigsuspend";
#ifdef SYS_pause
        case SYS_pause:
            return "pause";
#endif
        default:
            return nullptr;
    }
}

/// A system call and its first arguments.
struct Call {
    std::string name;  ///< empty: none
    std::uint64_t first = 0;
    std::uint64_t second = 0;
};

/// The call that the process is blocked in, from /proc/PID/syscall (proc(5)).
Call blocking_call(pid_t pid) {
    std::istringstream line(read_file(pid, "syscall"));
    long number = -1;
    Call call;
    if (!(line >> number) || number < 0) return call;  // "running", or blocked outside a system call
    line >> std::hex >> call.first >> call.second;
    const char* name = syscall_name(number);
    call.name = name ? name : "system call " + std::to_string(number);
    return call;
}

}  // namespace

std::optional<Process> process(pid_t pid) {
    const std::string stat = read_file(pid, "stat");
    const std::size_t open = stat.find('(');  // the name may itself contain blanks and parentheses
    const std::size_t close = stat.rfind(')');
    if (open == std::string::npos || close == std::string::npos) return std::nullopt;
    Process found;
    found.pid = pid;
    found.name = stat.substr(open + 1, close - open - 1);
    std::istringstream(stat.substr(close + 1)) >> found.state >> found.ppid;
    return found;
}

std::vector<Process> processes() {
    std::vector<Process> all;
    for_each_number("/proc", [&](int pid) {
        if (std::optional<Process> found = process(pid)) all.push_back(std::move(*found));
    });
    std::sort(all.begin(), all.end(), [](const Process& a, const Process& b) { return a.pid < b.pid; });
    return all;
}

std::vector<Process> children(pid_t pid) {
    std::vector<Process> all = processes();
    all.erase(std::remove_if(all.begin(), all.end(), [&](const Process& one) { return one.ppid != pid; }), all.end());
    return all;
}

std::vector<Process> descendants(pid_t pid) {
    const std::vector<Process> all = processes();
    std::vector<Process> found;
    const auto append_children_of = [&](pid_t parent) {
        std::copy_if(all.begin(), all.end(), std::back_inserter(found),
                     [&](const Process& one) { return one.ppid == parent; });
    };
    append_children_of(pid);
    for (std::size_t i = 0; i < found.size(); ++i) append_children_of(found[i].pid);
    return found;
}

std::vector<pid_t> threads(pid_t pid) {
    std::vector<pid_t> all;
    for_each_number("/proc/" + std::to_string(pid) + "/task", [&](int thread) { all.push_back(thread); });
    std::sort(all.begin(), all.end(), [=](pid_t a, pid_t b) { return a != b && (a == pid || (b != pid && a < b)); });
    return all;
}

std::string blocked_in(pid_t pid) { return blocking_call(pid).name; }

bool sleeps(pid_t pid) {
    const Call call = blocking_call(pid);
    if (call.name == "nanosleep" || call.name == "clock_nanosleep") return true;
    if (call.name == "select" || call.name == "pselect6") return call.first == 0;
    return (call.name == "poll" || call.name == "ppoll") && call.second == 0;
}

std::vector<Descriptor> descriptors(pid_t pid) {
    std::vector<Descriptor> all;
    const std::string directory = "/proc/" + std::to_string(pid) + "/fd";
    for_each_number(directory, [&](int number) {
        char target[256];
        const ssize_t size = readlink((directory + '/' + std::to_string(number)).c_str(), target, sizeof target);
        if (size == -1) return;  // closed meanwhile
        Descriptor one{number, std::string(target, static_cast<std::size_t>(size)), 0};
        if (one.target.starts_with("socket:[")) one.inode = std::strtoull(one.target.c_str() + 8, nullptr, 10);
        all.push_back(std::move(one));
    });
    std::sort(all.begin(), all.end(), [](const Descriptor& a, const Descriptor& b) { return a.number < b.number; });
    return all;
}

bool is_pending(pid_t pid, int signal) {
    return has_signal(pid, "ShdPnd", signal) || has_signal(pid, "SigPnd", signal);
}

bool is_blocked(pid_t pid, int signal) { return has_signal(pid, "SigBlk", signal); }

std::size_t count_of_user(uid_t user) {
    std::size_t count = 0;
    for (const Process& one : processes()) {
        uid_t real = 0;
        std::size_t threads = 0;
        std::istringstream(status_line(one.pid, "Uid")) >> real;
        std::istringstream(status_line(one.pid, "Threads")) >> threads;
        if (real == user) count += std::max<std::size_t>(threads, 1);
    }
    return count;
}

}  // namespace proc
