#include "errors.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace proc {

void require_proc() {
    char target[32];
    const ssize_t size = readlink("/proc/self", target, sizeof target);
    if (size > 0 && std::string(target, static_cast<std::size_t>(size)) == std::to_string(getpid())) return;
    throw std::runtime_error(
        "/proc does not show this process: it is not mounted, or it belongs to another pid namespace "
        "(as root: mount -t proc proc /proc)");
}

void require_descriptor(const char* call) {
    if (errno != EMFILE && errno != ENFILE) return;
    std::string text = std::string(call) + ": " + std::strerror(errno);
    rlimit limit = {};
    if (errno == EMFILE && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        text += ". This process may have no more than " + std::to_string(limit.rlim_cur) +
                " descriptors: raise the limit, with `ulimit -n 1024` say";
    }
    throw std::runtime_error(text);
}

}  // namespace proc
