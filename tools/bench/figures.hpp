// What is measured, and how it is written down: tables of words and numbers, for readers and for gnuplot.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "../harness/client.hpp"
#include "../harness/program.hpp"
#include "../harness/server.hpp"

namespace bench {

/// Of several rounds, whose machine had other things to do as well.
struct Spread {
    double median = 0;
    double least = 0;
    double most = 0;
};

/// Throws std::invalid_argument when there are no values.
Spread spread_of(std::vector<double> values);

/// "0.93 (0.91 to 0.94)", with so many digits after the point.
std::string in_words(const Spread& spread, int digits);

/// The program, started so that what it writes to stdout goes nowhere and costs nothing.
harness::Program silent(const std::vector<std::string>& command);

/// Writes the first lines of a table: what it is, and on which machine, when. Each begins with '#'.
void print_heading(const std::string& what);

/// Connects silent clients until there are `count` of them, each with a child that waits for its request. Other
/// children may be idle, in accept. Returns whether there are so many. Throws std::system_error when the server refuses
/// connections.
bool hold(harness::Server& server, std::vector<harness::Client>& clients, std::size_t count);

/// A process that holds many clients needs as many descriptors.
void raise_limit_of_descriptors();

// The measurements. Each writes its table to stdout, and what it leaves out, and why, to stderr.
void measure_throughput();
void measure_held();
void measure_waits();
void measure_descriptors();
void measure_zombies();
/// The cost of a child's exit to this server, while many other children are at work.
void measure_reaping(const std::vector<std::string>& command);

}  // namespace bench
