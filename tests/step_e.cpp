// step_e reaps a child, then exits because of EINTR: its column of the table of behaviours, then tests of its own.
#include <signal.h>
#include <sys/types.h>

#include <string>

#include "impolite.hpp"
#include "support.hpp"

static const Program step_e = built("step_e");

TEST_CASE("step_e: has the behaviours of its column in the table") { check_column(step_e); }

TEST_CASE("step_e: prints which child it reaped, then exits because accept was interrupted") {
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

TEST_CASE("step_e: neither reaps nor exits when a child stops and continues") {
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

TEST_CASE("step_e: an impolite client causes no other error than the interrupted accept") {
    impolite::check_patience_of(step_e);
}
