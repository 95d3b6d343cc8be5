// step_g: no zombie is left. The rows of the table of behaviours (README.md), then what is its own.
#include "impolite.hpp"
#include "support.hpp"

static const Program step_g = built("step_g");

TEST_CASE("step_g answers: yes") { CHECK(answers(step_g) == yes); }
TEST_CASE("step_g serves a client while another stays silent: yes") { CHECK(concurrent(step_g) == yes); }
TEST_CASE("step_g sleeps before it lets a served client go: no") { CHECK(rests(step_g) == no); }
TEST_CASE("step_g lets the client see the end of the connection: yes") { CHECK(hangs_up(step_g) == yes); }
TEST_CASE("step_g holds no more sockets twenty clients later: yes") { CHECK(flat_descriptors(step_g) == yes); }
TEST_CASE("step_g survives more clients than it may have descriptors: yes") { CHECK(descriptor_limit(step_g) == yes); }
TEST_CASE("step_g keeps the listening socket from its children: yes") { CHECK(child_lets_go(step_g) == yes); }
TEST_CASE("step_g survives the exit of a child while it waits in accept: yes") {
    CHECK(survives_sigchld(step_g) == yes);
}
TEST_CASE("step_g leaves no zombie when a child exits alone: yes") { CHECK(reaps_one(step_g) == yes); }
TEST_CASE("step_g leaves no zombie when children exit together: yes") { CHECK(reaps_many(step_g) == yes); }
TEST_CASE("step_g survives more exits than it may have processes: yes") { CHECK(process_limit(step_g) == yes); }
TEST_CASE("step_g survives more live clients than it may have processes: no") { CHECK(sheds_load(step_g) == no); }
TEST_CASE("step_g lets go of a client that never speaks: no") { CHECK(drops_the_silent(step_g) == no); }
TEST_CASE("step_g finishes what it began when it is terminated: no") { CHECK(stops_gracefully(step_g) == no); }

TEST_CASE("step_g: 128 clients of client3 leave nothing behind") {
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

TEST_CASE("step_g: impolite clients cost nobody else anything") { impolite::check_patience_of(step_g); }
