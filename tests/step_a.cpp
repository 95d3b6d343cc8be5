// step_a: one client after the other. The rows of the table of behaviours (README.md), then what is its own.
#include "impolite.hpp"
#include "support.hpp"

static const Program step_a = built("step_a");

TEST_CASE("step_a answers: yes") { CHECK(answers(step_a) == yes); }
TEST_CASE("step_a serves a client while another stays silent: no") { CHECK(concurrent(step_a) == no); }
TEST_CASE("step_a sleeps before it lets a served client go: no") { CHECK(rests(step_a) == no); }
TEST_CASE("step_a lets the client see the end of the connection: yes") { CHECK(hangs_up(step_a) == yes); }
TEST_CASE("step_a holds no more sockets twenty clients later: yes") { CHECK(flat_descriptors(step_a) == yes); }
TEST_CASE("step_a survives more clients than it may have descriptors: yes") { CHECK(descriptor_limit(step_a) == yes); }
TEST_CASE("step_a keeps the listening socket from its children: –") { CHECK(child_lets_go(step_a) == not_applicable); }
TEST_CASE("step_a survives the exit of a child while it waits in accept: –") {
    CHECK(survives_sigchld(step_a) == not_applicable);
}
TEST_CASE("step_a leaves no zombie when a child exits alone: –") { CHECK(reaps_one(step_a) == not_applicable); }
TEST_CASE("step_a leaves no zombie when children exit together: –") { CHECK(reaps_many(step_a) == not_applicable); }
TEST_CASE("step_a survives more exits than it may have processes: –") {
    CHECK(process_limit(step_a) == not_applicable);
}
TEST_CASE("step_a survives more live clients than it may have processes: –") {
    CHECK(sheds_load(step_a) == not_applicable);
}
TEST_CASE("step_a lets go of a client that never speaks: no") { CHECK(drops_the_silent(step_a) == no); }
TEST_CASE("step_a finishes what it began when it is terminated: no") { CHECK(stops_gracefully(step_a) == no); }

TEST_CASE("step_a: a backlog of 5 admits 6") {
    Server server(step_a);
    INFO(server.describe());
    server.signal(SIGSTOP);
    CHECK_EVENTUALLY(server, server.is_stopped());
    std::deque<Client> clients;
    for (int i = 0; i < 6; ++i) clients.emplace_back(server.port());
    CHECK_EVENTUALLY(server, server.queued() == 6);
    CHECK(server.backlog() == 5);

    // The seventh is not refused either: the kernel drops its first packet (SYN), and it tries again later.
    net::Socket seventh(AF_INET, SOCK_STREAM);
    fcntl(seventh.fileno(), F_SETFL, O_NONBLOCK);
    CHECK_THROWS_WITH(seventh.connect(loopback(server.port())), "connect: Operation now in progress");
    CHECK(server.queued() == 6);
    CHECK_FALSE(proc::loopback_connection(server.port(), static_cast<std::uint16_t>(seventh.port())));
}

TEST_CASE("step_a: impolite clients cost nobody else anything") { impolite::check_patience_of(step_a); }
