// step_a serves one client after the other: its column of the table of behaviours, then tests of its own.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <cstdint>
#include <deque>

#include "../net/socket.hpp"
#include "impolite.hpp"
#include "support.hpp"

static const Program step_a = built("step_a");

TEST_CASE("step_a: has the behaviours of its column in the table") { check_column(step_a); }

TEST_CASE("step_a: lets six clients connect when the backlog is 5") {
    Server server(step_a);
    INFO(server.describe());
    server.signal(SIGSTOP);
    CHECK_EVENTUALLY(server, server.is_stopped());
    std::deque<Client> clients;
    for (int i = 0; i < 6; ++i) clients.emplace_back(server.port());
    CHECK_EVENTUALLY(server, server.queued() == 6);
    CHECK(server.backlog() == 5);

    // The seventh client is not refused either: the kernel drops its SYN, and the client's kernel sends it again later.
    net::Socket seventh(AF_INET, SOCK_STREAM);
    fcntl(seventh.fileno(), F_SETFL, O_NONBLOCK);
    CHECK_THROWS_WITH(seventh.connect(loopback(server.port())), "connect: Operation now in progress");
    CHECK(server.queued() == 6);
    CHECK_FALSE(proc::loopback_connection(server.port(), static_cast<std::uint16_t>(seventh.port())));
}

TEST_CASE("step_a: serves the next client after each impolite one") { impolite::check_patience_of(step_a); }
