// step_h when system calls fail, each in turn, in the parent and in its workers. A library that is loaded before the C
// library (LD_PRELOAD) makes them fail; unlike a tracer, it is available wherever the tests run.
#include <signal.h>

#include <cerrno>
#include <string>
#include <vector>

#include "../tools/harness/client.hpp"
#include "../tools/harness/program.hpp"
#include "../tools/harness/server.hpp"
#include "step_h.hpp"
#include "support.hpp"

using namespace step_h;

namespace {

/// `server`, whose first `times` calls of `call` fail with `error` at `place` (tests/preload/faults.cpp).
Program with_fault(const Program& server, const std::string& place, const std::string& call, int error, int times) {
    return server.with("LD_PRELOAD", folder("BUILD", "build/") + "tests/preload/faults.so")
        .with("ASAN_OPTIONS", "detect_leaks=0:verify_asan_link_order=0")
        .with("FAULT", place + ':' + call + ':' + std::to_string(error) + ':' + std::to_string(times));
}

struct Case {
    std::string call;
    std::vector<int> errors;
};

}  // namespace

TEST_CASE("step_h: goes on when a system call of the parent's loop fails") {
    const Case cases[] = {{"fork", {EAGAIN, ENOMEM}},
                          {"poll", {EINTR, ENOMEM}},
                          {"read", {EAGAIN, EINTR}},
                          {"waitpid", {EINTR, ECHILD}},
                          {"setsockopt", {ENOMEM}}};
    for (const Case& test : cases) {
        for (const int error : test.errors) {
            CAPTURE(test.call);
            CAPTURE(error);
            Server server(with_fault(pages().with("MAX_CLIENTS", "3"), "parent", test.call, error, 3));
            INFO(server.describe());
            for (int i = 0; i < 3; ++i) {
                CHECK(get(server, "/hello").status == 200);
                get(server, "/crash?abort");
            }
            CHECK_EVENTUALLY(server, idle_workers(server) >= 2 && server.zombies().empty());
            CHECK(get(server, "/hello").status == 200);
            CHECK(count_in(server.err(), "step_h: fork: ") == (test.call == "fork" ? 1 : 0));
            server.signal(SIGTERM);
            CHECK(server.until_ended());
            CHECK(server.fate() == "exited with 0");
        }
    }
}

TEST_CASE("step_h: fails at most two clients when two system calls of a worker fail") {
    const Case cases[] = {{"setpgid", {EPERM}},
                          {"prctl", {EINVAL}},
                          {"open", {EMFILE}},
                          {"dup2", {EBUSY}},
                          {"accept", {ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTO, EINTR, EAGAIN, EPERM}},
                          {"fcntl", {EINVAL}},
                          {"getpeername", {ENOTCONN}},
                          {"getsockname", {ENOBUFS}},
                          {"poll", {EINTR, ENOMEM}},
                          {"recv", {ECONNRESET, EINTR, EAGAIN, ETIMEDOUT}},
                          {"sendmsg", {ECONNRESET, EPIPE, EINTR, ENOBUFS}},
                          {"write", {EIO, EINTR, EAGAIN}},
                          {"shutdown", {ENOTCONN}},
                          {"close", {EINTR, EIO}},
                          {"sendfile", {EIO, EINTR, ECONNRESET}},
                          {"pthread_create", {EAGAIN}}};
    for (const Case& test : cases) {
        for (const int error : test.errors) {
            CAPTURE(test.call);
            CAPTURE(error);
            Server server(with_fault(pages().with("MAX_CLIENTS", "3"), "worker", test.call, error, 2));
            INFO(server.describe());
            int failed = 0;
            for (int i = 0; i < 8; ++i) {
                const Reply reply = get(server, test.call == "sendfile" ? "/file?LICENSE" : "/hello");
                failed += reply.status != 200 || reply.was_reset;
            }
            CHECK(failed <= 2);
            CHECK_EVENTUALLY(server, idle_workers(server) >= 2 && server.zombies().empty());
            server.signal(SIGTERM);
            CHECK(server.until_ended());
            CHECK(server.fate() == "exited with 0");
        }
    }
}

TEST_CASE("step_h: exits with 0 when a system call fails while it stops") {
    for (const std::string call : {"setsockopt", "shutdown", "poll", "kill", "close", "waitpid", "read"}) {
        CAPTURE(call);
        Server server(with_fault(pages().with("GRACE", "0.3"), "stop", call, EINTR, 1));
        INFO(server.describe());
        Client client(server.port());
        client.send("GET /hang?sleep HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK_EVENTUALLY(server, server.err().find("pid") != std::string::npos);
        server.signal(SIGTERM);
        CHECK(server.until_ended());
        CHECK(server.fate() == "exited with 0");
    }
}
