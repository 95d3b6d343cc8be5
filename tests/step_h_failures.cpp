// step_h when its application fails: exceptions, crashes, and processes and threads left behind.
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "../tools/harness/client.hpp"
#include "../tools/harness/server.hpp"
#include "../tools/proc/tcp.hpp"
#include "step_h.hpp"
#include "support.hpp"

using namespace step_h;

TEST_CASE("step_h: an exception gives 500 and a traceback on stderr, and the worker goes on") {
    Server server(pages().with("MAX_CLIENTS", "1"));
    INFO(server.describe());
    const pid_t worker = number_after(get(server, "/process").body, "pid");
    const std::pair<const char*, const char*> cases[] = {{"/failing", "RuntimeError: on purpose\n"},
                                                         {"/exiting", "SystemExit: leaving\n"}};
    for (const auto& [target, error] : cases) {
        const Reply reply = get(server, target);
        CHECK(reply.status == 500);
        CHECK(reply.body == "500 Internal Server Error\n");
        CHECK_FALSE(reply.was_reset);
        CHECK(server.err().find("Traceback (most recent call last):\n") != std::string::npos);
        CHECK(server.err().ends_with(error));
    }
    CHECK(number_after(get(server, "/process").body, "pid") == worker);
}

TEST_CASE("step_h: an exception after the first bytes resets the connection") {
    Server server(pages());
    INFO(server.describe());
    for (const char* target : {"/closing?late", "/exc_info_late", "/closing?exit"}) {
        const Reply reply = get(server, target);
        CHECK(reply.status == 200);
        CHECK(reply.body == "begun\n");
        CHECK(reply.was_reset);
    }
}

TEST_CASE("step_h: a worker that crashes loses its own client alone, and is replaced") {
    const std::pair<const char*, std::string> cases[] = {{"abort", " was killed by signal 6\n"},
                                                         {"exit", " exited with status 7\n"},
                                                         {"segv", " was killed by signal 11\n"},
                                                         {"late_kill", " was killed by signal 9\n"}};
    for (const auto& test : cases) {
        const std::string kind = test.first;
        const std::string fate = test.second;
        CAPTURE(kind);
        Server server(pages().with("ASAN_OPTIONS", "detect_leaks=0:handle_segv=0"));
        INFO(server.describe());
        Client other(server.port());
        other.send("GET /hello HTTP/1.1\r\n");
        CHECK_EVENTUALLY(server, idle_workers(server) == 1);  // of two workers
        const Reply reply = get(server, "/crash?" + kind);
        CHECK(reply.status == (kind == "late_kill" ? 200 : 0));
        std::string last_error_line = "step_h: worker ";
        last_error_line.append(std::to_string(number_after(server.err(), "pid"))).append(fate);
        CHECK_EVENTUALLY(server, server.err().ends_with(last_error_line));
        CHECK_EVENTUALLY(server, idle_workers(server) >= 1);
        CHECK(get(server, "/hello").status == 200);
        other.send("Host: h\r\n\r\n");
        CHECK(Reply(other).body == "Hello, World!\n");
        CHECK_EVENTUALLY(server, server.zombies().empty());
    }
}

TEST_CASE("step_h: a signal that the application waits for is delivered to its thread") {
    Server server(pages());
    INFO(server.describe());
    CHECK(get(server, "/signals").body == "signalled\n");
}

TEST_CASE("step_h: replaces workers that exit at once after a tenth of a second, and not faster") {
    Server server(running("dies_at_once:application"));
    INFO(server.describe());
    CHECK_EVENTUALLY(server, count_in(server.err(), "forked at ") >= 5);
    std::vector<double> times;
    const std::string text = server.err();
    for (std::size_t at = 0; (at = text.find("forked at ", at)) != std::string::npos; ++at) {
        times.push_back(std::strtod(text.c_str() + at + 10, nullptr));
    }
    // There are two workers at first. Each is replaced a tenth of a second after its exit.
    for (std::size_t i = 4; i < times.size(); ++i) CHECK(times[i] - times[i - 2] >= 0.09);
    server.signal(SIGTERM);
    CHECK(server.until_ended());
    CHECK(server.fate() == "exited with 0");
}

TEST_CASE("step_h: a process or thread that a request leaves behind keeps no connection open") {
    for (const char* target : {"/forks", "/leaves_thread"}) {
        CAPTURE(target);
        Server server(pages());
        INFO(server.describe());
        const Reply reply = get(server, target);  // returns when the connection ends
        CHECK(reply.status == 200);
        CHECK_FALSE(reply.was_reset);
        CHECK(get(server, "/hello").status == 200);
        server.signal(SIGTERM);
        CHECK(server.until_ended());
        CHECK(server.fate() == "exited with 0");
    }
    Server server(pages());
    INFO(server.describe());
    const Reply late = get(server, "/forks_late");  // reset although a child has a copy of the connection
    CHECK(late.body == "begun\n");
    CHECK(late.was_reset);
}

TEST_CASE("step_h: a child that the application forks does not become a worker") {
    Server server(pages());
    INFO(server.describe());
    CHECK(get(server, "/returns_twice").status == 200);
    CHECK_EVENTUALLY(server, proc::descendants(server.pid()).size() == proc::children(server.pid()).size());
    CHECK(get(server, "/hello").status == 200);
}
