// step_h and its clients: bad requests, request bodies of all forms, the end of a connection.
#include <iterator>
#include <string>

#include "../tools/harness/client.hpp"
#include "../tools/harness/server.hpp"
#include "step_h.hpp"
#include "support.hpp"

using namespace step_h;

TEST_CASE("step_h: a bad request gets its status and a clean end, and does not reach the application") {
    Server server(running("pages:failing"));
    INFO(server.describe());
    const auto with_field = [](const std::string& line) { return "GET / HTTP/1.1\r\nHost: h\r\n" + line + "\r\n\r\n"; };
    struct Case {
        std::string request;
        int status;
    };
    const Case cases[] = {
        {"GET /\r\n\r\n", 400},
        {"\x16\x03\x01\x02", 400},
        {std::string(100, '\0'), 400},
        {"GET / HTTP/1.1\n\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HT", 400},
        {with_field("A b"), 400},
        {with_field("A : b"), 400},
        {with_field("A: b\r\n c"), 400},
        {with_field(std::string("A: \0", 4)), 400},
        {with_field("Content-Length: 1\r\nContent-Length: 2"), 400},
        {with_field("Content-Length: 1\r\nTransfer-Encoding: chunked"), 400},
        {with_field("Content-Type: a\r\nContent-Type: b"), 400},
        {with_field("Content-Length: 104857601"), 413},
        {"GET /" + std::string(60'000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
        {with_field("Expect: more"), 417},
        {with_field("A: " + std::string(60'000, 'x')), 431},
        {"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 501},
        {with_field("Transfer-Encoding: gzip"), 501},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
    };
    for (const Case& test : cases) {
        CAPTURE(test.request.substr(0, 80));
        Client client(server.port());
        client.send(test.request);
        client.half_close();
        const Reply reply(client);
        CHECK(reply.status == test.status);
        CHECK(reply.body.starts_with(std::to_string(test.status) + ' '));
        CHECK_FALSE(reply.was_reset);
    }
    CHECK_EVENTUALLY(server, count_in(server.out(), "\n") == 1 + std::size(cases));
    CHECK(server.err() == "");
}

TEST_CASE("step_h: a client that disconnects without a request is not logged") {
    Server server(hello());
    INFO(server.describe());
    { Client client(server.port()); }
    get(server);
    CHECK_EVENTUALLY(server, idle_workers(server) >= 2);
    CHECK(count_in(server.out(), "\n") == 2);
    CHECK(server.err() == "");
}

TEST_CASE("step_h: HEAD gets the Content-Length of GET, and no body") {
    Server server(pages());
    INFO(server.describe());
    const Reply reply = ask(server, "HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(reply.status == 200);
    CHECK(reply.head.find("\r\nContent-Length: 14\r\n") != std::string::npos);
    CHECK(reply.body == "");
    CHECK(ask(server, "HEAD /generator HTTP/1.1\r\nHost: h\r\n\r\n").body == "");
    CHECK(ask(server, "HEAD /write HTTP/1.1\r\nHost: h\r\n\r\n").body == "");
    CHECK(ask(server, "HEAD /file?README.md HTTP/1.1\r\nHost: h\r\n\r\n").body == "");
    CHECK(server.err() == "");
    for (const char* target : {"/failing", "/hello HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n"}) {
        const Reply error = ask(server, "HEAD " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK(error.status >= 400);
        CHECK(error.body == "");
    }
}

TEST_CASE("step_h: sends no body with 204 and 304") {
    Server server(pages());
    INFO(server.describe());
    for (const char* status : {"204+No+Content", "304+Not+Modified"}) {
        const Reply reply = get(server, std::string("/status?") + status);
        CHECK(reply.status == std::stoi(status));
        CHECK(reply.body == "");
        CHECK(reply.head.find("Content-Length") == std::string::npos);
        CHECK_FALSE(reply.was_reset);
    }
}

TEST_CASE("step_h: serves HTTP/1.0, any method, and an absolute target") {
    Server server(pages());
    INFO(server.describe());
    const Reply old = ask(server, "BREW /environ HTTP/1.0\r\n\r\n");
    CHECK(old.body.find("REQUEST_METHOD='BREW'\nSCRIPT_NAME=''\nSERVER_NAME='127.0.0.1'\n") != std::string::npos);
    CHECK(old.body.find("SERVER_PROTOCOL='HTTP/1.0'\n") != std::string::npos);
    const Reply absolute = ask(server, "GET http://there:1/environ HTTP/1.1\r\nHost: here\r\n\r\n");
    CHECK(absolute.body.find("HTTP_HOST='there:1'\nPATH_INFO='/environ'\n") != std::string::npos);
}

TEST_CASE("step_h: passes a body on whole, however it is split, and ends it at its Content-Length") {
    Server server(pages());
    INFO(server.describe());
    CHECK(post(server, "/echo", "abc").body == "abc");
    CHECK(post(server, "/echo", "").body == "");
    CHECK(get(server, "/echo").body == "");
    CHECK(ask(server, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc, and more than was said").body ==
          "abc");
    std::string all_bytes;
    for (int i = 0; i < 256; ++i) all_bytes += static_cast<char>(i);
    CHECK(post(server, "/echo", all_bytes).body == all_bytes);
    const std::string large(3'000'000, 'x');
    CHECK(post(server, "/echo", large).body == large);
    Client client(server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nab");
    client.send("cd");
    CHECK_FALSE(client.has_ended());
    client.send("ef");
    CHECK(Reply(client).body == "abcdef");
}

TEST_CASE("step_h: decodes a chunked body, and sets no CONTENT_LENGTH for it") {
    Server server(pages());
    INFO(server.describe());
    const auto chunked = [&](const std::string& target, const std::string& body) {
        return ask(server, "POST " + target + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body);
    };
    CHECK(chunked("/echo", "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n").body == "abc0123456789");
    CHECK(chunked("/body_size", "0\r\n\r\n").body == "0 none\n");
    const std::string large(3'000'000, 'x');
    CHECK(chunked("/body_size", "2dc6c0\r\n" + large + "\r\n0\r\n\r\n").body == "3000000 none\n");
    for (const char* bad : {"x\r\n", "3\r\nabcd\r\n", "-1\r\n", "3 \r\nabc\r\n", "3\nabc\r\n", "0\r\n\r"}) {
        CAPTURE(bad);
        Client client(server.port());
        client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(bad));
        client.half_close();
        CHECK(Reply(client).status == 400);
    }
    CHECK(chunked("/echo", "6400001\r\n").status == 413);  // one byte over 100 MiB
    CHECK(server.err() == "");
}

TEST_CASE("step_h: MAX_BODY sets the largest body, in MiB") {
    Server small(pages().with("MAX_BODY", "1"));
    const std::string head = "POST /body_size HTTP/1.1\r\nHost: h\r\n";
    CHECK(post(small, "/body_size", std::string(1 << 20, 'x')).body == "1048576 1048576\n");
    CHECK(ask(small, head + "Content-Length: 1048577\r\n\r\n").status == 413);
    CHECK(ask(small, head + "Transfer-Encoding: chunked\r\n\r\n100001\r\n").status == 413);
    Server large(pages().with("MAX_BODY", "200"));
    Client client(large.port());
    client.send(head + "Content-Length: 209715200\r\nExpect: 100-continue\r\n\r\n");
    CHECK(client.receive(25) == "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(ask(large, head + "Content-Length: 209715201\r\n\r\n").status == 413);
}

TEST_CASE("step_h: the application can read the first part of a body before the rest arrives") {
    Server server(pages());
    INFO(server.describe());
    Client client(server.port());
    client.send("POST /body_first HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nab");
    CHECK_EVENTUALLY(server, server.err() == "read ab\n");
    client.send("cdef");
    CHECK(Reply(client).body == "cdef");
}

TEST_CASE("step_h: the application's other threads run while it waits for its client") {
    Server server(pages());
    INFO(server.describe());
    Client client(server.port());
    client.send("POST /body_and_thread HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
    CHECK_EVENTUALLY(server, server.err() == "a thread runs\n");
    client.send("abc");
    CHECK(Reply(client).body == "abc");
}

TEST_CASE("step_h: an incomplete body raises an exception in the application, and the client gets 400") {
    Server server(pages());
    INFO(server.describe());
    for (const char* framing : {"Content-Length: 6\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n6\r\nab"}) {
        Client client(server.port());
        client.send(std::string("POST /body_error HTTP/1.1\r\nHost: h\r\n") + framing);
        client.half_close();
        CHECK(Reply(client).status == 400);
    }
    CHECK(server.err() == "read: the body breaks off\nread: the body breaks off\n");
}

TEST_CASE("step_h: sends 100 Continue when the client waits for it and the application reads") {
    Server server(pages());
    INFO(server.describe());
    const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";
    const std::string head = "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ";
    Client client(server.port());
    client.send(head + "3\r\n\r\n");
    CHECK(client.receive(interim.size()) == interim);
    client.send("abc");
    CHECK(Reply(client).body == "abc");
    CHECK(ask(server, head + "3\r\n\r\nabc").text.starts_with("HTTP/1.1 200"));  // it did not wait for 100
    CHECK(ask(server, head + "999999999\r\n\r\n").status == 413);
    CHECK(ask(server, head + "0\r\n\r\n").status == 200);
    CHECK(ask(server, "POST /body_unread HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
              .body == "unread\n");
}

TEST_CASE("step_h: a client whose body is not read gets its response and a clean end") {
    Server server(pages());
    INFO(server.describe());
    for (const char* target : {"/body_unread", "/failing"}) {
        const Reply reply = post(server, target, std::string(3'000'000, 'x'));
        CHECK(reply.status == (std::string(target) == "/failing" ? 500 : 200));
        CHECK_FALSE(reply.was_reset);
    }
}

TEST_CASE("step_h: a client that sends more than its request sees a clean end") {
    Server server(hello());
    INFO(server.describe());
    const Reply reply = ask(server, std::string(REQUEST) + std::string(300'000, 'x'));
    CHECK(reply.body == "Hello, World!\n");
    CHECK_FALSE(reply.was_reset);
}

TEST_CASE("step_h: answers a client that has closed its sending half") {
    Server server(hello());
    INFO(server.describe());
    Client client(server.port());
    client.ask();
    client.half_close();
    CHECK(Reply(client).body == "Hello, World!\n");
}

TEST_CASE("step_h: closes the iterable when the client disconnects during its response, and the worker goes on") {
    for (const bool is_reset : {false, true}) {
        Server server(pages().with("MAX_CLIENTS", "1"));
        INFO(server.describe());
        Client client(server.port());
        client.send("GET /closing?endless HTTP/1.1\r\nHost: h\r\n\r\n");
        client.receive(100'000);
        if (is_reset) client.reset();
        else client.close();
        CHECK_EVENTUALLY(server, server.err() == "closed\n");
        CHECK(get(server, "/hello").status == 200);
        CHECK_EVENTUALLY(server, server.out().find("\"GET /closing?endless HTTP/1.1\" 200 ") != std::string::npos);
        CHECK(server.err() == "closed\n");
    }
}
