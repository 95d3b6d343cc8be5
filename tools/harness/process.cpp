#include "process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "../../net/socket.hpp"
#include "../proc/errors.hpp"
#include "../proc/process.hpp"
#include "fd.hpp"
#include "keeper.hpp"
#include "limits.hpp"
#include "program.hpp"

namespace harness {
namespace {

/// Like net::check, for calls that need descriptors: when none is left, the message says what helps.
int check(const char* call, int result) {
    if (result == -1) proc::require_descriptor(call);
    return net::check(call, result);
}

/// A file in memory for the output of many processes. O_APPEND makes each write go to its end: without it, processes
/// that write to the memfd at the same time overwrite each other.
Fd open_output(const char* name) {
    Fd file(check("memfd_create", memfd_create(name, MFD_CLOEXEC)));
    check("fcntl", fcntl(file.number(), F_SETFL, O_APPEND));
    return file;
}

std::string read_all(int fd) {
    std::string text;
    char buffer[65536];
    for (ssize_t count; (count = pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0;) {
        text.append(buffer, static_cast<std::size_t>(count));
    }
    return text;
}

}  // namespace

Process::Process(const Program& program) : program_(program) {
    proc::require_proc();
    require_sight_of(program);
    int ends[2];
    int started[2];
    out_ = open_output("stdout");
    err_ = open_output("stderr");
    check("socketpair", socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
    reports_ = Fd(ends[0]);
    Fd keepers_end(ends[1]);
    check("pipe2", pipe2(started, O_CLOEXEC));
    const Fd has_started(started[0]);
    Fd starts(started[1]);
    keeper_ = fork_within_limit();
    if (keeper_ == 0) be_keeper(program, {out_.number(), err_.number(), keepers_end.number(), starts.number()});
    keepers_end.close();
    starts.close();
    Start failure;
    for (Start start; read(has_started.number(), &start, sizeof start) == sizeof start;) {
        if (start.pid > 0) pid_ = start.pid;
        else failure = start;
    }
    const std::string reason = failure.reason;
    if (pid_ != -1 && failure.error == 0 && reason.empty()) return;
    end();
    const std::string text = "cannot start " + program.command.front();
    if (!reason.empty()) throw std::runtime_error(text + ": " + reason);
    if (failure.error == 0) throw std::runtime_error(text + ": its observer was killed");
    errno = failure.error;
    proc::require_descriptor(text.c_str());
    throw std::system_error(failure.error, std::generic_category(), text);
}

Process::~Process() { end(); }

void Process::end() {
    reports_.close();
    while (waitpid(keeper_, nullptr, 0) == -1 && errno == EINTR) {
    }
}

std::string Process::out() const { return read_all(out_.number()); }
std::string Process::err() const { return read_all(err_.number()); }

void Process::read_reports() {
    for (Report report = {}; recv(reports_.number(), &report, sizeof report, MSG_DONTWAIT) == sizeof report;) {
        if (report.pid == 0) settled_ = true;
        else statuses_[report.pid] = report.status;
        if (!settled_ && report.pid != pid_) left_zombies_.push_back(report.pid);
    }
}

std::optional<int> Process::status() {
    read_reports();
    return settled_ ? std::optional(statuses_.at(pid_)) : std::nullopt;
}

std::string Process::fate() { return status() ? proc::describe_wait_status(*status()) : "is running"; }

std::string Process::fate_of(pid_t pid) {
    read_reports();
    const auto status = statuses_.find(pid);
    return status == statuses_.end() ? "is gone" : proc::describe_wait_status(status->second);
}

bool Process::until(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
    bool holds = false;
    const auto is_over = [&] { return program_.until_deadline(patience) == std::chrono::milliseconds(0); };
    eventually([&] { return (holds = condition()) || has_ended() || is_over(); }, patience);
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
    std::erase_if(all, [](const proc::Process& process) { return process.is_zombie(); });
    return all;
}

std::vector<proc::Process> Process::zombies() const {
    std::vector<proc::Process> all = proc::descendants(keeper_);
    std::erase_if(all,
                  [this](const proc::Process& process) { return !process.is_zombie() || process.ppid == keeper_; });
    return all;
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
    using namespace std::chrono_literals;
    const auto begin = std::chrono::steady_clock::now();
    while (!condition()) {
        const auto waited = std::chrono::steady_clock::now() - begin;
        if (waited > patience) return false;
        // A check costs time: check less often later.
        const auto pause = std::chrono::ceil<std::chrono::milliseconds>(waited / 8);
        poll(nullptr, 0, static_cast<int>(std::clamp(pause, 1ms, 20ms).count()));
    }
    return true;
}

}  // namespace harness
