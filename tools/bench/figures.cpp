#include "figures.hpp"

#include <sys/resource.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "../harness/client.hpp"
#include "../harness/process.hpp"
#include "../harness/program.hpp"
#include "../harness/server.hpp"
#include "../proc/process.hpp"

namespace bench {
namespace {

#ifdef __clang__
constexpr const char* COMPILER = __VERSION__;  // the text contains the compiler's name
#else
constexpr const char* COMPILER = "GCC " __VERSION__;
#endif

/// The processor's model name (proc_cpuinfo(5)).
std::string processor() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
    }
    return "processor of no name";
}

std::string today() {
    char date[16];
    const std::time_t now = std::time(nullptr);
    std::strftime(date, sizeof date, "%Y-%m-%d", std::gmtime(&now));
    return date;
}

}  // namespace

Spread spread_of(std::vector<double> values) {
    if (values.empty()) throw std::invalid_argument("no values");
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    return {median, values.front(), values.back()};
}

std::string in_words(const Spread& spread, int digits) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(digits) << spread.median << " (" << spread.least << " to " << spread.most
         << ')';
    return text.str();
}

harness::Program silent(const std::vector<std::string>& command) {
    harness::Program program = {{"sh", "-c", "exec \"$@\" >/dev/null", "sh"}};
    program.command.insert(program.command.end(), command.begin(), command.end());
    return program;
}

bool hold(harness::Server& server, std::vector<harness::Client>& clients, std::size_t count) {
    while (clients.size() < count) {
        clients.emplace_back(server.port());
        // no more at a time than fit into the accept queue
        const bool is_look = clients.size() % 500 == 0;
        if (is_look && !harness::eventually([&] { return server.queued() == 0 || server.has_ended(); })) return false;
    }
    const auto is_at_rest = [&] {
        std::size_t holders = 0;
        for (const pid_t child : proc::child_pids(server.acceptor())) {
            const bool is_holder = harness::waits_for_bytes(child);
            if (!is_holder && proc::blocked_in(child) != "accept") return false;
            holders += is_holder ? 1 : 0;
        }
        return holders == count;
    };
    return harness::eventually([&] { return is_at_rest() || server.has_ended(); }) && !server.has_ended();
}

void raise_limit_of_descriptors() {
    rlimit limit = {};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void print_heading(const std::string& what) {
    utsname system = {};
    uname(&system);
    const std::string release = system.release;
    std::cout << "# " << what << "\n# " << sysconf(_SC_NPROCESSORS_ONLN) << " processors (" << processor() << "), "
              << system.sysname << ' ' << release.substr(0, release.find('-')) << ", compiled by " << COMPILER << "; "
              << today() << '\n';
}

}  // namespace bench
