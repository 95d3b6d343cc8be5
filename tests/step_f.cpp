// step_f: restarts accept, and loses signals. The rows of the table of behaviours (README.md), then what is its own.
#include "impolite.hpp"
#include "support.hpp"

static const Program step_f = built("step_f");

TEST_CASE("step_f answers: yes") { CHECK(answers(step_f) == yes); }
TEST_CASE("step_f serves a client while another stays silent: yes") { CHECK(concurrent(step_f) == yes); }
TEST_CASE("step_f sleeps before it lets a served client go: no") { CHECK(rests(step_f) == no); }
TEST_CASE("step_f lets the client see the end of the connection: yes") { CHECK(hangs_up(step_f) == yes); }
TEST_CASE("step_f holds no more sockets twenty clients later: yes") { CHECK(flat_descriptors(step_f) == yes); }
TEST_CASE("step_f survives more clients than it may have descriptors: yes") { CHECK(descriptor_limit(step_f) == yes); }
TEST_CASE("step_f keeps the listening socket from its children: yes") { CHECK(child_lets_go(step_f) == yes); }
TEST_CASE("step_f survives the exit of a child while it waits in accept: yes") {
    CHECK(survives_sigchld(step_f) == yes);
}
TEST_CASE("step_f leaves no zombie when a child exits alone: yes") { CHECK(reaps_one(step_f) == yes); }
TEST_CASE("step_f leaves no zombie when children exit together: no") { CHECK(reaps_many(step_f) == no); }
TEST_CASE("step_f survives more exits than it may have processes: yes") { CHECK(process_limit(step_f) == yes); }
TEST_CASE("step_f survives more live clients than it may have processes: no") { CHECK(sheds_load(step_f) == no); }
TEST_CASE("step_f lets go of a client that never speaks: no") { CHECK(drops_the_silent(step_f) == no); }
TEST_CASE("step_f finishes what it began when it is terminated: no") { CHECK(stops_gracefully(step_f) == no); }

TEST_CASE("step_f: of 32 children that exit together it reaps exactly one") {
    Server server(step_f);
    INFO(server.describe());
    std::deque<Client> clients;
    for (std::size_t i = 1; i <= 32; ++i) clients.emplace_back(server.port());
    CHECK_EVENTUALLY(server, server.children().size() == 32 && server.waits_in_accept());
    server.signal(SIGSTOP);
    CHECK_EVENTUALLY(server, server.is_stopped());
    for (const Client& client : clients) client.ask();
    CHECK_EVENTUALLY(server, server.zombies().size() == 32);
    CHECK_EVENTUALLY(server, proc::is_pending(server.pid(), SIGCHLD));  // one, for 32 children
    server.signal(SIGCONT);
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK(server.zombies().size() == 31);
}

TEST_CASE("step_f: impolite clients cost nobody else anything") { impolite::check_patience_of(step_f); }
