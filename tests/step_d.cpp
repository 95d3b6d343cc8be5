// step_d does not close its copies: its column of the table of behaviours, then tests of its own.
#include <deque>
#include <string>

#include "impolite.hpp"
#include "support.hpp"

static const Program step_d = built("step_d");

TEST_CASE("step_d: has the behaviours of its column in the table") { check_column(step_d); }

TEST_CASE("step_d: counts the clients whose connections it keeps") {
    Server server(step_d);
    INFO(server.describe());
    std::deque<Client> clients;
    for (int i = 1; i <= 3; ++i) {
        clients.emplace_back(server.port()).ask();
        CHECK(clients.back().receive(PAGE.size()) == PAGE);
        CHECK_EVENTUALLY(server, server.out().ends_with("\n" + std::to_string(i) + "\n"));
        CHECK_EVENTUALLY(server, server.sockets() == 1 + clients.size());
    }
    CHECK(server.out().find("GET") == std::string::npos);  // unlike the other steps, it does not print the request
}

TEST_CASE("step_d: exits when accept finds no free descriptor") {
    Program limited = step_d;
    limited.max_descriptors = 8;
    Server server(limited);
    INFO(server.describe());
    std::deque<Client> clients;
    while (clients.size() < 8 && !server.has_ended()) {
        clients.emplace_back(server.port());
        server.until([&] { return server.children().size() == clients.size() && server.waits_in_accept(); });
    }
    CHECK(server.until_ended());
    CHECK(server.err() == "step_d: accept: Too many open files\n");
    CHECK(server.fate() == "exited with 1");
    CHECK(clients.size() == 4);  // four other descriptors: 0, 1, 2 and the listening socket
}

TEST_CASE("step_d: the article's 300 clients exhaust 256 descriptors") {
    Program limited = step_d;
    limited.max_descriptors = 256;
    Server server(limited);
    INFO(server.describe());
    Program client3 = built("client3").with("PORT", std::to_string(server.port()));
    client3.command.push_back("--max-clients=300");
    const Ended clients(client3);
    CHECK(clients.err.starts_with("client3: connect: Connection re"));  // refused or reset, since the server has exited
    CHECK(server.until_ended());
    CHECK(server.out().ends_with("\n252\n"));
    CHECK(server.err() == "step_d: accept: Too many open files\n");
}

TEST_CASE("step_d: exits when fork fails at the limit of processes") {
    Program limited = step_d;
    limited.max_processes = 8;
    Server server(limited);
    INFO(server.describe());
    for (int i = 0; i < 500 && !server.has_ended(); ++i) {
        Client client(server.port());
        client.ask();
        server.until([&] { return client.has_answer() && server.is_quiet(); });
    }
    CHECK(server.until_ended());
    CHECK(server.err() == "step_d: fork: Resource temporarily unavailable\n");
    CHECK(server.fate() == "exited with 1");
}

TEST_CASE("step_d: serves the next client after each impolite one") { impolite::check_patience_of(step_d); }
