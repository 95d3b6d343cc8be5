// step_c forks a child for each client: its column of the table of behaviours, then tests of its own.
#include <deque>
#include <string>
#include <vector>

#include "impolite.hpp"
#include "support.hpp"

static const Program step_c = built("step_c");

TEST_CASE("step_c: has the behaviours of its column in the table") { check_column(step_c); }

TEST_CASE("step_c: each child prints its own pid and its parent's") {
    Server server(step_c.with("SLEEP", "60"));
    INFO(server.describe());
    std::deque<Client> clients;
    for (int i = 0; i < 3; ++i) {
        clients.emplace_back(server.port()).ask();
        CHECK(clients.back().receive(PAGE.size()) == PAGE);
    }
    const std::string parent = std::to_string(server.pid());
    CHECK(server.out().find("Parent PID (PPID): " + parent + "\n") != std::string::npos);
    const std::vector<proc::Process> children = server.children();
    CHECK(children.size() == 3);
    for (const proc::Process& child : children) {
        const std::string line = "Child PID: " + std::to_string(child.pid) + ". Parent PID " + parent + "\n";
        CHECK_MESSAGE(server.out().find(line) != std::string::npos, line, server.describe());
    }
}

TEST_CASE("step_c: serves the next client after each impolite one") { impolite::check_patience_of(step_c); }
