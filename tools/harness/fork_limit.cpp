#include "fork_limit.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iterator>
#include <stdexcept>
#include <string>

#include "../../net/socket.hpp"
#include "../proc/process.hpp"
#include "fd.hpp"

namespace harness {
namespace {

using net::check;

/// With this flag a signal does not interrupt a fork that the keeper has been asked about: fork(2) never fails with
/// EINTR. Since Linux 5.19; an older kernel rejects the flag with EINVAL.
constexpr unsigned long WAIT_KILLABLE_RECV = 1UL << 5;

/// The architecture of this program, as a seccomp filter sees it; 0 when this code does not know it.
constexpr std::uint32_t architecture() {
#if defined(__x86_64__)
    return AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
    return AUDIT_ARCH_AARCH64;
#elif defined(__i386__)
    return AUDIT_ARCH_I386;
#elif defined(__arm__)
    return AUDIT_ARCH_ARM;
#elif defined(__riscv) && __riscv_xlen == 64
    return AUDIT_ARCH_RISCV64;
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
    return AUDIT_ARCH_PPC64LE;
#elif defined(__s390x__)
    return AUDIT_ARCH_S390X;
#else
    return 0;
#endif
}

constexpr long FORKS[] = {
    SYS_clone,
#ifdef SYS_clone3
    SYS_clone3,
#endif
#ifdef SYS_fork
    SYS_fork,
#endif
#ifdef SYS_vfork
    SYS_vfork,
#endif
};

/// Installs the filter. Returns the descriptor to listen on; -1 with errno set when the kernel has no such filters, or
/// a signal could make fork fail.
int install_filter() {
    constexpr std::uint16_t LOAD = BPF_LD | BPF_W | BPF_ABS;
    constexpr std::uint16_t IF_EQUAL = BPF_JMP | BPF_JEQ | BPF_K;
    constexpr std::uint16_t RETURN = BPF_RET | BPF_K;
    constexpr std::size_t BEFORE = 4;
    sock_filter filter[BEFORE + std::size(FORKS) + 2] = {
        {LOAD, 0, 0, offsetof(seccomp_data, arch)},
        {IF_EQUAL, 1, 0, architecture()},
        {RETURN, 0, 0, SECCOMP_RET_ALLOW},  // another architecture: there the same numbers mean other calls
        {LOAD, 0, 0, offsetof(seccomp_data, nr)},
    };
    for (std::size_t i = 0; i < std::size(FORKS); ++i) {
        const auto to_last = static_cast<std::uint8_t>(std::size(FORKS) - i);
        filter[BEFORE + i] = {IF_EQUAL, to_last, 0, static_cast<std::uint32_t>(FORKS[i])};
    }
    filter[std::size(filter) - 2] = {RETURN, 0, 0, SECCOMP_RET_ALLOW};
    filter[std::size(filter) - 1] = {RETURN, 0, 0, SECCOMP_RET_USER_NOTIF};
    const sock_fprog program = {static_cast<std::uint16_t>(std::size(filter)), filter};
    constexpr unsigned long FLAGS = SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE_RECV;
    errno = ENOSYS;
    if (architecture() == 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) return -1;
    return static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, FLAGS, &program));
}

/// A message of one byte, with room for one descriptor (unix(7), SCM_RIGHTS).
struct DescriptorMessage {
    char byte = 0;
    iovec data = {&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message = {nullptr, 0, &data, 1, control, sizeof control, 0};
};

/// The number of processes and threads that descend from this process, without the zombies that it will reap itself. (A
/// fork that was just allowed may not be visible yet. Simultaneous forks can therefore exceed the limit.)
std::size_t count_descendants() {
    std::size_t count = 0;
    for (const proc::Process& process : proc::descendants(getpid())) {
        if (!process.is_zombie() || process.ppid != getpid()) count += std::max(process.threads, 1U);
    }
    return count;
}

}  // namespace

void ask_at_each_fork(int to_keeper) {
    const Fd listener(install_filter());
    if (listener.number() == -1) {
        throw std::runtime_error(
            "its processes cannot be counted apart from the others of its user: there is no user "
            "namespace to be had, and seccomp says: " +
            std::string(std::strerror(errno)));
    }
    DescriptorMessage packet;
    cmsghdr* const header = CMSG_FIRSTHDR(&packet.message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int number = listener.number();
    std::memcpy(CMSG_DATA(header), &number, sizeof number);
    check("sendmsg", sendmsg(to_keeper, &packet.message, MSG_NOSIGNAL));
}

Fd receive_listener(int from_program) {
    DescriptorMessage packet;
    if (recvmsg(from_program, &packet.message, MSG_CMSG_CLOEXEC) != 1) return Fd();
    const cmsghdr* const header = CMSG_FIRSTHDR(&packet.message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return Fd();
    int number = -1;
    std::memcpy(&number, CMSG_DATA(header), sizeof number);
    return Fd(number);
}

void answer_fork(int listener, std::size_t most) {
    struct {
        seccomp_notif question;
        char newer_fields[256];  // a newer kernel may write more fields than these headers declare
    } asked = {};
    // The forking process was killed meanwhile.
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked.question) == -1) return;
    struct {
        seccomp_notif_resp answer;
        char newer_fields[256];
    } reply = {};
    reply.answer.id = asked.question.id;
    reply.answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    try {
        if (count_descendants() >= most) {
            reply.answer.flags = 0;
            reply.answer.error = -EAGAIN;
        }
    } catch (const std::exception&) {  // without a count, better one fork too many than a false refusal
    }
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply.answer);
}

}  // namespace harness
