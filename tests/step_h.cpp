// step_h: the child becomes the application. Its column of the table of behaviours, then what is its own.
#include "step_h.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdlib>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "../tools/harness/program.hpp"
#include "../tools/harness/server.hpp"
#include "support.hpp"

using namespace step_h;

TEST_CASE("step_h: its column of the table of behaviours") { check_column(hello()); }

TEST_CASE("no command, or a bad setting: one line, exit 2") {
    const Ended alone(built("step_h").with("PORT", "0"));
    CHECK(alone.err == "step_h: usage: step_h COMMAND [ARG...]\n");
    CHECK(alone.out == "");
    CHECK(alone.fate == "exited with 2");
    const std::pair<const char*, const char*> settings[] = {
        {"PORT", "a whole number from 0 to 65535"},   {"MAX_CLIENTS", "a whole number from 0 to 65535"},
        {"TIMEOUT", "a number from 0 to 1000000000"}, {"APP_TIMEOUT", "a number from 0 to 1000000000"},
        {"GRACE", "a number from 0 to 1000000000"},
    };
    for (const auto& [name, must] : settings) {
        for (const std::string bad : {"", "abc", "-1", " 1", "1e99", "70000x"}) {
            const Ended server(hello().with("PORT", "0").with(name, bad));
            CHECK(server.err == std::string("step_h: ") + name + " must be " + must + ", got \"" + bad + "\"\n");
            CHECK(server.out == "");
            CHECK(server.fate == "exited with 2");
        }
    }
    const Ended nowhere(hello().with("HOST", "localhost"));
    CHECK(nowhere.err == "step_h: HOST must be an IPv4 address, got \"localhost\"\n");
    CHECK(nowhere.fate == "exited with 2");
}

TEST_CASE("an error of its own: one line, exit 1") {
    Server first(hello());
    const Ended second(hello().with("PORT", std::to_string(first.port())));
    CHECK(second.err == "step_h: bind: Address already in use\n");
    CHECK(second.fate == "exited with 1");
    Program full = hello().with("PORT", "0");
    full.command.insert(full.command.begin(), {"sh", "-c", "exec \"$0\" \"$@\" >/dev/full"});
    const Ended third(full);
    CHECK(third.err == "step_h: write: No space left on device\n");
    CHECK(third.fate == "exited with 1");
}

TEST_CASE("the first line names the true port, once it listens") {
    Server server(hello());
    CHECK_EVENTUALLY(server, server.out() == "Serving HTTP on port " + std::to_string(server.port()) + " ...\n");
}

TEST_CASE("a line for each request, in the combined log format") {
    Server server(hello());
    INFO(server.describe());
    get(server, "/a?b=c", "Referer: http://h/\"x\\\r\nUser-Agent: \xc3\xa9\tx\r\n");
    ask(server, "junk\r\n");
    std::string log = server.out();
    log.erase(0, log.find('\n') + 1);
    const std::size_t first = log.find(']');
    REQUIRE(first != std::string::npos);
    CHECK(log.starts_with("127.0.0.1 - - ["));
    CHECK(first == std::string("127.0.0.1 - - [22/Nov/2026:03:51:05 +0000]").size() - 1);
    CHECK(log.substr(first, log.find('\n') - first) ==
          "] \"GET /a?b=c HTTP/1.1\" 200 14 \"http://h/\\\"x\\\\\" \"\\xc3\\xa9\\x09x\"");
    CHECK(log.substr(log.find('\n') + 1).ends_with("] \"junk\" 400 16 \"-\" \"-\"\n"));
    CHECK(count_in(log, "\n") == 2);
}

TEST_CASE("a client cannot write lines of its own into the log, or one too long to be whole") {
    Server server(hello());
    INFO(server.describe());
    get(server, "/" + std::string(8000, '"'),
        "User-Agent: " + std::string(9000, '\xff') + "\r\nReferer: " + std::string(9000, '"') + "\r\n");
    ask(server, "GET /\x1b[2J\r127.0.0.1 HTTP/1.1\r\n");
    std::string log = server.out();
    log.erase(0, log.find('\n') + 1);
    CHECK(count_in(log, "\n") == 2);
    CHECK(log.find('\n') < 4096);
    CHECK(log.find('\x1b') == std::string::npos);
    CHECK(log.find("GET /\\x1b") != std::string::npos);
}

TEST_CASE("the application has no descriptor but 0, 1 and 2, whoever left one open") {
    Program server_with_more = script(PLAIN + "ls /proc/$$/fd");
    std::vector<std::string>& command = server_with_more.command;
    command.insert(command.begin(), {"sh", "-c", "exec \"$0\" \"$@\" 7</dev/null 9>/dev/null"});
    Server server(server_with_more);
    INFO(server.describe());
    CHECK(get(server).body == "0\n1\n2\n");
}

TEST_CASE("started without stdin, stdout or stderr: no socket takes their place") {
    Program closed = script(PLAIN + "ls /proc/$$/fd");
    std::vector<std::string>& command = closed.command;
    command.insert(command.begin(), {"sh", "-c", "exec \"$0\" \"$@\" <&- 2>&-"});
    Server server(closed);
    INFO(server.describe());
    CHECK(get(server).body == "0\n1\n2\n");
}

TEST_CASE("the application has its default signals, in a process group of its own") {
    Server server(script(PLAIN + "echo $(cut -d' ' -f5 /proc/$$/stat) $$; cat /proc/self/status"));
    INFO(server.describe());
    const Reply reply = get(server);
    CAPTURE(reply.body);
    pid_t group = 0, pid = 0;
    std::istringstream(reply.body) >> group >> pid;
    CHECK(group == pid);
    CHECK(pid != 0);
    for (const std::string set : {"SigBlk", "SigIgn", "SigCgt"}) {
        const std::size_t at = reply.body.find(set + ":\t");
        REQUIRE(at != std::string::npos);
        const unsigned long long signals = std::strtoull(reply.body.c_str() + at + set.size() + 1, nullptr, 16);
        CHECK((signals & 0x7fffffff) == 0);  // 32 and 33 are the C library's own
    }
}

TEST_CASE("the application's environment is the request, and little else; HTTP_PROXY is nobody's to set") {
    Server server(script(PLAIN + "env").with("SECRET", "x").with("HTTP_PROXY", "x"));
    INFO(server.describe());
    const Reply reply = get(server, "/a%20b?c", "Proxy: http://evil\r\nX-A: b\r\nX-A: c\r\n");
    for (const char* line : {"REQUEST_METHOD=GET\n", "PATH_INFO=/a b\n", "QUERY_STRING=c\n", "REMOTE_ADDR=127.0.0.1\n",
                             "SERVER_NAME=localhost\n", "HTTP_X_A=b, c\n", "GATEWAY_INTERFACE=CGI/1.1\n"}) {
        CAPTURE(line);
        CHECK(reply.body.find(line) != std::string::npos);
    }
    CHECK(reply.body.find("SERVER_PORT=" + std::to_string(server.port()) + "\n") != std::string::npos);
    CHECK(reply.body.find("PROXY") == std::string::npos);
    CHECK(reply.body.find("SECRET") == std::string::npos);
}

TEST_CASE("the request is never part of a command") {
    Server server(running({"step_h_wsgi/hello.sh"}));
    INFO(server.describe());
    for (const char* target : {"/;touch$IFS/tmp/x", "/`id`", "/$(id)", "/?-s", "/?;id", "/'\"|&id"}) {
        CAPTURE(target);
        const Reply reply = get(server, target, "User-Agent: () { :;}; echo; id\r\nX: `id`\r\n");
        CHECK(reply.body == "Hello, World!\n");
    }
    CHECK(server.err() == "");
}

TEST_CASE("curl's requests are answered") {
    Server server(script(PLAIN + "echo $REQUEST_METHOD $PATH_INFO $CONTENT_TYPE; cat"));
    INFO(server.describe());
    const std::string url = "http://localhost:" + std::to_string(server.port());
    const auto curl = [](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*"});
        return Ended(Program{arguments});
    };
    CHECK(curl({url + "/a"}).out == "GET /a\n");
    CHECK(curl({"-d", "a=b", url + "/a%20b"}).out == "POST /a b application/x-www-form-urlencoded\na=b");
    CHECK(curl({"-X", "PURGE", url + "/"}).out == "PURGE /\n");
    const Ended head = curl({"-I", url + "/"});
    CHECK(head.fate == "exited with 0");
    CHECK(head.out.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"));
    const Ended proxied = curl({"--noproxy", "", "-x", url, "http://example.org/there"});
    CHECK(proxied.out == "GET /there\n");
    const Ended posted = curl({"-T", "step_h_wsgi/README.md", "-H", "Expect: 100-continue", url + "/"});
    CHECK(posted.fate == "exited with 0");
    CHECK(posted.out.starts_with("PUT /README.md\n# "));
}
