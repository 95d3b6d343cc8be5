// Exercise 12: does the server run a Flask application?
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "../harness/process.hpp"
#include "../harness/server.hpp"
#include "clients.hpp"
#include "exercise_probes.hpp"
#include "probes.hpp"
#include "utf8.hpp"

namespace diagnose {
namespace {

constexpr const char* FLASK_APPLICATION = "exercises.12_homework.flask_app:application";

bool is_flask_installed() {
    // The Makefile says which Python is inside the server; where it does not, this is its choice.
    const char* const told = std::getenv("PYTHON");
    const char* const python = access("/usr/bin/python3", X_OK) == 0 ? "/usr/bin/python3" : "python3";
    harness::Process importing({{told == nullptr ? python : told, "-c", "import flask"}});
    return importing.until_ended() && importing.fate() == "exited with 0";
}

/// The response that one client of the application receives.
struct Response {
    std::string status_line;
    std::string body;
};

Response response_to(Server& server, const std::string& request) {
    Client client(server.port());
    client.send(request);
    server.until([&] { return client.has_ended(); });
    const std::string text = client.has_ended() ? client.receive_all() : client.received();
    const std::size_t head_end = text.find("\r\n\r\n");
    return {valid_utf8(text.substr(0, text.find("\r\n"))),
            head_end == std::string::npos ? "" : valid_utf8(text.substr(head_end + 4))};
}

std::string request_of(std::string_view method, std::string_view target, std::string_view body = "") {
    std::string request = std::string(method) + ' ' + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n";
    if (!body.empty()) {
        request += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " + std::to_string(body.size());
        request += "\r\n";
    }
    return request + "\r\n" + std::string(body);
}

/// Whether the response is this page.
Finding expect(Server& server, const std::string& request, const std::string& page) {
    const Response response = response_to(server, request);
    if (server.has_ended()) return no("with a Flask application, " + server.exit_report());
    if (response.body == page && response.status_line.starts_with("HTTP/1.1 200 ")) return yes(page);
    return no("to \"" + request.substr(0, request.find("\r\n")) + "\" a Flask application's client got \"" +
              response.status_line + "\" and \"" + first_line(response.body) + '"');
}

/// Whether two clients get random numbers of their own.
Finding expect_two_numbers(Server& server) {
    const std::string first = response_to(server, request_of("GET", "/random")).body;
    const std::string second = response_to(server, request_of("GET", "/random")).body;
    if (!first.empty() && !second.empty() && first != second) return yes("two numbers");
    return {Answer::no, "two clients of a Flask application got the same random number",
            "a child has a copy of its generator: Python has to be told of fork (before_fork, after_fork_in_child)"};
}

Finding expect_exit_status(Server& server) {
    Finding finding = expect(server, request_of("GET", "/program"), "1\n");
    if (finding == Answer::no && !server.has_ended()) {
        finding.rule = "`false` exits with 1: who reaps it before the application does takes its status away";
    }
    return finding;
}

/// Whether a client learns that the application has raised an exception.
Finding expect_error_page(Server& server) {
    const Response response = response_to(server, request_of("GET", "/error"));
    if (server.has_ended()) return no("when the application had raised an exception, " + server.exit_report());
    if (response.status_line.starts_with("HTTP/1.1 500 ")) return yes("500");
    return {Answer::no, "an exception in a Flask application, and its client got \"" + response.status_line + '"',
            "serve returns the status of the error page that is due"};
}

/// Whether a client is disconnected, when TIMEOUT is over, whose form does not come.
Finding expect_timeout(const Program& program) {
    Server server(program.with("TIMEOUT", "0.3"));
    Client client(server.port());
    client.send(request_of("POST", "/form", "a").substr(0, request_of("POST", "/form", "a").size() - 1));
    Clients next;
    if (hold(server, next).place == Place::in_the_queue)
        return yes("");  // it is not concurrent yet: another row says so
    if (server.until([&] { return client.has_ended(); })) return yes("");
    return {Answer::no, "ten times its TIMEOUT later, it still waits for the body of a Flask application's request",
            "recv waits for ever, unless it is told otherwise: Client::receive needs a timeout as well"};
}

Finding run_flask(Server& server) {
    Finding finding = expect(server, request_of("GET", "/hello?name=W%C3%B6rld"), "Hello, W\xc3\xb6rld!\n");
    if (finding == Answer::yes) {
        finding = expect(server, request_of("POST", "/form", "a=1+2&b=" + std::string(100'000, 'x')), "1 2 100000\n");
    }
    if (finding == Answer::yes) finding = expect_two_numbers(server);
    if (finding == Answer::yes) finding = expect_exit_status(server);
    if (finding == Answer::yes) finding = expect_error_page(server);
    return finding == Answer::yes ? yes("a query, a form, random numbers, a program's exit status, an error") : finding;
}

}  // namespace

Findings flask(const Solution& solution) {
    Program program = patient(solution.server);
    std::string& application = program.command.back();
    if (application.find(':') == std::string::npos) {
        return {{"Flask", not_applicable("not tried: its command does not end with MODULE:CALLABLE")}};
    }
    if (!is_flask_installed()) {
        return {{"Flask", not_applicable("not tried: Flask is not installed (make deps_wsgi does)")}};
    }
    application = FLASK_APPLICATION;
    Server server(program);
    Finding finding = run_flask(server);
    if (finding == Answer::yes) {
        if (const Finding timed = expect_timeout(program); timed != Answer::yes) finding = timed;
    }
    return {{"Flask", finding}};
}

}  // namespace diagnose
