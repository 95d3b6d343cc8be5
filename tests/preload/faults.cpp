// Makes system calls of step_h fail (ld.so(8), LD_PRELOAD): FAULT="worker:accept:24:3" lets the first three calls of
// accept fail with errno 24. The first word is the place: "parent" is the parent after its first fork, "stop" the
// parent that is stopping, "worker" the first worker.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

struct Fault {
    std::string place;
    std::string call;
    int error = 0;
    int left = 0;
};

Fault fault_in(const char* text) {
    const std::string fault = text ? text : "";
    const std::size_t first = fault.find(':');
    const std::size_t second = fault.find(':', first + 1);
    const std::size_t third = fault.find(':', second + 1);
    if (first == fault.npos || second == fault.npos || third == fault.npos) return {};
    return {fault.substr(0, first), fault.substr(first + 1, second - first - 1), std::stoi(fault.substr(second + 1)),
            std::stoi(fault.substr(third + 1))};
}

std::string_view place = "import";  // where this process is

/// Whether this call shall fail, with errno set.
bool fails(const char* call) {
    static Fault fault = fault_in(std::getenv("FAULT"));
    if (fault.left == 0 || fault.call != call || fault.place != place) return false;
    --fault.left;
    errno = fault.error;
    return true;
}

struct Real {
    const char* name;
    void* address;
};
Real real[] = {{"accept", nullptr},   {"fork", nullptr},          {"close", nullptr},       {"setsockopt", nullptr},
               {"shutdown", nullptr}, {"sendmsg", nullptr},       {"recv", nullptr},        {"write", nullptr},
               {"read", nullptr},     {"getpeername", nullptr},   {"getsockname", nullptr}, {"sigprocmask", nullptr},
               {"waitpid", nullptr},  {"poll", nullptr},          {"kill", nullptr},        {"setpgid", nullptr},
               {"dup2", nullptr},     {"sendfile", nullptr},      {"open", nullptr},        {"fcntl", nullptr},
               {"prctl", nullptr},    {"pthread_create", nullptr}};

/// Looks up all calls before main: dlsym takes a lock, and a signal handler that runs meanwhile would wait for it.
__attribute__((constructor)) void look_up() {
    for (Real& entry : real) entry.address = dlsym(RTLD_NEXT, entry.name);
}

void* real_address(std::string_view call) {
    for (const Real& entry : real) {
        if (entry.name == call && entry.address != nullptr) return entry.address;
    }
    return dlsym(RTLD_NEXT, call.data());  // called before the constructor
}

/// Makes the call fail, or calls the real function.
template <class Result, class... Parameters, class... Arguments>
Result pass_on(const char* call, Result (*)(Parameters...), Arguments... arguments) {
    if (fails(call)) return -1;
    return reinterpret_cast<Result (*)(Parameters...)>(real_address(call))(arguments...);
}

/// The same for a call whose last argument is optional, and a number or a pointer.
template <class... Arguments> int pass_on_variadic(const char* call, Arguments... arguments) {
    if (fails(call)) return -1;
    return reinterpret_cast<int (*)(Arguments...)>(real_address(call))(arguments...);
}

}  // namespace

extern "C" {

pid_t fork() noexcept {
    static bool has_forked = false;
    const bool is_first = place == "import" && !has_forked;
    if (place == "import") place = "parent";
    const pid_t pid = pass_on("fork", fork);
    if (pid == 0) place = is_first ? "worker" : "another worker";
    if (pid > 0) has_forked = true;
    return pid;
}
int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
    if (name == SO_ATTACH_FILTER && place == "parent") place = "stop";
    return pass_on("setsockopt", setsockopt, fd, level, name, value, size);
}
int accept(int fd, sockaddr* address, socklen_t* size) noexcept(noexcept(::accept(fd, address, size))) {
    return pass_on("accept", accept, fd, address, size);
}
int close(int fd) { return pass_on("close", close, fd); }
int shutdown(int fd, int how) noexcept { return pass_on("shutdown", shutdown, fd, how); }
ssize_t sendmsg(int fd, const msghdr* message, int flags) { return pass_on("sendmsg", sendmsg, fd, message, flags); }
ssize_t recv(int fd, void* data, size_t size, int flags) { return pass_on("recv", recv, fd, data, size, flags); }
ssize_t write(int fd, const void* data, size_t size) { return pass_on("write", write, fd, data, size); }
ssize_t read(int fd, void* data, size_t size) { return pass_on("read", read, fd, data, size); }
int getpeername(int fd, sockaddr* address, socklen_t* size) noexcept {
    return pass_on("getpeername", getpeername, fd, address, size);
}
int getsockname(int fd, sockaddr* address, socklen_t* size) noexcept {
    return pass_on("getsockname", getsockname, fd, address, size);
}
int sigprocmask(int how, const sigset_t* set, sigset_t* before) noexcept {
    return pass_on("sigprocmask", sigprocmask, how, set, before);
}
pid_t waitpid(pid_t pid, int* status, int options) { return pass_on("waitpid", waitpid, pid, status, options); }
int poll(pollfd* events, nfds_t count, int patience) { return pass_on("poll", poll, events, count, patience); }
int kill(pid_t pid, int number) noexcept { return pass_on("kill", kill, pid, number); }
int setpgid(pid_t pid, pid_t group) noexcept { return pass_on("setpgid", setpgid, pid, group); }
int dup2(int from, int to) noexcept { return pass_on("dup2", dup2, from, to); }
ssize_t sendfile(int out, int in, off_t* offset, size_t size) noexcept {
    return pass_on("sendfile", sendfile, out, in, offset, size);
}
int open(const char* path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return pass_on_variadic("open", path, flags, mode);
}
int fcntl(int fd, int command, ...) {
    va_list more;
    va_start(more, command);
    void* const argument = va_arg(more, void*);
    va_end(more);
    return pass_on_variadic("fcntl", fd, command, argument);
}
int prctl(int option, ...) noexcept {
    va_list more;
    va_start(more, option);
    unsigned long arguments[4];
    for (unsigned long& argument : arguments) argument = va_arg(more, unsigned long);
    va_end(more);
    return pass_on_variadic("prctl", option, arguments[0], arguments[1], arguments[2], arguments[3]);
}
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                   void* argument) noexcept {
    const int result = pass_on("pthread_create", pthread_create, thread, attributes, start, argument);
    return result == -1 ? errno : result;
}

}  // extern "C"
