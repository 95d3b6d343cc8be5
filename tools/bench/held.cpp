// Measures what silent clients, each of which keeps a child waiting, cost the next client.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <ratio>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../harness/client.hpp"
#include "../harness/program.hpp"
#include "../harness/server.hpp"
#include "figures.hpp"

namespace bench {
namespace {

constexpr int ROUNDS = 5;
constexpr int ANSWERS = 300;  // answers per measurement; their median is used
constexpr std::size_t HELD[] = {0, 1000, 2000, 4000, 8000};

struct Contestant {
    std::string name;
    harness::Program program;
    std::size_t most;  // of HELD
    std::map<std::size_t, std::vector<double>> answers = {};  // milliseconds, by the number of silent clients
    std::vector<double> memory = {};  // KiB for each silent client beyond the first thousand
};

/// The sum of the lines of /proc/meminfo with these names, in KiB.
double meminfo(const std::vector<std::string>& names) {
    double sum = 0;
    std::ifstream file("/proc/meminfo");
    for (std::string line; std::getline(file, line);) {
        for (const std::string& name : names) {
            if (line.starts_with(name + ':')) sum += std::stod(line.substr(name.size() + 1));
        }
    }
    return sum;
}

/// The memory in KiB that processes use and free when they exit (proc_meminfo(5)): their pages, page tables, kernel
/// stacks and other allocations of the kernel.
double memory_of_processes() { return meminfo({"AnonPages", "PageTables", "KernelStack", "SUnreclaim"}); }

/// Milliseconds from connect to the end of the answer.
double answer_time(std::uint16_t port) {
    const auto begin = std::chrono::steady_clock::now();
    harness::Client client(port);
    client.ask();
    if (!harness::is_page(client.receive_all())) throw std::runtime_error("a client got no page");
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

void measure_held(Contestant& contestant) {
    harness::Server server(contestant.program);
    std::map<std::size_t, double> memory;
    std::vector<harness::Client> clients;
    for (const std::size_t count : HELD) {
        if (count > contestant.most) break;
        if (!hold(server, clients, count)) {
            throw std::runtime_error("of " + std::to_string(count) + " silent clients not each has a child that waits");
        }
        memory[count] = memory_of_processes();
        std::vector<double> times;
        times.reserve(ANSWERS);
        for (int i = 0; i < ANSWERS; ++i) times.push_back(answer_time(server.port()));
        contestant.answers[count].push_back(spread_of(times).median);
    }
    // The first thousand may use memory that an earlier server left in the kernel's caches, so they are not counted.
    const auto [least, most] = std::pair(HELD[1], contestant.most);
    contestant.memory.push_back((memory[most] - memory[least]) / static_cast<double>(most - least));
}

void print_table(const std::vector<Contestant>& all) {
    print_heading("milliseconds until a client has its answer, median, least and most of " + std::to_string(ROUNDS) +
                  " rounds (in each, the median of " + std::to_string(ANSWERS) + ')');
    std::cout << "# held";
    for (const Contestant& contestant : all)
        std::cout << "    " << std::left << std::setw(19) << contestant.name << std::right;
    std::cout << '\n' << std::fixed;
    for (const std::size_t count : HELD) {
        std::cout << std::setw(6) << count;
        for (const Contestant& contestant : all) {
            if (count > contestant.most) {
                std::cout << std::setw(23) << "-  -  -";
                continue;
            }
            const Spread time = spread_of(contestant.answers.at(count));
            std::cout << "  " << std::setprecision(3) << std::setw(7) << time.median << std::setw(7) << time.least
                      << std::setw(7) << time.most;
        }
        std::cout << '\n';
    }
}

/// Prints how much longer an answer takes with the most silent clients than with none, in the same round, and the
/// memory of each client.
void print_growth(const std::vector<Contestant>& all) {
    constexpr double GOAL = 1.2;
    for (const Contestant& contestant : all) {
        const std::size_t most = contestant.most;
        std::vector<double> growth;
        for (std::size_t round = 0; round < ROUNDS; ++round) {
            growth.push_back(contestant.answers.at(most)[round] / contestant.answers.at(0)[round]);
        }
        std::cout << "# " << contestant.name << ", with " << most << " held: " << in_words(spread_of(growth), 2)
                  << " times as long as with none; " << in_words(spread_of(contestant.memory), 0)
                  << " KiB for each held\n";
        if (contestant.name == "step_h") {
            std::cout << "# goal: step_h, with " << most << " held, at most " << std::setprecision(1) << GOAL
                      << " times as long as with none: "
                      << (spread_of(growth).median <= GOAL ? "reached\n" : "not reached\n");
        }
    }
}

}  // namespace

void measure_held() {
    constexpr double MEMORY_OF_STEP_H = 6.0 * 1024 * 1024;  // KiB, for two thousand copies of an interpreter
    raise_limit_of_descriptors();
    const harness::Program patient_step_h =
        silent({"./step_h", "step_h_wsgi.hello:application"}).with("MAX_CLIENTS", "20000").with("TIMEOUT", "600");
    std::vector<Contestant> all = {{"step_g", silent({"./step_g"}), 8000},
                                   {"exercise 8", silent({"build/tools/bench/no_handler"}), 8000}};
    if (meminfo({"MemAvailable"}) >= MEMORY_OF_STEP_H) all.push_back({"step_h", patient_step_h, 2000});
    else std::cerr << "step_h is left out: with its silent clients it takes 6 GiB of memory\n";
    for (int round = 0; round < ROUNDS; ++round) {
        for (Contestant& contestant : all) measure_held(contestant);
    }
    print_table(all);
    print_growth(all);
}

}  // namespace bench
