// Measures the effects that the article's lessons are about.
#include <poll.h>

#include <chrono>
#include <cstddef>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "../harness/client.hpp"
#include "../harness/process.hpp"
#include "../harness/program.hpp"
#include "../harness/server.hpp"
#include "figures.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int CLIENTS_AT_ONCE = 50;
constexpr const char* REST = "0.1";  // seconds that steps b and c sleep; in the article it is a minute
constexpr int CLIENTS_IN_TURN = 200;
constexpr int CLIENTS_OF_CLIENT3 = 128;
constexpr double DURATION = 4;  // seconds

harness::Program step(char letter, const char* sleep) {
    return silent({std::string("./step_") + letter}).with("SLEEP", sleep);
}

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// Seconds from the start until each client has its page. The clients connect only as fast as the accept queue has
/// room. (A client that finds the queue full resends its SYN a second later; then the measurement would show that
/// second and not the server.)
std::vector<double> waits(const harness::Program& program) {
    const harness::Server server(program);
    std::vector<std::optional<double>> all(CLIENTS_AT_ONCE);
    std::vector<std::jthread> threads;
    const Clock::time_point begin = Clock::now();
    for (std::optional<double>& wait : all) {
        if (!harness::eventually([&] { return server.queued() < server.backlog(); })) {
            throw std::runtime_error("the queue stays full");
        }
        const auto client = std::make_shared<harness::Client>(server.port());
        client->ask();
        threads.emplace_back([&wait, begin, client] {
            if (client->receive(harness::PAGE.size()) == harness::PAGE) wait = seconds_since(begin);
        });
    }
    threads.clear();  // the destructors join the threads
    std::vector<double> seconds;
    for (const std::optional<double>& wait : all) {
        if (!wait) throw std::runtime_error("not every client got its page");
        seconds.push_back(*wait);
    }
    return seconds;
}

/// The number of sockets that the server holds after each client. The clients connect one after the other and get their
/// pages.
std::vector<std::size_t> sockets(const harness::Program& program) {
    harness::Server server(program);
    std::vector<std::size_t> all;
    std::vector<harness::Client> clients;
    for (int i = 0; i < CLIENTS_IN_TURN; ++i) {
        harness::Client& client = clients.emplace_back(server.port());
        client.ask();
        const bool has_page = client.receive(harness::PAGE.size()) == harness::PAGE;
        if (!has_page || !server.until([&] { return server.is_quiet(); })) throw std::runtime_error(server.describe());
        all.push_back(server.sockets());
    }
    return all;
}

struct Sample {
    double time;  // seconds since client3 was started
    std::size_t zombies;
};

/// The number of zombies of the server, each time it changes and at the end.
std::vector<Sample> zombies(const harness::Program& program) {
    const harness::Server server(program);
    const std::string clients = "--max-clients=" + std::to_string(CLIENTS_OF_CLIENT3);
    std::vector<Sample> all = {{0, 0}};
    const Clock::time_point begin = Clock::now();
    harness::Process client3(silent({"./client3", clients}).with("PORT", std::to_string(server.port())));
    double time = 0;
    do {
        const std::size_t count = server.zombies().size();
        time = seconds_since(begin);
        if (count != all.back().zombies) all.push_back({time, count});
        poll(nullptr, 0, 2);  // polling without a pause would take CPU time from the server
    } while (time < DURATION);
    all.push_back({time, all.back().zombies});
    if (client3.fate() != "exited with 0") throw std::runtime_error("client3 " + client3.fate());
    return all;
}

}  // namespace

void measure_waits() {
    const std::vector<double> a = waits(step('a', REST));
    const std::vector<double> b = waits(step('b', REST));
    const std::vector<double> c = waits(step('c', REST));
    print_heading(std::to_string(CLIENTS_AT_ONCE) +
                  " clients, who come as fast as the queue takes them, SLEEP=" + REST +
                  ": the n-th, and seconds from the first one's start until it has its page, in steps a, b and c");
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::cout << std::setw(3) << i + 1 << std::fixed << std::setprecision(4) << ' ' << a[i] << ' ' << b[i] << ' '
                  << c[i] << '\n';
    }
}

void measure_descriptors() {
    const std::vector<std::size_t> c = sockets(step('c', "0"));
    const std::vector<std::size_t> d = sockets(step('d', "0"));
    print_heading("clients that have been served, and how many sockets steps c and d hold then");
    for (std::size_t i = 0; i < c.size(); ++i) std::cout << i + 1 << ' ' << c[i] << ' ' << d[i] << '\n';
}

void measure_zombies() {
    const std::string steps = "dfg";
    std::vector<std::vector<Sample>> all;
    for (const char letter : steps) all.push_back(zombies(step(letter, "0")));
    print_heading("while client3 runs with " + std::to_string(CLIENTS_OF_CLIENT3) +
                  " clients: seconds since its start, and how many zombies steps d, f and g have (a block each)");
    for (std::size_t i = 0; i < steps.size(); ++i) {
        std::cout << "\n\n\"step_" << steps[i] << "\"\n" << std::fixed << std::setprecision(4);
        for (const Sample& sample : all[i]) std::cout << sample.time << ' ' << sample.zombies << '\n';
    }
}

}  // namespace bench
