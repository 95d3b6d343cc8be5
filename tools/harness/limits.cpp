#include "limits.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>

#include "../../net/socket.hpp"
#include "../proc/process.hpp"
#include "fd.hpp"
#include "fork_limit.hpp"
#include "program.hpp"

namespace harness {
namespace {

using net::check;

constexpr rlim_t MOST_PROCESSES_OF_A_FOREIGN_PROGRAM = 128;
constexpr rlim_t MOST_PROCESSES_STARTED_MEANWHILE = 1024;  // by the same user, elsewhere
constexpr rlim_t LEAST_PROCESSES_OF_A_FOREIGN_PROGRAM = 28;  // 24 clients at once, each with a child
constexpr rlim_t LEAST_ROOM_FOR_OTHERS = 8;  // room for processes that the same user may start meanwhile
constexpr rlim_t MOST_OUTPUT_OF_A_FOREIGN_PROGRAM = 64 << 20;  // bytes, into each file

/// Changes to a user that has no process yet. Keeps only the capabilities to access root's files and to listen on any
/// port (capabilities(7)). Returns false when this is not allowed.
bool become_unused_user() {
    // Chosen at random: processes of other containers, which we cannot see, count for their user as well.
    uid_t user = 0;
    do check("getrandom", getrandom(&user, sizeof user, 0));
    while ((user = 1'000'000'000U + user % 1'000'000'000U, proc::count_of_user(user)) > 0);
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct kept[_LINUX_CAPABILITY_U32S_3] = {};
    kept[0].effective = kept[0].permitted = kept[0].inheritable = 1U << CAP_DAC_OVERRIDE | 1U << CAP_NET_BIND_SERVICE;
    return prctl(PR_SET_KEEPCAPS, 1) == 0 && setresuid(user, user, user) == 0 &&
           syscall(SYS_capset, &header, kept) == 0 &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0) == 0 &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) == 0;
}

/// Enters a user namespace with the same user, or with nobody where the mapping is refused. Returns false when this is
/// not allowed, or the kernel does not count processes by namespace.
bool enter_user_namespace() {
    const uid_t user = geteuid();
    utsname system = {};
    uname(&system);
    int major = 0;
    int minor = 0;
    const bool is_known = std::sscanf(system.release, "%d.%d", &major, &minor) == 2;  // NOLINT(cert-err34-c)
    if (!is_known || std::pair(major, minor) < std::pair(5, 14) || unshare(CLONE_NEWUSER) == -1) return false;
    const Fd map(open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC));
    dprintf(map.number(), "%u %u 1", user, user);
    return true;
}

/// Checks that this user's own RLIMIT_NPROC leaves room for `wanted` processes of the program besides the `others`.
/// Otherwise a fork within the program's limit would fail, which would look like a fault of the program.
void require_room(rlim_t wanted, rlim_t others) {
    rlimit ours = {};
    check("getrlimit", getrlimit(RLIMIT_NPROC, &ours));
    if (ours.rlim_cur == RLIM_INFINITY || ours.rlim_cur >= others + wanted) return;
    throw std::runtime_error("its user may have no more than " + std::to_string(ours.rlim_cur) +
                             " processes (ulimit -u): too few for " + std::to_string(wanted) +
                             " of the program beside " + std::to_string(others) + " others");
}

}  // namespace

void limit(int resource, rlim_t most) {
    rlimit both = {};
    check("getrlimit", getrlimit(resource, &both));
    both.rlim_cur = both.rlim_max = std::min(most, both.rlim_max);
    check("setrlimit", setrlimit(resource, &both));
}

pid_t fork_within_limit() {
    const pid_t pid = fork();
    if (pid != -1 || errno != EAGAIN) return check("fork", pid);
    rlimit ours = {};
    check("getrlimit", getrlimit(RLIMIT_NPROC, &ours));
    throw std::runtime_error("no process can be started: this user may have no more than " +
                             std::to_string(ours.rlim_cur) + " processes (ulimit -u)");
}

void limit_output(const Program& program) {
    if (program.is_foreign) limit(RLIMIT_FSIZE, MOST_OUTPUT_OF_A_FOREIGN_PROGRAM);
}

void limit_processes(const Program& program, int to_keeper) {
    if (!program.max_processes && !program.is_foreign) return;
    const rlim_t most = program.max_processes.value_or(MOST_PROCESSES_OF_A_FOREIGN_PROGRAM);
    const rlim_t others = proc::count_of_user(getuid());
    const bool is_unused_user = geteuid() == 0 && become_unused_user();
    const rlim_t wanted = program.max_processes.value_or(LEAST_PROCESSES_OF_A_FOREIGN_PROGRAM);
    if (getuid() != 0) require_room(wanted, is_unused_user ? 0 : others + LEAST_ROOM_FOR_OTHERS);
    if (is_unused_user || enter_user_namespace()) return limit(RLIMIT_NPROC, most);
    if (program.max_processes) ask_at_each_fork(to_keeper);
    limit(RLIMIT_NPROC, most + others + MOST_PROCESSES_STARTED_MEANWHILE);
}

void require_sight_of(const Program& program) {
    if (geteuid() != 0 || !(program.max_processes || program.is_foreign)) return;
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct ours[_LINUX_CAPABILITY_U32S_3] = {};
    if (syscall(SYS_capget, &header, ours) == 0 && (ours[0].effective & 1U << CAP_SYS_PTRACE) != 0) return;
    throw std::runtime_error(
        "as root, which lacks CAP_SYS_PTRACE here (a container?), no process of another user can be watched: "
        "run this as an ordinary user (setpriv --reuid=1000 --regid=1000 --clear-groups …), or add it "
        "(--cap-add=SYS_PTRACE)");
}

}  // namespace harness
