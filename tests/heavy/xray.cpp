// What xray costs, which takes a while to measure.
#include <chrono>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <string>

#include "../support.hpp"

TEST_CASE("xray takes less than 2% of a core at 500 processes") {
    Server server(built("step_c").with("SLEEP", "600"));
    INFO(server.describe());
    std::deque<Client> clients;
    for (int i = 0; i < 500; ++i) clients.emplace_back(server.port()).ask();
    CHECK_EVENTUALLY(server, server.children().size() == 500 && server.waits_in_accept());
    Program xray = built("xray");
    xray.command.insert(xray.command.end(), {"--log", std::to_string(server.port())});
    Process log(xray);
    CHECK(log.until([&] { return log.out().find("500 processes are below it") != std::string::npos; }));
    const auto used = [&] { return std::strtod(proc::run_count(log.pid()).c_str(), nullptr) / 1e9; };
    const auto start = std::chrono::steady_clock::now();
    const double before = used();
    CHECK(log.until([&] {  // of 10 seconds: that it has begun by looking at all of them is in there
        const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
        return passed.count() >= 10;
    }));
    const double share = (used() - before) / 10;
    CHECK(share < 0.02);
    std::cout << "xray --log: " << 100 * share << "% of a core" << std::endl;
}
