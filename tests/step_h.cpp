// step_h: its column of the table of behaviours, its settings, its log, and the state of a worker process.
#include "step_h.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../tools/harness/program.hpp"
#include "../tools/harness/server.hpp"
#include "support.hpp"

using namespace step_h;

TEST_CASE("step_h: has the behaviours of its column in the table") {
    for (const Behaviour& row : behaviours()) {
        CAPTURE(row.name);
        CHECK(find(row, hello()) == row.expected[STEPS.find('h')]);
    }
}

TEST_CASE("step_h: a missing application or a bad setting gives one line and exit status 2") {
    for (const char* application : {"", "module", ":callable", "module:"}) {
        const Ended server(running(application).with("PORT", "0"));
        CHECK(server.err == "step_h: usage: step_h MODULE:CALLABLE\n");
        CHECK(server.out == "");
        CHECK(server.fate == "exited with 2");
    }
    CHECK(Ended(built("step_h")).fate == "exited with 2");
    const std::pair<const char*, const char*> settings[] = {
        {"PORT", "a whole number from 0 to 65535"},   {"MAX_CLIENTS", "a whole number from 0 to 65535"},
        {"TIMEOUT", "a number from 0 to 1000000000"}, {"APP_TIMEOUT", "a number from 0 to 1000000000"},
        {"GRACE", "a number from 0 to 1000000000"},   {"MAX_BODY", "a whole number from 0 to 1000000"},
    };
    for (const auto& [name, must] : settings) {
        for (const std::string bad : {"", "abc", "-1", " 1", "1e99", "70000x"}) {
            const Ended server(hello().with("PORT", "0").with(name, bad));
            CHECK(server.err == std::string("step_h: ") + name + " must be " + must + ", got \"" + bad + "\"\n");
            CHECK(server.out == "");
            CHECK(server.fate == "exited with 2");
        }
    }
    CHECK(Ended(hello().with("MAX_CLIENTS", "0")).err == "step_h: MAX_CLIENTS must be at least 1, got \"0\"\n");
    const Ended nowhere(hello().with("HOST", "localhost"));
    CHECK(nowhere.err == "step_h: HOST must be an IPv4 address, got \"localhost\"\n");
    CHECK(nowhere.fate == "exited with 2");
}

TEST_CASE("step_h: a failed bind or write gives one line and exit status 1") {
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

TEST_CASE("step_h: exits with 1 before it binds when the application cannot be imported") {
    Server first(hello());  // uses the port: bind would fail before the import does
    const std::pair<const char*, const char*> cases[] = {
        {"nowhere:application", "ModuleNotFoundError: No module named 'nowhere'\n"},
        {"broken:application", "LookupError: on purpose\n"},
        {"pages:absent", "AttributeError: module 'pages' has no attribute 'absent'\n"},
        {"pages:PLAIN", "TypeError: pages:PLAIN is not callable\n"},
        {"pages:sys.exit.nothing", "AttributeError: 'builtin_function_or_method' object has no attribute 'nothing'\n"},
    };
    for (const auto& [application, error] : cases) {
        const Ended server(running(application).with("PORT", std::to_string(first.port())));
        if (!std::string(application).starts_with("pages")) {
            CHECK(server.err.starts_with("Traceback (most recent call last):\n"));
        }
        CHECK(server.err.ends_with(error + std::string("step_h: cannot import ") + application + '\n'));
        CHECK(server.out == "");
        CHECK(server.fate == "exited with 1");
    }
}

TEST_CASE("step_h: Ctrl-C ends the import, and the traceback shows where") {
    const Ended server(running("interrupted:application").with("PORT", "0"));
    CHECK(server.err.find("interrupted.py\", line 6, in <module>\n") != std::string::npos);
    CHECK(server.err.ends_with("KeyboardInterrupt\nstep_h: cannot import interrupted:application\n"));
    CHECK(server.fate == "exited with 1");
}

TEST_CASE("step_h: the first line names the port that the server listens on") {
    Server server(hello());
    CHECK_EVENTUALLY(server, server.out() == "Serving HTTP on port " + std::to_string(server.port()) + " ...\n");
}

TEST_CASE("step_h: prints a line for each request, in the combined log format") {
    Server server(hello());
    INFO(server.describe());
    get(server, "/a?b=c", "Referer: http://h/\"x\\\r\nUser-Agent: \xc3\xa9\tx\r\n");
    ask(server, "junk\r\n");
    CHECK_EVENTUALLY(server, count_in(server.out(), "\n") == 3);
    std::string log = server.out();
    log.erase(0, log.find('\n') + 1);
    const std::size_t first = log.find(']');
    REQUIRE(first != std::string::npos);
    CHECK(log.starts_with("127.0.0.1 - - ["));
    CHECK(first == std::string("127.0.0.1 - - [22/Nov/2026:03:51:05 +0000]").size() - 1);
    CHECK(log.substr(first, log.find('\n') - first) ==
          "] \"GET /a?b=c HTTP/1.1\" 200 14 \"http://h/\\\"x\\\\\" \"\\xc3\\xa9\\x09x\"");
    CHECK(log.substr(log.find('\n') + 1).ends_with("] \"junk\" 400 16 \"-\" \"-\"\n"));
}

TEST_CASE("step_h: a client can neither add lines to the log nor make one longer than 4096 bytes") {
    Server server(hello());
    INFO(server.describe());
    get(server, "/" + std::string(8000, '"'),
        "User-Agent: " + std::string(9000, '\xff') + "\r\nReferer: " + std::string(9000, '"') + "\r\n");
    ask(server, "GET /\x1b[2J\r127.0.0.1 HTTP/1.1\r\n");
    CHECK_EVENTUALLY(server, count_in(server.out(), "\n") == 3);
    std::string log = server.out();
    log.erase(0, log.find('\n') + 1);
    CHECK(log.find('\n') < 4096);
    CHECK(log.find('\x1b') == std::string::npos);
    CHECK(log.find("GET /\\x1b") != std::string::npos);
}

TEST_CASE("step_h: a worker has default signal handling, its own process group, and /dev/null as stdin") {
    Server server(running("at_import:application"));
    INFO(server.describe());
    const Reply reply = get(server);
    CAPTURE(reply.text);
    const pid_t pid = number_after(reply.body, "pid");
    CHECK(pid != 0);
    CHECK(number_after(reply.body, "group") == pid);
    CHECK(number_after(reply.body, "parent") == server.pid());
    CHECK(reply.body.find("SIGCHLD <Handlers.SIG_DFL: 0> SIGTERM <Handlers.SIG_DFL: 0>\n") != std::string::npos);
    CHECK(reply.body.find("stdin /dev/null\n") != std::string::npos);
    const auto signals_in = [&](const std::string& set) {
        const std::size_t at = reply.body.find(set + ":\t");
        REQUIRE(at != std::string::npos);
        return std::strtoull(reply.body.c_str() + at + set.size() + 1, nullptr, 16) & 0x7fffffff;  // 32 and 33: libc's
    };
    CHECK(signals_in("SigBlk") == 0);
    // faulthandler or a sanitizer may handle the signals of faults.
    const unsigned long long faults = 1U << 3 | 1U << 5 | 1U << 6 | 1U << 7 | 1U << 10;  // ILL, ABRT, BUS, FPE, SEGV
    CHECK((signals_in("SigCgt") & ~faults) == 0);
    CHECK(signals_in("SigIgn") == (1U << 12 | 1U << 24));  // SIGPIPE and SIGXFSZ, which Python ignores
}

TEST_CASE("step_h: a worker inherits no threads, no unwritten output and no exit functions of the import") {
    Server server(running("at_import:application"));
    INFO(server.describe());
    const pid_t worker = number_after(get(server).body, "pid");
    CHECK(get(server).body.find("threads 1 ") != std::string::npos);
    CHECK(count_in(server.out(), "imported\n") == 1);
    CHECK(server.err() == "");
    server.signal(SIGTERM);
    CHECK(server.until_ended());
    CHECK(server.fate() == "exited with 0");
    CHECK(count_in(server.err(), "exit function of the import") == 1);
    CHECK(server.err().find("exit function of the import, in pid " + std::to_string(server.pid()) + '\n') !=
          std::string::npos);
    CHECK(server.err().find("exit function of a request, in pid " + std::to_string(worker) + '\n') !=
          std::string::npos);
}

TEST_CASE("step_h: imports the application once, before the fork, and sets sys.argv and sys.executable") {
    Server server(pages());
    INFO(server.describe());
    for (int i = 0; i < 4; ++i) {
        const Reply reply = get(server, "/process");
        CAPTURE(reply.text);
        CHECK(number_after(reply.body, "imported in") == server.pid());
        CHECK(reply.body.find("argv ['step_h'] executable /") != std::string::npos);
    }
}

TEST_CASE("step_h: gives the application /dev/null as stdin when it starts with stdin and stderr closed") {
    Program closed = pages();
    closed.command.insert(closed.command.begin(), {"sh", "-c", "exec \"$0\" \"$@\" <&- 2>&-"});
    Server server(closed);
    INFO(server.describe());
    CHECK(get(server, "/process").body.find("stdin /dev/null\n") != std::string::npos);
}

TEST_CASE("step_h: the application's output appears at once") {
    Server server(pages());
    INFO(server.describe());
    CHECK(get(server, "/prints").body == "printed\n");
    CHECK_EVENTUALLY(server, count_in(server.out(), "printed\n") == 1);
    CHECK(server.err() == "said\n");
}

TEST_CASE("step_h: a program that the application executes inherits no socket") {
    Server server(pages());
    INFO(server.describe());
    const Reply reply = get(server, "/executes");
    CAPTURE(reply.body);
    CHECK(reply.body.find("0 -> /dev/null\n") != std::string::npos);
    CHECK(reply.body.find("socket") == std::string::npos);
}

TEST_CASE("step_h: answers curl's requests") {
    Server server(pages());
    INFO(server.describe());
    const std::string url = "http://localhost:" + std::to_string(server.port());
    const auto curl = [](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*"});
        return Ended(Program{arguments});
    };
    CHECK(curl({url + "/hello"}).out == "Hello, World!\n");
    CHECK(curl({"-d", "a=b", url + "/echo"}).out == "a=b");
    const Ended head = curl({"-I", url + "/hello"});
    CHECK(head.fate == "exited with 0");
    CHECK(head.out.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"));
    CHECK(curl({"--noproxy", "", "-x", url, "http://example.org/hello"}).out == "Hello, World!\n");
    const Ended posted = curl({"-T", "README.md", "-H", "Expect: 100-continue", url + "/echo"});
    CHECK(posted.fate == "exited with 0");
    CHECK(posted.out.starts_with("# "));
    CHECK(curl({"-T", "-", "-H", "Transfer-Encoding: chunked", url + "/body_size"}).out == "0 none\n");
}
