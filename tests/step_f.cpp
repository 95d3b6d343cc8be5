// step_f restarts accept, but loses signals: its column of the table of behaviours, then tests of its own.
#include <signal.h>

#include <cstddef>
#include <deque>

#include "impolite.hpp"
#include "support.hpp"

static const Program step_f = built("step_f");

TEST_CASE("step_f: has the behaviours of its column in the table") { check_column(step_f); }

TEST_CASE("step_f: reaps exactly one of 32 children that exit together") {
    Server server(step_f);
    INFO(server.describe());
    std::deque<Client> clients;
    for (std::size_t i = 1; i <= 32; ++i) clients.emplace_back(server.port());
    CHECK_EVENTUALLY(server, server.children().size() == 32 && server.waits_in_accept());
    server.signal(SIGSTOP);
    CHECK_EVENTUALLY(server, server.is_stopped());
    for (const Client& client : clients) client.ask();
    CHECK_EVENTUALLY(server, server.zombies().size() == 32);
    CHECK_EVENTUALLY(server, proc::is_pending(server.pid(), SIGCHLD));  // one signal for 32 children
    server.signal(SIGCONT);
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK(server.zombies().size() == 31);
}

TEST_CASE("step_f: serves the next client after each impolite one") { impolite::check_patience_of(step_f); }
