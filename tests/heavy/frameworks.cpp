// step_h with unchanged Flask, Django and Pyramid, and also with wsgiref.validate around each.
#include <iostream>
#include <string>
#include <vector>

#include "../../tools/harness/server.hpp"
#include "../step_h.hpp"
#include "../support.hpp"

using namespace step_h;

namespace {

/// Whether Python has this module. Prints a message when it does not.
bool has_module(const std::string& module) {
    const Ended importing(Program{{python(), "-c", "import " + module}});
    if (importing.fate == "exited with 0") return true;
    std::cout << "left out: the test of step_h with " << module << ", which is not installed (make deps_wsgi)"
              << std::endl;
    return false;
}

std::string run_curl(const Server& server, std::vector<std::string> arguments, const std::string& target) {
    arguments.insert(arguments.begin(), {"curl", "--silent", "--show-error", "--max-time", "30", "--noproxy", "*"});
    arguments.push_back("http://localhost:" + std::to_string(server.port()) + target);
    const Ended curl(Program{arguments});
    CHECK_MESSAGE(curl.fate == "exited with 0", curl.err);
    return curl.out;
}

/// Checks the pages that each framework's application has in tests/wsgi.
void check_application(const std::string& name) {
    Server server(running(name));
    INFO(server.describe());
    const std::string page = run_curl(server, {"-i", "-A", "a test"}, "/hello?name=W%C3%B6rld");
    CHECK(page.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(page.find("\r\nX-Agent: a test\r\n") != std::string::npos);
    CHECK(page.ends_with("\r\n\r\nHello, W\xc3\xb6rld!\n"));
    CHECK(run_curl(server, {"-d", "a=1+2&b=%26%3D"}, "/form") == "1 2 2\n");
    CHECK(run_curl(server, {"-L"}, "/moved") == "Hello, moved!\n");
    CHECK(run_curl(server, {"-I"}, "/hello?name=x").starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(run_curl(server, {"-o", "/dev/null", "-w", "%{http_code}"}, "/nowhere") == "404");
    CHECK(server.err().find("Traceback") == std::string::npos);
    CHECK(server.err().find("Warning") == std::string::npos);
}

/// Checks the application as it is, and with wsgiref.validate around it.
void check_framework(const std::string& module) {
    if (!has_module(module)) return;
    for (const char* name : {"application", "checked"}) {
        CAPTURE(name);
        check_application(module + "_app:" + name);
    }
}

}  // namespace

TEST_CASE("step_h: serves Flask") { check_framework("flask"); }
TEST_CASE("step_h: serves Django") { check_framework("django"); }
TEST_CASE("step_h: serves Pyramid") { check_framework("pyramid"); }
