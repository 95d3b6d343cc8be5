#include "process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "errors.hpp"
#include "syscalls.hpp"

namespace proc {
namespace {

/// The text of /proc/PID/`name`; empty when it cannot be read. Throws what require_descriptor throws.
std::string read_file(pid_t pid, const char* name) {
    std::string text;
    const int fd = open(("/proc/" + std::to_string(pid) + '/' + name).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        require_descriptor("open");
        return text;
    }
    char buffer[4096];
    for (ssize_t count; (count = read(fd, buffer, sizeof buffer)) > 0;) {
        text.append(buffer, static_cast<std::size_t>(count));
    }
    close(fd);
    return text;
}

/// Calls `visit` with each entry of `directory` whose name is a whole number. Does nothing when the directory cannot be
/// read.
template <class Visit> void for_each_number(const std::string& directory, Visit visit) {
    const std::unique_ptr<DIR, int (*)(DIR*)> open_directory(opendir(directory.c_str()), closedir);
    if (!open_directory) return require_descriptor("opendir");
    while (const dirent* entry = readdir(open_directory.get())) {
        const std::string name = entry->d_name;
        int number = -1;
        if (std::from_chars(name.data(), name.data() + name.size(), number).ptr == name.data() + name.size()) {
            visit(number);
        }
    }
}

/// The rest of the line that starts with `key` in `text`, a file of /proc; empty when there is no such line.
std::string line_of(const std::string& text, const std::string& key) {
    std::size_t at = text.starts_with(key) ? 0 : text.find('\n' + key);
    if (at == std::string::npos) return "";
    at += key.size() + (at == 0 ? 0 : 1);
    at = std::min(text.find_first_not_of(" \t", at), text.size());
    return text.substr(at, text.find('\n', at) - at);
}

/// The number that `text` begins with; "0x" is not recognised.
template <class Integer> std::optional<Integer> leading_number(std::string_view text, int base = 10) {
    Integer value = 0;
    const std::errc error = std::from_chars(text.data(), text.data() + text.size(), value, base).ec;
    return error == std::errc() ? std::optional(value) : std::nullopt;
}

/// The word as a number; 0 when it is not one.
template <class Integer> Integer number(std::string_view word) { return leading_number<Integer>(word).value_or(0); }

/// The words of a line, separated by spaces.
std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < line.size();) {
        const std::size_t end = std::min(line.find_first_of(" \n", at), line.size());
        if (end > at) words.push_back(line.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

/// One reading of the files /proc/PID/task/TID/children of all threads of the process. It may be inconsistent when a
/// child exits meanwhile.
std::vector<pid_t> read_children(pid_t pid) {
    std::vector<pid_t> all;
    for (const pid_t thread : threads(pid)) {
        const std::string pids = read_file(pid, ("task/" + std::to_string(thread) + "/children").c_str());
        for (const std::string_view child : words_of(pids)) all.push_back(number<pid_t>(child));
    }
    std::sort(all.begin(), all.end());
    return all;
}

/// Whether the kernel was built with the files `children` (CONFIG_PROC_CHILDREN).
bool has_children_files() {
    static const bool has = access("/proc/thread-self/children", F_OK) == 0;
    return has;
}

/// Whether `signal` is in a mask of /proc/PID/status.
bool has_signal(const std::string& status, const char* mask, int signal) {
    return (leading_number<std::uint64_t>(line_of(status, mask), 16).value_or(0) >> (signal - 1) & 1) != 0;
}

/// The soft limit in the line of /proc/PID/limits that starts with `name`.
rlim_t limit_of(const std::string& limits, const char* name) {
    return leading_number<rlim_t>(line_of(limits, name)).value_or(RLIM_INFINITY);  // "unlimited"
}

/// The system call in which a process sleeps, derived from the kernel function in /proc/PID/wchan. If the call is not
/// clear from it, the name of the function itself.
std::string call_behind(const std::string& kernel_function) {
    if (kernel_function.empty() || kernel_function == "0") return "";
    if (kernel_function == "inet_csk_accept") return "accept";
    if (kernel_function == "do_wait") return "wait4";
    if (kernel_function == "hrtimer_nanosleep" || kernel_function == "do_nanosleep") return "nanosleep";
    return "the kernel's " + kernel_function;
}

/// A system call and its arguments, as /proc/PID/syscall shows them (proc(5)).
struct Call {
    std::string name;  ///< empty: the process is in no call
    std::array<std::uint64_t, 6> arguments = {};  ///< each as wide as a register: 32 bits on a 32-bit system
};

/// For a call that waits for events on descriptors, the number of descriptors that it was given; otherwise empty. Only
/// the lower 32 bits of the argument count: it is an int, or small.
std::optional<std::uint32_t> count_of_descriptors(const Call& call) {
    if (call.name == "select" || call.name == "pselect6") return static_cast<std::uint32_t>(call.arguments[0]);
    if (call.name == "poll" || call.name == "ppoll") return static_cast<std::uint32_t>(call.arguments[1]);
    return std::nullopt;
}

/// Whether select(2), poll(2) or a similar call was given a timeout. For poll it is an int, and negative means none;
/// for the others it is a pointer, and null means none.
bool has_timeout(const Call& call) {
    if (call.name == "poll") return static_cast<std::int32_t>(call.arguments[2]) >= 0;
    return (call.name == "ppoll" ? call.arguments[2] : call.arguments[4]) != 0;
}

/// The call that the process is blocked in.
Call blocking_call(pid_t pid) {
    const std::string text = read_file(pid, "syscall");
    const std::vector<std::string_view> words = words_of(text);
    const long number = leading_number<long>(text).value_or(-1);
    Call call;
    if (text.empty()) call.name = call_behind(read_file(pid, "wchan"));
    if (number < 0 || words.size() <= call.arguments.size()) return call;  // "running", or outside a system call
    const char* name = syscall_name(number);
    call.name = name ? name : "system call " + std::to_string(number);
    for (std::size_t i = 0; i < call.arguments.size(); ++i) {
        call.arguments[i] = leading_number<std::uint64_t>(words[i + 1].substr(2), 16).value_or(0);  // after "0x"
    }
    // On aarch64 and riscv64 there is no system call pause(2): the library calls ppoll without descriptors or timeout.
    if (count_of_descriptors(call) == 0U && !has_timeout(call)) call.name = "pause";
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
    const std::vector<std::string_view> fields = words_of(std::string_view(stat).substr(close + 1));
    const auto field = [&](std::size_t n) {
        return n - 3 < fields.size() ? fields[n - 3] : "";
    };  // numbered as in proc(5)
    found.state = field(3).empty() ? '?' : field(3)[0];
    found.ppid = number<pid_t>(field(4));
    found.faults = number<std::uint64_t>(field(10));
    found.faults_of_reaped = number<std::uint64_t>(field(11));
    found.threads = number<unsigned>(field(20));
    found.started = number<std::uint64_t>(field(22));
    if (found.is_zombie() && is_readable(pid)) found.exit_status = number<int>(field(52));
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
    if (!has_children_files()) {
        std::vector<Process> all = processes();
        std::erase_if(all, [&](const Process& candidate) { return candidate.ppid != pid; });
        return all;
    }
    std::vector<Process> all;
    for (const pid_t child : child_pids(pid)) {
        std::optional<Process> found = process(child);
        if (found && found->ppid == pid) all.push_back(std::move(*found));
    }
    return all;
}

std::vector<Process> descendants(pid_t pid) {
    const auto has_ended = [](const Process& candidate) {
        const std::optional<Process> now = candidate.is_zombie() ? std::nullopt : process(candidate.pid);
        return !now || now->is_zombie();
    };
    const auto is_as_before = [](const Process& current, const Process& earlier) {
        return current.pid == earlier.pid && current.is_zombie() == earlier.is_zombie();
    };
    std::vector<Process> before;
    for (int scan = 0;; ++scan) {
        std::vector<Process> found = children(pid);
        for (std::size_t i = 0; i < found.size(); ++i) {
            const std::vector<Process> below = children(found[i].pid);
            found.insert(found.end(), below.begin(), below.end());
        }
        // When a process exits during the scan, its children get a new parent, whose list may have been read before.
        // Scan again until no process has exited, or two scans in a row agree.
        const bool is_whole = std::none_of(found.begin(), found.end(), has_ended) ||
                              std::equal(found.begin(), found.end(), before.begin(), before.end(), is_as_before);
        if (is_whole || scan == 100) return found;
        before = std::move(found);
    }
}

std::vector<pid_t> threads(pid_t pid) {
    std::vector<pid_t> all;
    for_each_number("/proc/" + std::to_string(pid) + "/task", [&](int thread) { all.push_back(thread); });
    std::sort(all.begin(), all.end(), [=](pid_t a, pid_t b) { return a != b && (a == pid || (b != pid && a < b)); });
    return all;
}

std::vector<pid_t> child_pids(pid_t pid) {
    if (!has_children_files()) {
        std::vector<pid_t> all;
        for (const Process& child : children(pid)) all.push_back(child.pid);
        return all;
    }
    std::vector<pid_t> before = read_children(pid);
    for (int scan = 0; scan < 100; ++scan) {  // usually two readings; more when children start or exit meanwhile
        std::vector<pid_t> now = read_children(pid);
        if (now == before) break;
        before = std::move(now);
    }
    return before;
}

std::string describe_wait_status(int status) {
    if (WIFEXITED(status)) return "exited with " + std::to_string(WEXITSTATUS(status));
    const int number = WTERMSIG(status);
    return "was killed by signal " + std::to_string(number) + " (" + strsignal(number) + ')';
}

void wait_for_signals_of_seen_zombies() {
    siginfo_t ignored;
    waitid(P_ALL, 0, &ignored, WEXITED | WNOHANG | WNOWAIT);
}

std::string blocked_in(pid_t pid) { return blocking_call(pid).name; }

bool sleeps(pid_t pid) {
    const Call call = blocking_call(pid);
    if (call.name == "nanosleep" || call.name == "clock_nanosleep") return true;
    return count_of_descriptors(call) == 0U;  // the call has a timeout: without one its name would be "pause"
}

std::vector<Descriptor> descriptors(pid_t pid) {
    std::vector<Descriptor> all;
    const std::string directory = "/proc/" + std::to_string(pid) + "/fd";
    for_each_number(directory, [&](int number) {
        char target[256];
        const ssize_t size = readlink((directory + '/' + std::to_string(number)).c_str(), target, sizeof target);
        if (size == -1) return;  // closed meanwhile
        Descriptor descriptor{number, std::string(target, static_cast<std::size_t>(size)), 0};
        if (descriptor.target.starts_with("socket:["))
            descriptor.inode = std::strtoull(descriptor.target.c_str() + 8, nullptr, 10);
        all.push_back(std::move(descriptor));
    });
    std::sort(all.begin(), all.end(), [](const Descriptor& a, const Descriptor& b) { return a.number < b.number; });
    return all;
}

bool is_readable(pid_t pid) {
    char target[64];  // needs the same permission as the other files, and exists for a zombie too
    return readlink(("/proc/" + std::to_string(pid) + "/ns/user").c_str(), target, sizeof target) != -1;
}

std::string run_count(pid_t pid) { return read_file(pid, "schedstat"); }

std::chrono::nanoseconds processor_time(pid_t pid) {
    clockid_t clock = 0;
    timespec time = {};
    if (pid <= 0) return {};  // to clock_getcpuclockid 0 means the calling process
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return {};
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::string executable(pid_t pid) {
    char target[4096];
    const ssize_t size = readlink(("/proc/" + std::to_string(pid) + "/exe").c_str(), target, sizeof target);
    return std::string(target, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
}

std::vector<std::string> command_line(pid_t pid) {
    std::vector<std::string> words;
    const std::string text = read_file(pid, "cmdline");  // a NUL after each word
    for (std::size_t at = 0; at < text.size(); at += words.back().size() + 1) words.emplace_back(text.c_str() + at);
    return words;
}

bool is_pending(pid_t pid, int signal) { return signal_state(pid, signal).pending; }

SignalState signal_state(pid_t pid, int signal) {
    const std::string status = read_file(pid, "status");
    SignalState state;
    if (has_signal(status, "SigCgt:", signal)) state.disposition = Disposition::handled;
    if (has_signal(status, "SigIgn:", signal)) state.disposition = Disposition::ignored;
    state.blocked = has_signal(status, "SigBlk:", signal);
    state.pending = has_signal(status, "ShdPnd:", signal) || has_signal(status, "SigPnd:", signal);
    return state;
}

Limits limits(pid_t pid) {
    const std::string text = read_file(pid, "limits");
    return {limit_of(text, "Max open files"), limit_of(text, "Max processes")};
}

std::optional<uid_t> user_of(pid_t pid) {
    return leading_number<uid_t>(line_of(read_file(pid, "status"), "Uid:"));  // the first number is the real user id
}

std::size_t count_of_user(uid_t user) {
    std::size_t count = 0;
    for (const Process& process : processes()) {
        if (user_of(process.pid) == user) count += std::max(process.threads, 1U);
    }
    return count;
}

}  // namespace proc
