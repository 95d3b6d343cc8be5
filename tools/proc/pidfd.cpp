#include "pidfd.hpp"

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <utility>

namespace proc {
namespace {

/// struct pidfd_info of linux/pidfd.h, in its first version, for systems whose headers are older than their kernel.
struct Info {
    std::uint64_t mask;
    std::uint64_t cgroup;
    std::uint32_t ids[11];
    std::int32_t exit_code;
};
constexpr std::uint64_t INFO_EXIT = 1 << 3;
constexpr auto GET_INFO = _IOWR(0xFF, 11, Info);
static_assert(sizeof(Info) == 64);

}  // namespace

PidFd::PidFd(pid_t pid) : fd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}
PidFd::PidFd(PidFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
PidFd::~PidFd() {
    if (fd_ != -1) close(fd_);
}

std::optional<int> PidFd::exit_status() const {
    Info info = {};
    info.mask = INFO_EXIT;
    if (ioctl(fd_, GET_INFO, &info) == -1 || (info.mask & INFO_EXIT) == 0) return std::nullopt;
    return info.exit_code;
}

}  // namespace proc
