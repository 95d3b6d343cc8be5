// step_h where step_g would wait forever: silent clients, and applications that hang.
#include <poll.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>

#include "../tools/harness/client.hpp"
#include "../tools/harness/server.hpp"
#include "step_h.hpp"
#include "support.hpp"

using namespace step_h;

TEST_CASE("step_h: a request that is incomplete after TIMEOUT gets 408, however often a byte arrives") {
    Server server(hello().with("TIMEOUT", "0.3"));
    INFO(server.describe());
    const auto begin = std::chrono::steady_clock::now();
    Client silent(server.port());
    Client slow(server.port());
    int sent = 0;
    const std::string bytes(10'000, 'x');
    while (!slow.has_ended() && sent < 10'000) {
        slow.send(bytes.substr(static_cast<std::size_t>(sent++), 1));
        poll(nullptr, 0, 5);
    }
    CHECK(sent < 10'000);
    for (Client* client : {&silent, &slow}) {
        const Reply reply(*client);
        CHECK(reply.status == 408);
        CHECK_FALSE(reply.was_reset);
    }
    CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(300));
    CHECK_EVENTUALLY(server, count_in(server.out(), "\" 408 20 \"-\" \"-\"\n") == 2);
    CHECK(server.out().find("] \"-\" 408 20 \"-\" \"-\"\n") != std::string::npos);
}

TEST_CASE("step_h: TIMEOUT=0 times out at once; a tiny timeout never means forever") {
    for (const char* timeout : {"0", "0.000000001"}) {
        Server server(hello().with("TIMEOUT", timeout));
        INFO(server.describe());
        Client client(server.port());
        CHECK(Reply(client).status == 408);
    }
}

TEST_CASE("step_h: an application that hangs gives 504, or a reset when it has begun, and its worker is replaced") {
    const char* const hows[] = {"sleep", "loop", "c", "lock", "handled", "blocked", "child", "late_child", "closing"};
    std::deque<Server> servers;  // in parallel, so that the timeouts pass together
    std::deque<Client> clients;
    for (const char* how : hows) {
        servers.emplace_back(pages().with("APP_TIMEOUT", "1").with("MAX_CLIENTS", "1"));
        clients.emplace_back(servers.back().port());
        clients.back().send(std::string("GET /hang?") + how + " HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    for (std::size_t i = 0; i < std::size(hows); ++i) {
        CAPTURE(hows[i]);
        Server& server = servers[i];
        INFO(server.describe());
        const bool is_late = std::string(hows[i]) == "late_child" || std::string(hows[i]) == "closing";
        CHECK_EVENTUALLY(server, clients[i].has_ended());
        const Reply reply(clients[i]);
        CHECK(reply.status == (is_late ? 200 : 504));
        if (!is_late) CHECK(reply.body == "504 Gateway Timeout\n");
        CHECK(reply.was_reset == is_late);
        const pid_t worker = number_after(server.err(), "pid");
        CHECK(worker != 0);
        CHECK_EVENTUALLY(server, !is_running(worker));
        CHECK(server.err().find("step_h: worker " + std::to_string(worker) +
                                ": the application has not finished in APP_TIMEOUT\n") != std::string::npos);
        if (std::string(hows[i]) == "child") CHECK_EVENTUALLY(server, !is_running(number_after(server.err(), "child")));
        CHECK(get(server, "/hello").status == 200);
    }
}

TEST_CASE("step_h: ends a complete response before the application's close() returns") {
    Server server(pages());
    INFO(server.describe());
    const Reply reply = get(server, "/hang?closing_whole");  // returns when the connection ends
    CHECK(reply.body == "page\n");
    CHECK_FALSE(reply.was_reset);
    CHECK(is_running(number_after(server.err(), "pid")));
}

TEST_CASE("step_h: APP_TIMEOUT starts again with each request") {
    Server server(pages().with("APP_TIMEOUT", "0.5").with("MAX_CLIENTS", "1"));
    INFO(server.describe());
    const pid_t worker = number_after(get(server, "/process").body, "pid");
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(1200)) {
        CHECK(number_after(get(server, "/process").body, "pid") == worker);
    }
    CHECK(get(server, "/hang?sleep").status == 504);
}

TEST_CASE("step_h: a body that does not arrive within TIMEOUT or APP_TIMEOUT gives 408") {
    Server server(pages().with("TIMEOUT", "0.3").with("MAX_CLIENTS", "1"));
    INFO(server.describe());
    const pid_t worker = number_after(get(server, "/process").body, "pid");
    CHECK(ask(server, "POST /body_error HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n").status == 408);
    CHECK(number_after(get(server, "/process").body, "pid") == worker);  // the client's fault: the worker stays
    Server slow(pages().with("APP_TIMEOUT", "0.3"));
    INFO(slow.describe());
    CHECK(ask(slow, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n").status == 408);
}

TEST_CASE("step_h: a client that does not receive its response is disconnected after APP_TIMEOUT") {
    Server server(pages().with("APP_TIMEOUT", "0.5").with("MAX_CLIENTS", "1"));
    INFO(server.describe());
    Client client(server.port());
    client.send("GET /closing?endless HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(get(server, "/hello").status == 200);
    CHECK_EVENTUALLY(server, client.has_ended());
}
