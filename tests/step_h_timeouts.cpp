// step_h where step_g waits for ever: silent clients, and applications without end.
#include <chrono>
#include <cstddef>
#include <deque>
#include <string>

#include "../tools/harness/client.hpp"
#include "../tools/harness/server.hpp"
#include "step_h.hpp"
#include "support.hpp"

using namespace step_h;

TEST_CASE("a request that is not there in time: 408, however often a byte comes") {
    Server server(hello().with("TIMEOUT", "0.3"));
    INFO(server.describe());
    const auto begin = std::chrono::steady_clock::now();
    Client silent(server.port());
    Client dripping(server.port());
    int sent = 0;
    const std::string drops(10'000, 'x');  // of which nobody knows how many come in time
    while (!dripping.has_ended() && sent < 10'000) {
        dripping.send(drops.substr(static_cast<std::size_t>(sent++), 1));
        poll(nullptr, 0, 5);
    }
    CHECK(sent < 10'000);
    for (Client* client : {&silent, &dripping}) {
        const Reply reply(*client);
        CHECK(reply.status == 408);
        CHECK_FALSE(reply.was_reset);
    }
    CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(300));
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK(server.out().find("] \"-\" 408 20 \"-\" \"-\"\n") != std::string::npos);
    CHECK(count_in(server.out(), "\" 408 20 \"-\" \"-\"\n") == 2);
}

TEST_CASE("TIMEOUT=0 is over at once, and no time at all for ever") {
    Server server(hello().with("TIMEOUT", "0"));
    INFO(server.describe());
    Client client(server.port());
    CHECK(Reply(client).status == 408);
}

TEST_CASE("an application without end: 504, and it is killed with its process group") {
    Server server(script("echo pid $$ >&2; sleep 600 & echo child $! >&2; wait").with("APP_TIMEOUT", "1"));
    INFO(server.describe());
    const Reply reply = get(server);
    CHECK(reply.status == 504);
    CHECK_FALSE(reply.was_reset);
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK_EVENTUALLY(server, !is_running(told(server.err(), "child")));
    const std::string pid = std::to_string(told(server.err(), "pid"));
    CHECK(server.err().ends_with("step_h: application " + pid + " was killed by signal 9: not finished in time\n"));
}

TEST_CASE("an application without end that ignores signals, has closed everything, or has begun its answer") {
    struct Case {
        std::string text;
        int status;
        bool is_reset;
    };
    const Case cases[] = {
        {"trap '' TERM INT HUP ALRM CHLD; echo pid $$ >&2; while :; do sleep 600; done", 504, false},
        {"echo pid $$ >&2; exec sleep 600 >&- 2>&- <&-", 502, false},
        {PLAIN + "echo pid $$ >&2; exec sleep 600 >&- 2>&-", 504, false},
        {PLAIN + "echo page; echo pid $$ >&2; exec sleep 600", 200, true},
        {PLAIN + "echo page; echo pid $$ >&2; exec sleep 600 >&-", 200, true},
        {PLAIN + "echo pid $$ >&2; exec cat /dev/zero", 200, true},  // and the client does not receive it
    };
    std::deque<Server> servers;  // all at once: each has the time to begin, and it passes but once
    std::deque<Client> clients;
    for (const Case& one : cases) {
        servers.emplace_back(script(one.text).with("APP_TIMEOUT", "2"));
        clients.emplace_back(servers.back().port());
        clients.back().ask();
    }
    for (std::size_t i = 0; i < std::size(cases); ++i) {
        const Case& one = cases[i];
        Server& server = servers[i];
        CAPTURE(one.text);
        INFO(server.describe());
        CHECK_EVENTUALLY(server, clients[i].has_ended());
        CHECK_EVENTUALLY(server, server.is_quiet());
        const Reply reply(clients[i]);
        CHECK(reply.status == one.status);
        CHECK(reply.was_reset == one.is_reset);
        CHECK(told(server.err(), "pid") != 0);
        CHECK_FALSE(is_running(told(server.err(), "pid")));
    }
}

TEST_CASE("a body that does not come in time is the client's fault: 408") {
    Server server(script("cat >/dev/null").with("APP_TIMEOUT", "0.3"));
    INFO(server.describe());
    // nothing of it: a part that is still to be passed on when the time is over would be the application's fault
    CHECK(ask(server, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n").status == 408);
}
