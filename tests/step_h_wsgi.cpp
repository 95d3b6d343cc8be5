// step_h with WSGI applications: our own, and those of Flask, Django and Pyramid, unchanged, with wsgiref.validate
// around each. It raises an exception, which becomes a 500 and is seen on stderr, at whatever is not as PEP 3333 wants
// it.
#include <iostream>

#include "step_h.hpp"

using namespace step_h;

namespace {

/// The Python that the Makefile has found: the one that `make deps_wsgi` installs frameworks for.
std::string python() {
    const char* const named = std::getenv("PYTHON");
    return named ? named : "python3";
}

/// An application of tests/wsgi.
Program wsgi(const std::string& application) {
    return running({python(), "-B", "step_h_wsgi/wsgi.py", application}).with("PYTHONPATH", "tests/wsgi");
}

/// Whether Python has this module. When it does not, the summary of `make test` says so.
bool has_module(const std::string& module) {
    const Ended importing(Program{{python(), "-c", "import " + module}, {}, {}, {}});
    if (importing.fate == "exited with 0") return true;
    std::cout << "left out: the test of step_h with " << module << ", which is not installed (make deps_wsgi)"
              << std::endl;
    return false;
}

std::string run_curl(const Server& server, std::vector<std::string> arguments, const std::string& target) {
    arguments.insert(arguments.begin(), {"curl", "--silent", "--show-error", "--max-time", "30", "--noproxy", "*"});
    arguments.push_back("http://localhost:" + std::to_string(server.port()) + target);
    const Ended curl(Program{arguments, {}, {}, {}});
    CHECK_MESSAGE(curl.fate == "exited with 0", curl.err);
    return curl.out;
}

/// What the article shows with each of them: the same three pages.
void check_framework(const std::string& module) {
    if (!has_module(module)) return;
    Server server(wsgi(module + "_app:application"));
    INFO(server.describe());
    const std::string page = run_curl(server, {"-i", "-A", "a test"}, "/hello?name=W%C3%B6rld");
    CHECK(page.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(page.find("\r\nX-Agent: a test\r\n") != std::string::npos);
    CHECK(page.ends_with("\r\n\r\nHello, W\xc3\xb6rld!\n"));
    CHECK(run_curl(server, {"-d", "a=1+2&b=%26%3D"}, "/form") == "1 2 2\n");
    CHECK(run_curl(server, {"-L"}, "/moved") == "Hello, moved!\n");
    CHECK(run_curl(server, {"-I"}, "/hello?name=x").starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(run_curl(server, {"-o", "/dev/null", "-w", "%{http_code}"}, "/nowhere") == "404");
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK(server.err().find("Traceback") == std::string::npos);
    CHECK(server.err().find("Warning") == std::string::npos);
}

}  // namespace

TEST_CASE("hello:application is found beside wsgi.py") {
    Server server(running({python(), "-B", "step_h_wsgi/wsgi.py", "hello:application"}));
    INFO(server.describe());
    CHECK(get(server).body == "Hello, World!\n");
    CHECK(server.err() == "");
}

TEST_CASE("an application's environ is right, says wsgiref.validate") {
    Server server(wsgi("plain:application"));
    INFO(server.describe());
    const Reply reply = post(server, "/a%C3%A9?b=c", "body", "X-Some: thing\r\nContent-Type: text/plain\r\n");
    CHECK(reply.status == 200);
    for (const char* line : {"CONTENT_LENGTH=4\n", "CONTENT_TYPE=text/plain\n", "HTTP_X_SOME=thing\n",
                             "PATH_INFO=/a\xc3\xa9\n", "QUERY_STRING=b=c\n", "REQUEST_METHOD=POST\n", "SCRIPT_NAME=\n",
                             "SERVER_PROTOCOL=HTTP/1.1\n", "wsgi.url_scheme=http\n"}) {
        CAPTURE(line);
        CHECK(reply.body.find(line) != std::string::npos);
    }
    CHECK(reply.body.ends_with("\nbody"));
    CHECK(ask(server, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").status == 200);
    CHECK(ask(server, "HEAD / HTTP/1.0\r\n\r\n").status == 200);
    CHECK(server.err() == "");
}

TEST_CASE("an application in parts") {
    Server server(wsgi("plain:generator"));
    INFO(server.describe());
    CHECK(get(server).body == "part 0\npart 1\npart 2\n");
}

TEST_CASE("an application that raises: 500, and what it raised on stderr; one that exits: 502") {
    Server failing(wsgi("plain:failing"));
    INFO(failing.describe());
    CHECK(get(failing).status == 500);
    CHECK_EVENTUALLY(failing, failing.is_quiet());
    CHECK(failing.err().find(": RuntimeError: on purpose\n") != std::string::npos);
    Server exiting(wsgi("plain:exiting"));
    CHECK(get(exiting).status == 502);
    CHECK_EVENTUALLY(exiting, exiting.is_quiet());
    CHECK(exiting.err().find(": about to exit\n") != std::string::npos);
    CHECK(exiting.err().ends_with(" exited with status 7: no valid header\n"));
}

TEST_CASE("a module or a name that is not there: 502, and Python says which") {
    for (const char* application : {"nowhere:application", "plain:nothing", "plain"}) {
        Server server(wsgi(application));
        INFO(server.describe());
        CHECK(get(server).status == 502);
        CHECK_EVENTUALLY(server, server.is_quiet());
        CHECK(server.err().find(" exited with status 1: no valid header\n") != std::string::npos);
    }
}

TEST_CASE("Flask") { check_framework("flask"); }
TEST_CASE("Django") { check_framework("django"); }
TEST_CASE("Pyramid") { check_framework("pyramid"); }
