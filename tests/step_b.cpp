// step_b sleeps after each client: its column of the table of behaviours (docs/behaviours.md), then tests of its own.
#include <deque>
#include <string>

#include "impolite.hpp"
#include "support.hpp"

static const Program step_b = built("step_b");

TEST_CASE("step_b: has the behaviours of its column in the table") { check_column(step_b); }

TEST_CASE("step_b: a client that connects during the sleep waits in the queue") {
    Server server(step_b.with("SLEEP", "60"));
    INFO(server.describe());
    Client first(server.port());
    first.ask();
    CHECK(first.receive(PAGE.size()) == PAGE);
    CHECK_EVENTUALLY(server, proc::blocked_in(server.pid()).ends_with("nanosleep"));
    Client second(server.port());
    second.ask();
    CHECK_EVENTUALLY(server, server.queued() == 1);
    CHECK(proc::blocked_in(server.pid()).ends_with("nanosleep"));
    CHECK_FALSE(second.has_answer());
    CHECK_FALSE(first.has_ended());
}

TEST_CASE("step_b: serves clients in the order in which they connected") {
    Server server(step_b.with("SLEEP", "0.05"));
    INFO(server.describe());
    std::deque<Client> clients;
    for (const std::string name : {"/first", "/second", "/third"}) {
        clients.emplace_back(server.port()).send("GET " + name + " HTTP/1.1\r\n\r\n");
    }
    for (Client& client : clients) {
        CHECK(client.receive_all() == PAGE);
        CHECK_FALSE(client.was_reset());
    }
    const std::string out = server.out();
    CHECK(out.find("GET /first") < out.find("GET /second"));
    CHECK(out.find("GET /second") < out.find("GET /third"));
    CHECK(out.find("GET /third") != std::string::npos);
}

TEST_CASE("step_b: serves the next client after each impolite one") { impolite::check_patience_of(step_b); }
