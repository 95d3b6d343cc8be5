#include "syscalls.hpp"

#include <sys/syscall.h>

#include <algorithm>
#include <iterator>

namespace proc {
namespace {

struct Syscall {
    long number;
    const char* name;
};

constexpr Syscall SYSCALLS[] = {
    {SYS_accept4, "accept4"},
    {SYS_recvfrom, "recvfrom"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_read, "read"},
    {SYS_sendto, "sendto"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_write, "write"},
    {SYS_connect, "connect"},
    {SYS_waitid, "waitid"},
    {SYS_clone, "clone"},
    {SYS_restart_syscall, "restart_syscall"},
    {SYS_epoll_pwait, "epoll_pwait"},
    {SYS_rt_sigsuspend, "rt_sigsuspend"},
// Newer calls: the headers of an older system do not define them.
#ifdef SYS_clone3
    {SYS_clone3, "clone3"},
#endif
#ifdef SYS_epoll_pwait2
    {SYS_epoll_pwait2, "epoll_pwait2"},
#endif
#ifdef SYS_io_uring_enter
    {SYS_io_uring_enter, "io_uring_enter"},
#endif
// Calls with a 32-bit time: riscv32 has none of them.
#ifdef SYS_recvmmsg
    {SYS_recvmmsg, "recvmmsg"},
#endif
#ifdef SYS_wait4
    {SYS_wait4, "wait4"},
#endif
#ifdef SYS_nanosleep
    {SYS_nanosleep, "nanosleep"},
#endif
#ifdef SYS_clock_nanosleep
    {SYS_clock_nanosleep, "clock_nanosleep"},
#endif
#ifdef SYS_ppoll
    {SYS_ppoll, "ppoll"},
#endif
#ifdef SYS_pselect6
    {SYS_pselect6, "pselect6"},
#endif
#ifdef SYS_futex
    {SYS_futex, "futex"},
#endif
#ifdef SYS_rt_sigtimedwait
    {SYS_rt_sigtimedwait, "rt_sigtimedwait"},
#endif
// Older calls, which newer architectures (aarch64, riscv64) lack, and calls that only some architectures have.
#ifdef SYS_accept
    {SYS_accept, "accept"},
#endif
#ifdef SYS_poll
    {SYS_poll, "poll"},
#endif
#ifdef SYS_select
    {SYS_select, "select"},
#endif
#ifdef SYS__newselect
    {SYS__newselect, "select"},
#endif
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, "epoll_wait"},
#endif
#ifdef SYS_pause
    {SYS_pause, "pause"},
#endif
#ifdef SYS_recv
    {SYS_recv, "recvfrom"},
#endif
#ifdef SYS_send
    {SYS_send, "sendto"},
#endif
#ifdef SYS_waitpid
    {SYS_waitpid, "wait4"},
#endif
#ifdef SYS_fork
    {SYS_fork, "fork"},
#endif
#ifdef SYS_vfork
    {SYS_vfork, "vfork"},
#endif
#ifdef SYS_semtimedop
    {SYS_semtimedop, "semtimedop"},
#endif
    // The calls with a 64-bit time on 32-bit systems, since Linux 5.1. All 32-bit architectures use these numbers for
    // them, and the 64-bit ones leave the numbers unused (scripts/syscall.tbl in Linux).
    {407, "clock_nanosleep"},
    {413, "pselect6"},
    {414, "ppoll"},
    {417, "recvmmsg"},
    {420, "semtimedop"},
    {421, "rt_sigtimedwait"},
    {422, "futex"},
};

}  // namespace

const char* syscall_name(long number) {
    const auto* const found = std::find_if(std::begin(SYSCALLS), std::end(SYSCALLS),
                                           [number](const Syscall& call) { return call.number == number; });
    return found == std::end(SYSCALLS) ? nullptr : found->name;
}

}  // namespace proc
