// The measurements, and helpers that print them as tables for readers and for gnuplot.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "../harness/client.hpp"
#include "../harness/program.hpp"
#include "../harness/server.hpp"

namespace bench {

/// Median and range of several rounds: other processes disturb single rounds.
struct Spread {
    double median = 0;
    double least = 0;
    double most = 0;
};

/// Throws std::invalid_argument when there are no values.
Spread spread_of(std::vector<double> values);

/// "0.93 (0.91 to 0.94)", with this number of digits after the point.
std::string in_words(const Spread& spread, int digits);

/// The program with its stdout redirected to /dev/null, so that its output costs nothing.
harness::Program silent(const std::vector<std::string>& command);

/// Writes the first lines of a table: its title, the machine and the date. Each begins with '#'.
void print_heading(const std::string& what);

/// Connects silent clients until there are `count`, each with a child that waits for its request. Other children may be
/// idle, in accept. Returns whether `count` was reached. Throws std::system_error when the server refuses connections.
bool hold(harness::Server& server, std::vector<harness::Client>& clients, std::size_t count);

/// Raises the limit on descriptors, since a process that holds many clients needs one for each.
void raise_limit_of_descriptors();

// The measurements. Each writes its table to stdout. It reports on stderr what it leaves out, and why.
void measure_throughput();
/// The cost of each thing that step_g does and the floor does not.
void measure_additions();
void measure_held();
void measure_waits();
void measure_descriptors();
void measure_zombies();
/// The cost of a child's exit to this server, while many other children are at work.
void measure_reaping(const std::vector<std::string>& command);

}  // namespace bench
