// step_g leaves no zombie: its column of the table of behaviours, then tests of its own.
#include <string>

#include "impolite.hpp"
#include "support.hpp"

static const Program step_g = built("step_g");

TEST_CASE("step_g: has the behaviours of its column in the table") { check_column(step_g); }

TEST_CASE("step_g: keeps no zombie and no connection after 128 clients of client3") {
    Server server(step_g);
    INFO(server.describe());
    Program client3 = built("client3").with("PORT", std::to_string(server.port()));
    client3.command.push_back("--max-clients=128");
    const Ended clients(client3);
    CHECK(clients.fate == "exited with 0");
    CHECK(clients.out.ends_with("128 of 128 connections made\n"));
    CHECK_EVENTUALLY(server, count_in(server.out(), "GET /hello") == 128 && server.is_quiet());
    CHECK(server.zombies().empty());
    CHECK(server.sockets() == 1);
}

TEST_CASE("step_g: serves the next client after each impolite one") { impolite::check_patience_of(step_g); }
