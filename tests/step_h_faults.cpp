// step_h when system calls fail: one call after the other, in the server's own process. A library that is loaded before
// the C library (LD_PRELOAD) makes them fail; unlike a tracer it is there wherever the tests are.
#include <signal.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include "../tools/harness/client.hpp"
#include "../tools/harness/process.hpp"
#include "../tools/harness/program.hpp"
#include "../tools/harness/server.hpp"
#include "step_h.hpp"
#include "support.hpp"

using namespace step_h;

namespace {

/// In whose accept loop the first `times` calls of `call` fail (tests/preload/faults.cpp). It is linked dynamically: no
/// library comes into one that is not.
Program with_fault(Program server, const std::string& call, int error, int times) {
    const std::string preload = folder("BUILD", "build/") + "tests/preload/";
    server.command.front() = preload + "step_h";
    return server.with("LD_PRELOAD", preload + "faults.so")
        .with("ASAN_OPTIONS", "detect_leaks=0:verify_asan_link_order=0")
        .with("FAULT", call + ':' + std::to_string(error) + ':' + std::to_string(times));
}

}  // namespace

TEST_CASE("a stop signal that comes between the check for it and accept is not missed") {
    for (const int number : {SIGTERM, SIGINT}) {
        Process server(with_fault(hello().with("PORT", "0"), "accept", -number, 1));
        CHECK(server.until_ended());
        CHECK(server.fate() == "exited with 0");
    }
}

TEST_CASE("every system call of the accept loop may fail") {
    struct Case {
        std::string call;
        std::vector<int> errors;
    };
    const Case cases[] = {
        {"accept", {ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTO, EINTR, EAGAIN}},
        {"setsockopt", {ENOMEM}},
        {"sigprocmask", {EINVAL}},
        {"fork", {EAGAIN, ENOMEM}},
        {"close", {EINTR, EIO}},
        {"waitpid", {EINTR, ECHILD}},
    };
    for (const Case& one : cases) {
        for (const int error : one.errors) {
            CAPTURE(one.call);
            CAPTURE(error);
            Server server(with_fault(hello(), one.call, error, 3));
            INFO(server.describe());
            for (int i = 0; i < 4; ++i) {
                const int status = get(server).status;
                CHECK((status == 200 || (status == 503 && one.call == "fork")));
            }
            CHECK(get(server).status == 200);
            CHECK_EVENTUALLY(server, server.is_quiet());
            CHECK_EVENTUALLY(server, server.zombies().empty());  // at the next roll call
            CHECK(server.err() == "");
            server.signal(SIGTERM);
            CHECK(server.until_ended());
            CHECK(server.fate() == "exited with 0");
        }
    }
}

TEST_CASE("every system call by which a client is refused may fail") {
    for (const std::string call : {"send", "shutdown", "recv", "getpeername", "write", "close", "setsockopt"}) {
        for (const int error : {ENOTCONN, EPIPE}) {
            CAPTURE(call);
            CAPTURE(error);
            Server server(with_fault(hello().with("MAX_CLIENTS", "0"), call, error, 3));
            INFO(server.describe());
            for (int i = 0; i < 4; ++i) {
                Client client(server.port());
                client.ask();
                CHECK_EVENTUALLY(server, client.has_ended());
            }
            CHECK(get(server).status == 503);
            CHECK(server.err() == "");
        }
    }
}

TEST_CASE("every system call by which it stops may fail") {
    for (const std::string call : {"shutdown", "pselect", "kill", "close", "waitpid"}) {
        CAPTURE(call);
        Server server(with_fault(script("echo pid $$ >&2; exec sleep 600").with("GRACE", "0.1"), call, EINTR, 1));
        INFO(server.describe());
        Client client(server.port());
        client.ask();
        CHECK_EVENTUALLY(server, server.err().find("pid") != std::string::npos);
        CHECK_EVENTUALLY(server, server.waits_in_accept());
        server.signal(SIGTERM);
        if (call == "kill") CHECK_EVENTUALLY(server, !server.is_listening());
        CHECK(server.until_ended());
        CHECK(server.fate() == "exited with 0");
    }
}
