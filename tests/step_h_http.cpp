// step_h between its client and its application: what each of them sends, and what the other gets.

#include <iterator>
#include <string>
#include <vector>

#include "../tools/harness/client.hpp"
#include "../tools/harness/server.hpp"
#include "step_h.hpp"
#include "support.hpp"

using namespace step_h;

TEST_CASE("what is malformed, too large or unknown gets its status, a clean end, and no application") {
    Server server(script("touch /dev/null; echo started >&2"));
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
        {with_field("Transfer-Encoding: chunked"), 411},
        {with_field("Content-Length: 104857601"), 413},
        {"GET /" + std::string(60'000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
        {with_field("Expect: more"), 417},
        {with_field("A: " + std::string(60'000, 'x')), 431},
        {"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 501},
        {with_field("Transfer-Encoding: gzip"), 501},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
    };
    for (const Case& one : cases) {
        CAPTURE(one.request.substr(0, 80));
        Client client(server.port());
        client.send(one.request);
        client.half_close();
        const Reply reply(client);
        CHECK(reply.status == one.status);
        CHECK(reply.body.starts_with(std::to_string(one.status) + ' '));
        CHECK_FALSE(reply.was_reset);
    }
    CHECK(server.err() == "");
    CHECK(count_in(server.out(), "\n") == 1 + std::size(cases));
}

TEST_CASE("a client that leaves without a word is not worth a line") {
    Server server(hello());
    INFO(server.describe());
    { Client client(server.port()); }
    get(server);
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK(count_in(server.out(), "\n") == 2);
    CHECK(server.err() == "");
}

TEST_CASE("HEAD gets the header and no body") {
    Server server(script(PLAIN + "echo $REQUEST_METHOD"));
    INFO(server.describe());
    const Reply reply = ask(server, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(reply.status == 200);
    CHECK(reply.body == "");
    const Reply error = ask(server, "HEAD / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n");
    CHECK(error.status == 417);
    CHECK(error.body == "");
    CHECK(server.err() == "");
}

TEST_CASE("any method is the application's to know; HTTP/1.0 is served; an absolute target is understood") {
    Server server(script(PLAIN + "echo $REQUEST_METHOD $PATH_INFO $HTTP_HOST $SERVER_PROTOCOL"));
    INFO(server.describe());
    CHECK(ask(server, "BREW /pot HTTP/1.0\r\n\r\n").body == "BREW /pot HTTP/1.0\n");
    CHECK(ask(server, "GET http://there:1/a HTTP/1.1\r\nHost: here\r\n\r\n").body == "GET /a there:1 HTTP/1.1\n");
    CHECK(ask(server, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").body == "OPTIONS h HTTP/1.1\n");
}

TEST_CASE("the body goes to stdin, which ends with it") {
    Server server(script(PLAIN + "echo $CONTENT_LENGTH; cat; echo -n .; cat"));
    INFO(server.describe());
    CHECK(post(server, "/", "abc").body == "3\nabc.");
    CHECK(post(server, "/", "").body == "0\n.");
    CHECK(get(server).body == "\n.");
    CHECK(ask(server, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc, and more than was said").body ==
          "3\nabc.");
    const std::string all_bytes = [] {
        std::string text;
        for (int i = 0; i < 256; ++i) text += static_cast<char>(i);
        return text;
    }();
    CHECK(post(server, "/", all_bytes).body == "256\n" + all_bytes + '.');
}

TEST_CASE("a body that comes in pieces, the first of them with the head") {
    Server server(script(PLAIN + "cat"));
    INFO(server.describe());
    Client client(server.port());
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nab");
    client.send("cd");
    CHECK_FALSE(client.has_ended());
    client.send("ef");
    CHECK(Reply(client).body == "abcdef");
}

TEST_CASE("a body that breaks off: 400, and the application is killed") {
    Server server(script("echo pid $$ >&2; cat >/dev/null; sleep 600"));
    INFO(server.describe());
    Client client(server.port());
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nab");
    CHECK_EVENTUALLY(server, server.err().ends_with("\n"));
    client.half_close();
    CHECK(Reply(client).status == 400);
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK_FALSE(is_running(told(server.err(), "pid")));
}

TEST_CASE("100 Continue, when the client waits for it, and not before it is certain that the body is wanted") {
    Server server(script(PLAIN + "cat"));
    INFO(server.describe());
    const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";
    const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ";
    Client client(server.port());
    client.send(head + "3\r\n\r\n");
    CHECK(client.receive(interim.size()) == interim);
    client.send("abc");
    CHECK(Reply(client).body == "abc");
    CHECK(ask(server, head + "3\r\n\r\nabc").status == 200);  // has not waited
    CHECK(ask(server, head + "999999999\r\n\r\n").status == 413);
    CHECK(ask(server, head + "0\r\n\r\n").status == 200);
}

TEST_CASE("an application that writes before it has read everything, and one that never reads") {
    const std::string body(3'000'000, 'x');
    Server echo(script(PLAIN + "cat"));
    INFO(echo.describe());
    CHECK(post(echo, "/", body).body == body);  // sends all before it receives: more than all buffers between hold
    Server deaf(script(PLAIN + "exec <&-; echo page"));
    const Reply reply = post(deaf, "/", body);
    CHECK(reply.body == "page\n");
    CHECK_FALSE(reply.was_reset);
    Server careless(script(PLAIN + "echo page"));
    const Reply unread = post(careless, "/", body);
    CHECK(unread.body == "page\n");
    CHECK_FALSE(unread.was_reset);
    CHECK(careless.err() == "");
}

TEST_CASE("with the application's Content-Length, no more is sent than it says, and the end need not be waited for") {
    Server server(script("printf 'Content-Type: a\\nContent-Length: 3\\n\\nabcdef'; exec sleep 600"));
    INFO(server.describe());
    const Reply reply = get(server);
    CHECK(reply.head.find("\r\nContent-Length: 3\r\n") != std::string::npos);
    CHECK(reply.body == "abc");
    CHECK_FALSE(reply.was_reset);
}

TEST_CASE("an answer that breaks off is not taken for whole: the client sees a reset") {
    for (const std::string& text : {PLAIN + "echo begun; kill -9 $$", std::string("printf 'Content-Type: a\\n"
                                                                                  "Content-Length: 9\\n\\nabc'")}) {
        CAPTURE(text);
        Server server(script(text));
        INFO(server.describe());
        const Reply reply = get(server);
        CHECK(reply.status == 200);
        CHECK(reply.was_reset);
        CHECK_EVENTUALLY(server, server.is_quiet());
        CHECK(count_in(server.err(), "step_h: application ") == 1);
    }
}

TEST_CASE("Status, Location and the rest are passed on") {
    Server server(
        script("printf 'Status: 404 Not Here\\nContent-Type: text/html\\nSet-Cookie: a\\nSet-Cookie: b\\n\\nx'"));
    INFO(server.describe());
    const Reply reply = get(server);
    CHECK(reply.head.starts_with(
        "HTTP/1.1 404 Not Here\r\nContent-Type: text/html\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nDate: "));
    CHECK(reply.head.ends_with("\r\nConnection: close\r\n\r\n"));
    Server redirect(script("printf 'Location: /there\\n\\n'"));
    CHECK(get(redirect).head.starts_with("HTTP/1.1 302 Found\r\nLocation: /there\r\n"));
}

TEST_CASE("an application that fails: 502 or 500 for its client, a line with its fate on stderr") {
    struct Case {
        std::vector<std::string> command;
        int status;
        std::string line;
    };
    const Case cases[] = {
        {{"true"}, 502, "exited with status 0: no valid header"},
        {{"false"}, 502, "exited with status 1: no valid header"},
        {{"sh", "-c", "echo '<html>'"}, 502, "exited with status 0: no valid header: header line without a colon"},
        {{"sh", "-c", "echo A: b; echo; exit 3"}, 502, "exited with status 3: no valid header: no Content-Type"},
        {{"sh", "-c", "kill -SEGV $$"}, 502, "was killed by signal 11: no valid header"},
        {{"sh", "-c", PLAIN + "kill -SEGV $$"}, 502, "was killed by signal 11: it crashed"},
        {{"sh", "-c", PLAIN + "echo page; exit 4"}, 200, "exited with status 4"},
        {{"/nonexistent"}, 500, "exited with status 127: cannot start /nonexistent: No such file or directory"},
        {{"/dev/null"}, 500, "exited with status 127: cannot start /dev/null: Permission denied"},
    };
    for (const Case& one : cases) {
        Server server(running(one.command));
        INFO(server.describe());
        CHECK(get(server).status == one.status);
        CHECK_EVENTUALLY(server, server.is_quiet());
        CHECK(server.err().starts_with("step_h: application "));
        CHECK(server.err().ends_with(" " + one.line + '\n'));
        CHECK(count_in(server.err(), "\n") == 1);
    }
}

TEST_CASE("stderr is passed through, line by line, with the pid") {
    Server server(script("echo pid $$ >&2; printf 'one\\n\\033[2Jtwo\\nlast' >&2; " + PLAIN));
    INFO(server.describe());
    CHECK(get(server).status == 200);
    CHECK_EVENTUALLY(server, server.is_quiet());
    const std::string pid = std::to_string(told(server.err(), "pid"));
    CHECK(server.err() == pid + ": pid " + pid + '\n' + pid + ": one\n" + pid + ": ?[2Jtwo\n" + pid + ": last\n");
}

TEST_CASE("a flood of stderr holds nobody up") {
    Server server(script("head -c 300000 /dev/zero | tr '\\0' x >&2; " + PLAIN + "echo page"));
    INFO(server.describe());
    CHECK(get(server).body == "page\n");
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK(count_in(server.err(), "x") == 300'000);
}

TEST_CASE("what the application leaves behind is ended with it") {
    Server server(script(PLAIN + "sleep 600 & echo pid $! >&2; echo page"));
    INFO(server.describe());
    CHECK(get(server).body == "page\n");  // though somebody has its stdout still
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK(told(server.err(), "pid") != 0);
    CHECK_EVENTUALLY(server, !is_running(told(server.err(), "pid")));
}

TEST_CASE("an application that works on when its answer is out keeps nobody waiting") {
    Server server(script("printf 'Content-Type: a\\nContent-Length: 4\\n\\npage'; exec sleep 600"));
    INFO(server.describe());
    CHECK(get(server).body == "page");
    CHECK(server.children().size() == 2);  // the one for the client, and the application
}

TEST_CASE("a client that has reset its connection: the application is killed, with its group") {
    Server server(script("echo pid $$ >&2; sleep 600 & echo child $! >&2; wait"));
    INFO(server.describe());
    Client client(server.port());
    client.ask();
    CHECK_EVENTUALLY(server, server.err().find("child") != std::string::npos);
    client.reset();
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK_EVENTUALLY(server, !is_running(told(server.err(), "pid")) && !is_running(told(server.err(), "child")));
    CHECK(server.out().find("\" 499 - ") != std::string::npos);
    CHECK(count_in(server.err(), "\n") == 2);
}

TEST_CASE("a client that closes in the middle of its answer: the application is killed") {
    Server server(script(PLAIN + "echo pid $$ >&2; exec cat /dev/zero"));
    INFO(server.describe());
    Client client(server.port());
    client.ask();
    client.receive(100'000);
    client.close();
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK_FALSE(is_running(told(server.err(), "pid")));
}

TEST_CASE("a client that has closed its half alone is still answered") {
    Server server(script(PLAIN + "read line; echo page"));
    INFO(server.describe());
    Client client(server.port());
    client.ask();
    client.half_close();
    CHECK(Reply(client).body == "page\n");
}

TEST_CASE("a client that sends more than its request sees a clean end") {
    Server server(hello());
    INFO(server.describe());
    const Reply reply = ask(server, std::string(REQUEST) + std::string(300'000, 'x'));
    CHECK(reply.body == "Hello, World!\n");
    CHECK_FALSE(reply.was_reset);
}
