// The cost of a child's exit to its parent while many other children are at work. It is given in microseconds of the
// parent's CPU time for one more child, fork included. The measurement has 0, 1000 and 2000 silent clients, each of
// which keeps a child waiting.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "../harness/client.hpp"
#include "../harness/process.hpp"
#include "../harness/program.hpp"
#include "../harness/server.hpp"
#include "../proc/process.hpp"
#include "figures.hpp"

namespace bench {
namespace {

constexpr std::uint64_t SERVED = 500;
constexpr std::size_t MOST = 2000;  // silent clients
constexpr std::size_t SPARE = 50;  // processes left for the user's other programs

/// CPU time in nanoseconds (/proc/PID/schedstat; the kernel documents it as "sched-stats").
std::uint64_t processor_time(pid_t pid) {
    std::uint64_t time = 0;
    std::ifstream("/proc/" + std::to_string(pid) + "/schedstat") >> time;
    return time;
}

/// The number of silent clients that the limit on processes allows; root is exempt (getrlimit(2), RLIMIT_NPROC).
std::size_t possible() {
    rlimit limit = {};
    getrlimit(RLIMIT_NPROC, &limit);
    if (geteuid() == 0 || limit.rlim_cur == RLIM_INFINITY) return MOST;
    const std::size_t taken = proc::count_of_user(geteuid()) + SPARE;
    return std::min(MOST, limit.rlim_cur > taken ? limit.rlim_cur - taken : 0);
}

std::runtime_error too_many(harness::Server& server, std::size_t silent) {
    const std::size_t children = proc::child_pids(server.acceptor()).size();
    return std::runtime_error(
        std::to_string(silent) + " silent clients are too many: " +
        (server.has_ended() ? server.exit_report() : "it has " + std::to_string(children) + " children"));
}

std::uint64_t microseconds(const harness::Program& program, std::size_t silent) {
    harness::Server server(program);
    std::vector<harness::Client> clients;
    try {
        if (!hold(server, clients, silent)) throw too_many(server, silent);
    } catch (const std::system_error&) {  // the server refuses the connection
        server.until_ended();
        throw too_many(server, silent);
    }
    const std::uint64_t before = processor_time(server.acceptor());
    for (std::uint64_t i = 0; i < SERVED; ++i) {
        harness::Client client(server.port());
        client.ask();
        client.receive_all();
        if (!client.has_ended()) throw std::runtime_error("a client does not see the end of its connection");
    }
    server.Process::until([&] { return proc::child_pids(server.acceptor()).size() == silent; });
    return (processor_time(server.acceptor()) - before) / 1000 / SERVED;
}

}  // namespace

void measure_reaping(const std::vector<std::string>& command) {
    constexpr std::size_t FEWEST = 100;
    raise_limit_of_descriptors();
    const harness::Program program = {command, {{"SLEEP", "0"}, {"TIMEOUT", "600"}}};
    const std::size_t most = possible();
    if (most < FEWEST) throw std::runtime_error("this user may have too few processes: ulimit -u");
    for (const std::size_t silent : {std::size_t(0), most / 2, most}) {
        harness::eventually([&] { return possible() >= silent; });  // the last server's processes may still be exiting
        std::cout << std::setw(5) << silent << " silent clients: " << std::setw(4) << microseconds(program, silent)
                  << " µs for each that is served" << std::endl;
    }
}

}  // namespace bench
