// step_c: a child for each client. The rows of the table of behaviours (README.md), then what is its own.
#include "impolite.hpp"
#include "support.hpp"

static const Program step_c = built("step_c");

TEST_CASE("step_c answers: yes") { CHECK(answers(step_c) == yes); }
TEST_CASE("step_c serves a client while another stays silent: yes") { CHECK(concurrent(step_c) == yes); }
TEST_CASE("step_c sleeps before it lets a served client go: yes") { CHECK(rests(step_c) == yes); }
TEST_CASE("step_c lets the client see the end of the connection: yes") { CHECK(hangs_up(step_c) == yes); }
TEST_CASE("step_c holds no more sockets twenty clients later: yes") { CHECK(flat_descriptors(step_c) == yes); }
TEST_CASE("step_c survives more clients than it may have descriptors: yes") { CHECK(descriptor_limit(step_c) == yes); }
TEST_CASE("step_c keeps the listening socket from its children: yes") { CHECK(child_lets_go(step_c) == yes); }
TEST_CASE("step_c survives the exit of a child while it waits in accept: yes") {
    CHECK(survives_sigchld(step_c) == yes);
}
TEST_CASE("step_c leaves no zombie when a child exits alone: no") { CHECK(reaps_one(step_c) == no); }
TEST_CASE("step_c leaves no zombie when children exit together: no") { CHECK(reaps_many(step_c) == no); }
TEST_CASE("step_c survives more exits than it may have processes: no") { CHECK(process_limit(step_c) == no); }
TEST_CASE("step_c survives more live clients than it may have processes: no") { CHECK(sheds_load(step_c) == no); }
TEST_CASE("step_c lets go of a client that never speaks: no") { CHECK(drops_the_silent(step_c) == no); }
TEST_CASE("step_c finishes what it began when it is terminated: no") { CHECK(stops_gracefully(step_c) == no); }

TEST_CASE("step_c: each child tells its own pid and its parent's") {
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

TEST_CASE("step_c: impolite clients cost nobody else anything") { impolite::check_patience_of(step_c); }
