// step_e: reaps, and dies of EINTR. The rows of the table of behaviours (README.md), then what is its own.
#include "impolite.hpp"
#include "support.hpp"

static const Program step_e = built("step_e");

TEST_CASE("step_e answers: yes") { CHECK(answers(step_e) == yes); }
TEST_CASE("step_e serves a client while another stays silent: yes") { CHECK(concurrent(step_e) == yes); }
TEST_CASE("step_e sleeps before it lets a served client go: yes") { CHECK(rests(step_e) == yes); }
TEST_CASE("step_e lets the client see the end of the connection: yes") { CHECK(hangs_up(step_e) == yes); }
TEST_CASE("step_e holds no more sockets twenty clients later: yes") { CHECK(flat_descriptors(step_e) == yes); }
TEST_CASE("step_e survives more clients than it may have descriptors: yes") { CHECK(descriptor_limit(step_e) == yes); }
TEST_CASE("step_e keeps the listening socket from its children: yes") { CHECK(child_lets_go(step_e) == yes); }
TEST_CASE("step_e survives the exit of a child while it waits in accept: no") { CHECK(survives_sigchld(step_e) == no); }
TEST_CASE("step_e leaves no zombie when a child exits alone: yes") { CHECK(reaps_one(step_e) == yes); }
TEST_CASE("step_e leaves no zombie when children exit together: –") { CHECK(reaps_many(step_e) == not_applicable); }
TEST_CASE("step_e survives more exits than it may have processes: –") {
    CHECK(process_limit(step_e) == not_applicable);
}
TEST_CASE("step_e survives more live clients than it may have processes: no") { CHECK(sheds_load(step_e) == no); }
TEST_CASE("step_e lets go of a client that never speaks: no") { CHECK(drops_the_silent(step_e) == no); }
TEST_CASE("step_e finishes what it began when it is terminated: no") { CHECK(stops_gracefully(step_e) == no); }

TEST_CASE("step_e: says which child it has reaped, and dies of the interrupted accept") {
    Server server(step_e.with("SLEEP", "0"));
    INFO(server.describe());
    Client client(server.port());
    CHECK_EVENTUALLY(server, server.children().size() == 1 && server.waits_in_accept());
    const pid_t child = server.children().at(0).pid;
    client.ask();
    CHECK(client.receive_all() == PAGE);
    CHECK(server.until_ended());
    CHECK(server.out().ends_with("Child " + std::to_string(child) + " terminated with status 0\n\n"));
    CHECK(server.err() == "step_e: accept: Interrupted system call\n");
    CHECK(server.fate() == "exited with 1");
}

TEST_CASE("step_e: a child that only stops and goes on is no reason to reap or to die") {
    Server server(step_e.with("SLEEP", "0"));
    INFO(server.describe());
    Client client(server.port());
    CHECK_EVENTUALLY(server, server.children().size() == 1 && server.waits_in_accept());
    const pid_t child = server.children().at(0).pid;
    kill(child, SIGSTOP);
    CHECK_EVENTUALLY(server, proc::process(child)->state == 'T');
    kill(child, SIGCONT);
    CHECK_EVENTUALLY(server, proc::blocked_in(child) == "recvfrom");
    CHECK_EVENTUALLY(server, server.waits_in_accept());
    CHECK(server.out().find("terminated") == std::string::npos);
}

TEST_CASE("step_e: impolite clients cost nobody else anything") { impolite::check_patience_of(step_e); }
