// step_h where step_g dies or goes on: too many clients, and signals.
#include <signal.h>
#include <sys/types.h>

#include <cstddef>
#include <deque>
#include <string>
#include <system_error>
#include <vector>

#include "../tools/harness/client.hpp"
#include "../tools/harness/process.hpp"
#include "../tools/harness/server.hpp"
#include "../tools/proc/process.hpp"
#include "../tools/proc/tcp.hpp"
#include "step_h.hpp"
#include "support.hpp"

using namespace step_h;

namespace {

/// A client that has sent all but the end of its request: its child waits for it until it is told.
struct Held {
    explicit Held(Server& server) : others(server.children().size()), client(server.port()) {
        client.send("GET / HTTP/1.1\r\nHost: h\r\n");
        CHECK(server.until([&] { return server.children().size() > others && server.waits_in_accept(); }));
    }
    Reply finish() {
        client.send("\r\n");
        return Reply(client);
    }
    std::size_t others;
    Client client;
};

}  // namespace

TEST_CASE("one client more than MAX_CLIENTS: 503 with Retry-After, at once; and room again when one leaves") {
    Server server(hello().with("MAX_CLIENTS", "2"));
    INFO(server.describe());
    Held first(server);
    Held second(server);
    for (int i = 0; i < 3; ++i) {
        const Reply refused = get(server);
        CHECK(refused.status == 503);
        CHECK(refused.head.find("\r\nRetry-After: 1\r\n") != std::string::npos);
        CHECK_FALSE(refused.was_reset);
    }
    CHECK(count_in(server.out(), "\"-\" 503 24 \"-\" \"-\"\n") == 3);
    CHECK(first.finish().status == 200);
    CHECK_EVENTUALLY(server, server.children().size() == 1);
    CHECK(get(server).status == 200);
    CHECK(second.finish().status == 200);
    CHECK_EVENTUALLY(server, server.is_quiet() && server.sockets() == 1);
}

TEST_CASE("children that exited together, of which one signal told, leave room for the next clients at once") {
    Server server(hello().with("MAX_CLIENTS", "4"));
    INFO(server.describe());
    for (int round = 0; round < 20; ++round) {
        std::deque<Held> held;
        while (held.size() < 4) held.emplace_back(server);
        const std::vector<proc::Process> children = server.children();
        kill(server.acceptor(), SIGSTOP);
        CHECK_EVENTUALLY(server, server.is_stopped());
        for (Held& one : held) CHECK(one.finish().status == 200);
        held.clear();
        for (const proc::Process& one : children) CHECK_EVENTUALLY(server, proc::process(one.pid)->is_zombie());
        std::deque<Client> next;
        for (int i = 0; i < 4; ++i) next.emplace_back(server.port()).ask();
        kill(server.acceptor(), SIGCONT);
        for (Client& one : next) CHECK(Reply(one).status == 200);
        CHECK_EVENTUALLY(server, server.is_quiet());
    }
}

TEST_CASE("a refused client that is silent, or sends much, holds nobody up") {
    Server server(hello().with("MAX_CLIENTS", "1"));
    INFO(server.describe());
    Held held(server);
    Client silent(server.port());
    CHECK_EVENTUALLY(server, silent.has_ended() && server.waits_in_accept());
    Client talkative(server.port());
    talkative.send(std::string(REQUEST) + std::string(200'000, 'x'));
    const Reply refused(talkative);
    CHECK(refused.status == 503);
    CHECK_FALSE(refused.was_reset);
    kill(server.acceptor(), SIGSTOP);
    CHECK_EVENTUALLY(server, server.is_stopped());
    Client early(server.port());
    early.ask();  // so that the request is there, and unread, when it is refused
    kill(server.acceptor(), SIGCONT);
    const Reply unread(early);
    CHECK(unread.status == 503);
    CHECK_FALSE(unread.was_reset);
    CHECK(proc::loopback_connection(early.port(), server.port()));  // a reset would have ended it
    CHECK(held.finish().status == 200);
    CHECK_EVENTUALLY(server, server.children().empty());
    CHECK(get(server).status == 200);
    CHECK_EVENTUALLY(server, server.is_quiet() && server.sockets() == 1);  // though the silent one still listens
    const Reply last(silent);
    CHECK(last.status == 503);
    CHECK_FALSE(last.was_reset);
}

TEST_CASE("more refused clients than are kept") {
    Server server(hello().with("MAX_CLIENTS", "0"));
    INFO(server.describe());
    std::deque<Client> clients;
    for (int i = 0; i < 100; ++i) {
        clients.emplace_back(server.port());
        CHECK_EVENTUALLY(server, clients.back().has_ended() && server.waits_in_accept());
    }
    CHECK(server.sockets() <= 1 + 64);
    for (Client& client : clients) CHECK(Reply(client).status == 503);
}

TEST_CASE("without a process for another child: 503, and it goes on") {
    Program limited = hello();
    limited.max_processes = 8;
    Server server(limited);
    INFO(server.describe());
    std::deque<Client> held;
    do {
        held.emplace_back(server.port());
        CHECK_EVENTUALLY(server, held.back().has_ended() || server.children().size() == held.size());
    } while (!held.back().has_ended() && held.size() < 20);
    CHECK(held.size() == 8);  // itself, and one for each but the last
    CHECK(Reply(held.back()).status == 503);
    held.clear();
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK(get(server).status == 200);
}

TEST_CASE("a child without a process for its application: 503") {
    Program limited = hello();
    limited.max_processes = 2;
    Server server(limited);
    INFO(server.describe());
    const Reply reply = get(server);
    CHECK(reply.status == 503);
    CHECK(reply.head.find("\r\nRetry-After: 1\r\n") != std::string::npos);
    CHECK(server.err() == "step_h: fork: Resource temporarily unavailable\n");
}

TEST_CASE("more exits, one by one, than it may have processes") {
    Program limited = hello();
    limited.max_processes = 8;
    Server server(limited);
    INFO(server.describe());
    for (int i = 0; i < 24; ++i) {
        CHECK(get(server).status == 200);
        CHECK_EVENTUALLY(server, server.is_quiet());
    }
    CHECK_EVENTUALLY(server, server.zombies().empty());
}

TEST_CASE("without a descriptor for another client it rests, and can still be stopped") {
    Program limited = hello();
    limited.max_descriptors = 4;  // the listening socket has the last
    Server server(limited);
    INFO(server.describe());
    Client client(server.port());
    client.ask();
    CHECK_EVENTUALLY(server, proc::blocked_in(server.acceptor()).ends_with("poll"));
    CHECK_FALSE(client.has_ended());  // it waits for its turn
    CHECK(server.queued() == 1);
    server.signal(SIGTERM);
    CHECK(server.until_ended());
    CHECK(server.fate() == "exited with 0");
}

TEST_CASE("SIGTERM, SIGINT: no more accepts, the port is free, who is served is served, exit 0") {
    for (const int number : {SIGTERM, SIGINT}) {
        Server server(hello());
        INFO(server.describe());
        Held reading(server);
        server.signal(number);
        CHECK_EVENTUALLY(server, !server.is_listening());
        CHECK_THROWS_AS(Client(server.port()), std::system_error);
        Server next(hello().with("PORT", std::to_string(server.port())));
        CHECK(get(next).status == 200);
        CHECK_FALSE(server.has_ended());
        const Reply reply = reading.finish();
        CHECK(reply.body == "Hello, World!\n");
        CHECK_FALSE(reply.was_reset);
        CHECK(server.until_ended());
        CHECK(server.fate() == "exited with 0");
        CHECK(server.err() == "");
        CHECK(server.left_zombies().empty());
    }
}

TEST_CASE("without a client to finish it ends at once") {
    Server server(hello());
    INFO(server.describe());
    CHECK_EVENTUALLY(server, server.waits_in_accept());
    server.signal(SIGTERM);
    CHECK(server.until_ended());
    CHECK(server.fate() == "exited with 0");
}

TEST_CASE("a second signal, or GRACE, ends the children and their process groups; exit 0") {
    for (const bool is_impatient : {true, false}) {
        CAPTURE(is_impatient);
        Server server(script("trap '' TERM; echo pid $$ >&2; sleep 600 & echo child $! >&2; wait; sleep 600")
                          .with("GRACE", is_impatient ? "600" : "0.2"));
        INFO(server.describe());
        Client client(server.port());
        client.ask();
        CHECK_EVENTUALLY(server, server.err().find("child") != std::string::npos);
        Held reading(server);
        server.signal(SIGTERM);
        CHECK_EVENTUALLY(server, !server.is_listening());
        if (is_impatient) {
            CHECK_EVENTUALLY(server, server.is_asleep());
            CHECK_FALSE(server.has_ended());
            server.signal(SIGINT);
        }
        CHECK(server.until_ended());
        CHECK(server.fate() == "exited with 0");
        for (const char* name : {"pid", "child"}) {
            const pid_t pid = told(server.err(), name);
            CHECK(pid != 0);
            CHECK(eventually([&] { return !is_running(pid); }));
        }
    }
}

TEST_CASE("a server that is killed leaves no child and no application") {
    Server server(script("echo pid $$ >&2; sleep 600 & echo child $! >&2; wait"));
    INFO(server.describe());
    Client client(server.port());
    client.ask();
    CHECK_EVENTUALLY(server, server.err().find("child") != std::string::npos);
    Held reading(server);
    std::vector<proc::Process> all = proc::descendants(server.acceptor());
    CHECK(all.size() == 4);
    server.signal(SIGKILL);
    CHECK(server.until_ended());
    for (const proc::Process& one : all) CHECK(eventually([&] { return !is_running(one.pid); }));
}

TEST_CASE("a stop signal at any moment is not missed") {
    for (int i = 0; i < 20; ++i) {
        Server server(hello());
        INFO(server.describe());
        CHECK_EVENTUALLY(server, server.out().ends_with(" ...\n"));
        std::deque<Client> clients;
        for (int k = 0; k < i % 4; ++k) clients.emplace_back(server.port());  // it is anywhere between accept and fork
        server.signal(SIGTERM);
        clients.clear();
        CHECK(server.until_ended());
        CHECK(server.fate() == "exited with 0");
    }
}
