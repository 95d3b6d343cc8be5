// step_d: nobody closes the copies. The rows of the table of behaviours (README.md), then what is its own.
#include "impolite.hpp"
#include "support.hpp"

static const Program step_d = built("step_d");

TEST_CASE("step_d answers: yes") { CHECK(answers(step_d) == yes); }
TEST_CASE("step_d serves a client while another stays silent: yes") { CHECK(concurrent(step_d) == yes); }
TEST_CASE("step_d sleeps before it lets a served client go: no") { CHECK(rests(step_d) == no); }
TEST_CASE("step_d lets the client see the end of the connection: no") { CHECK(hangs_up(step_d) == no); }
TEST_CASE("step_d holds no more sockets twenty clients later: no") { CHECK(flat_descriptors(step_d) == no); }
TEST_CASE("step_d survives more clients than it may have descriptors: no") { CHECK(descriptor_limit(step_d) == no); }
TEST_CASE("step_d keeps the listening socket from its children: yes") { CHECK(child_lets_go(step_d) == yes); }
TEST_CASE("step_d survives the exit of a child while it waits in accept: yes") {
    CHECK(survives_sigchld(step_d) == yes);
}
TEST_CASE("step_d leaves no zombie when a child exits alone: no") { CHECK(reaps_one(step_d) == no); }
TEST_CASE("step_d leaves no zombie when children exit together: no") { CHECK(reaps_many(step_d) == no); }
TEST_CASE("step_d survives more exits than it may have processes: no") { CHECK(process_limit(step_d) == no); }
TEST_CASE("step_d survives more live clients than it may have processes: no") { CHECK(sheds_load(step_d) == no); }
TEST_CASE("step_d lets go of a client that never speaks: no") { CHECK(drops_the_silent(step_d) == no); }
TEST_CASE("step_d finishes what it began when it is terminated: no") { CHECK(stops_gracefully(step_d) == no); }

TEST_CASE("step_d: counts the clients that it keeps") {
    Server server(step_d);
    INFO(server.describe());
    std::deque<Client> clients;
    for (int i = 1; i <= 3; ++i) {
        clients.emplace_back(server.port()).ask();
        CHECK(clients.back().receive(PAGE.size()) == PAGE);
        CHECK_EVENTUALLY(server, server.out().ends_with("\n" + std::to_string(i) + "\n"));
        CHECK_EVENTUALLY(server, server.sockets() == 1 + clients.size());
    }
    CHECK(server.out().find("GET") == std::string::npos);  // alone among the steps it does not print the request
}

TEST_CASE("step_d: without descriptors it dies in accept") {
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
    CHECK(clients.size() == 4);  // the other four: standard input, output and error, and the listening socket
}

TEST_CASE("step_d: the article's 300 clients are too many for 256 descriptors") {
    Program limited = step_d;
    limited.max_descriptors = 256;
    Server server(limited);
    INFO(server.describe());
    Program client3 = built("client3").with("PORT", std::to_string(server.port()));
    client3.command.push_back("--max-clients=300");
    const Ended clients(client3);
    CHECK(clients.err.starts_with("client3: connect: Connection re"));  // refused, or reset: the server has died
    CHECK(server.until_ended());
    CHECK(server.out().ends_with("\n252\n"));
    CHECK(server.err() == "step_d: accept: Too many open files\n");
}

TEST_CASE("step_d: without processes it dies in fork") {
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

TEST_CASE("step_d: impolite clients cost nobody else anything") { impolite::check_patience_of(step_d); }
