// Makes system calls of a program fail (ld.so(8), LD_PRELOAD): FAULT="accept:24:3" lets the first three calls of accept
// fail with errno 24; "accept:-15:1" lets signal 15 come just before the first. Counted from the first accept, in the
// process that was started and not in its children: the calls of an accept loop.
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

struct Fault {
    std::string call;
    int error = 0;
    int left = 0;
};

Fault fault_in(const char* text) {
    const std::string fault = text ? text : "";
    const std::size_t first = fault.find(':');
    const std::size_t second = fault.find(':', first + 1);
    if (first == fault.npos || second == fault.npos) return {};
    return {fault.substr(0, first), std::stoi(fault.substr(first + 1)), std::stoi(fault.substr(second + 1))};
}

/// Whether this call shall fail, with errno set.
bool fails(const char* call) {
    static Fault fault = fault_in(std::getenv("FAULT"));
    static const pid_t process = getpid();
    static bool accepts = false;
    accepts = accepts || std::string_view(call) == "accept";
    if (!accepts || fault.left == 0 || fault.call != call || getpid() != process) return false;
    --fault.left;
    if (fault.error < 0) return raise(-fault.error) != 0;
    errno = fault.error;
    return true;
}

struct Real {
    const char* name;
    void* address;
};
Real real[] = {{"accept", nullptr},      {"fork", nullptr},        {"close", nullptr},   {"setsockopt", nullptr},
               {"shutdown", nullptr},    {"send", nullptr},        {"recv", nullptr},    {"write", nullptr},
               {"getpeername", nullptr}, {"sigprocmask", nullptr}, {"waitpid", nullptr}, {"poll", nullptr},
               {"kill", nullptr},        {"pselect", nullptr}};

/// Looks all of them up before main: dlsym takes a lock, and a signal handler that comes while it does would wait for
/// itself.
__attribute__((constructor)) void look_up() {
    for (Real& one : real) one.address = dlsym(RTLD_NEXT, one.name);
}

void* real_address(std::string_view call) {
    for (const Real& one : real) {
        if (one.name == call && one.address != nullptr) return one.address;
    }
    return dlsym(RTLD_NEXT, call.data());  // somebody was called before us
}

/// Calls what the program would have called without us.
template <class Result, class... Parameters, class... Arguments>
Result pass_on(const char* call, Result (*)(Parameters...), Arguments... arguments) {
    if (fails(call)) return -1;
    return reinterpret_cast<Result (*)(Parameters...)>(real_address(call))(arguments...);
}

}  // namespace

extern "C" {

int accept(int fd, sockaddr* address, socklen_t* size) noexcept(noexcept(::accept(fd, address, size))) {
    return pass_on("accept", accept, fd, address, size);
}
pid_t fork() noexcept { return pass_on("fork", fork); }
int close(int fd) { return pass_on("close", close, fd); }
int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
    return pass_on("setsockopt", setsockopt, fd, level, name, value, size);
}
int shutdown(int fd, int how) noexcept { return pass_on("shutdown", shutdown, fd, how); }
ssize_t send(int fd, const void* data, size_t size, int flags) { return pass_on("send", send, fd, data, size, flags); }
ssize_t recv(int fd, void* data, size_t size, int flags) { return pass_on("recv", recv, fd, data, size, flags); }
ssize_t write(int fd, const void* data, size_t size) { return pass_on("write", write, fd, data, size); }
int getpeername(int fd, sockaddr* address, socklen_t* size) noexcept {
    return pass_on("getpeername", getpeername, fd, address, size);
}
int sigprocmask(int how, const sigset_t* set, sigset_t* before) noexcept {
    return pass_on("sigprocmask", sigprocmask, how, set, before);
}
pid_t waitpid(pid_t pid, int* status, int options) { return pass_on("waitpid", waitpid, pid, status, options); }
int poll(pollfd* events, nfds_t count, int patience) { return pass_on("poll", poll, events, count, patience); }
int kill(pid_t pid, int number) noexcept { return pass_on("kill", kill, pid, number); }
int pselect(int count, fd_set* in, fd_set* out, fd_set* other, const timespec* time, const sigset_t* mask) {
    return pass_on("pselect", pselect, count, in, out, other, time, mask);
}

}  // extern "C"
