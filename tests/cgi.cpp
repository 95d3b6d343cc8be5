// The words of CGI by themselves: step_h_wsgi/cgi.hpp.
#include "../step_h_wsgi/cgi.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "../step_h_wsgi/http.hpp"
#include "support.hpp"

namespace {

const cgi::Ends ENDS = {"192.0.2.1", "127.0.0.1", "8888"};

std::vector<std::string> environment_of(const std::string& head) {
    http::RequestParser parser;
    parser.feed(head);
    REQUIRE(parser.is_complete());
    return cgi::environment(parser.request(), ENDS);
}

bool has(const std::vector<std::string>& variables, const std::string& wanted) {
    return std::count(variables.begin(), variables.end(), wanted) == 1;
}

bool names(const std::vector<std::string>& variables, const std::string& name) {
    return std::any_of(variables.begin(), variables.end(),
                       [&](const std::string& one) { return one.starts_with(name + '='); });
}

/// The response in `output`, fed at once and byte by byte; why there is none when it is not valid.
struct Parsed {
    explicit Parsed(const std::string& output) : Parsed(output, output.size()) {
        const Parsed piecemeal(output, 1);
        CHECK(piecemeal.error == error);
        CHECK(piecemeal.response.head == response.head);
        if (error.empty()) CHECK(piecemeal.size == size);
    }
    Parsed(const std::string& output, std::size_t at_once) {
        cgi::ResponseParser parser;
        try {
            for (std::size_t begin = 0; begin < output.size() && !parser.is_complete(); begin += at_once) {
                size += parser.feed(std::string_view(output).substr(begin, at_once));
            }
            is_complete = parser.is_complete();
            response = parser.response();
        } catch (const http::Error& invalid) {
            CHECK(invalid.status() == 502);
            error = invalid.what();
        }
        const std::size_t date = response.head.find("Date: ");  // the only part that changes
        if (date != std::string::npos) response.head.erase(date, response.head.find('\n', date) + 1 - date);
    }
    cgi::Response response;
    bool is_complete = false;
    std::size_t size = 0;
    std::string error;
};

}  // namespace

TEST_CASE("the environment is that of RFC 3875") {
    const auto variables = environment_of(
        "POST /a%20b?c=%64 HTTP/1.1\r\nHost: example.org:99\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n"
        "X-Some-Thing2: a\r\nx-some-thing2: b\r\nAuthorization: Basic eA==\r\n\r\n");
    for (const char* wanted :
         {"GATEWAY_INTERFACE=CGI/1.1", "SERVER_SOFTWARE=step_h", "SERVER_PROTOCOL=HTTP/1.1", "SERVER_NAME=example.org",
          "SERVER_PORT=8888", "REMOTE_ADDR=192.0.2.1", "REQUEST_METHOD=POST", "SCRIPT_NAME=", "PATH_INFO=/a b",
          "QUERY_STRING=c=%64", "CONTENT_LENGTH=3", "CONTENT_TYPE=text/plain", "HTTP_HOST=example.org:99",
          "HTTP_X_SOME_THING2=a, b", "HTTP_AUTHORIZATION=Basic eA=="}) {
        CAPTURE(wanted);
        CHECK(has(variables, wanted));
    }
    CHECK_FALSE(names(variables, "HTTP_CONTENT_LENGTH"));
    CHECK_FALSE(names(variables, "HTTP_CONTENT_TYPE"));
}

TEST_CASE("a request that says little: its address for its name, and no body") {
    const auto variables = environment_of("GET / HTTP/1.0\r\n\r\n");
    CHECK(has(variables, "SERVER_NAME=127.0.0.1"));
    CHECK(has(variables, "SERVER_PROTOCOL=HTTP/1.0"));
    CHECK(has(variables, "QUERY_STRING="));
    CHECK_FALSE(names(variables, "CONTENT_LENGTH"));
    CHECK_FALSE(names(variables, "CONTENT_TYPE"));
}

TEST_CASE("no header becomes HTTP_PROXY, or a variable that another header may become") {
    const auto variables = environment_of(
        "GET / HTTP/1.1\r\nHost: h\r\nProxy: http://evil\r\nPROXY: x\r\nX_User: impostor\r\nX.User: impostor\r\n"
        "X-User!: impostor\r\n\r\n");
    for (const std::string& variable : variables) {
        CAPTURE(variable);
        CHECK(variable.find("evil") == std::string::npos);
        CHECK(variable.find("impostor") == std::string::npos);
    }
    CHECK_FALSE(names(variables, "HTTP_PROXY"));
}

TEST_CASE("of the server's own environment a few variables are passed on") {
    setenv("SECRET_OF_THE_SERVER", "x", 1);
    setenv("TMPDIR", "/somewhere", 1);
    const auto variables = environment_of("GET / HTTP/1.0\r\n\r\n");
    unsetenv("SECRET_OF_THE_SERVER");
    unsetenv("TMPDIR");
    CHECK(names(variables, "PATH"));
    CHECK(has(variables, "TMPDIR=/somewhere"));
    CHECK_FALSE(names(variables, "SECRET_OF_THE_SERVER"));
}

TEST_CASE("a response is taken apart") {
    const Parsed parsed("Content-Type: text/plain\nX-A: b\n\nbody");
    CHECK(parsed.is_complete);
    CHECK(parsed.size == std::string("Content-Type: text/plain\nX-A: b\n\n").size());
    CHECK(parsed.response.status == 200);
    CHECK(parsed.response.has_body);
    CHECK_FALSE(parsed.response.content_length);
    CHECK(parsed.response.head == "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A: b\r\nConnection: close\r\n\r\n");
    CHECK(Parsed("Content-Type: text/plain\r\nX-A: b\r\n\r\nbody").response.head == parsed.response.head);
    CHECK(Parsed("Content-Type: a\nSet-Cookie: b\nSet-Cookie: c\n\n").response.head ==
          "HTTP/1.1 200 OK\r\nContent-Type: a\r\nSet-Cookie: b\r\nSet-Cookie: c\r\nConnection: close\r\n\r\n");
}

TEST_CASE("a response that has not come to its blank line is incomplete") {
    for (const char* output : {"", "C", "Content-Type: a", "Content-Type: a\n", "Content-Type: a\r\n\r"}) {
        CAPTURE(output);
        CHECK_FALSE(Parsed(output).is_complete);
        CHECK(Parsed(output).error == "");
    }
}

TEST_CASE("Status") {
    CHECK(Parsed("Status: 404 Not Here\nContent-Type: a\n\n").response.head.starts_with("HTTP/1.1 404 Not Here\r\n"));
    CHECK(Parsed("Status: 404\nContent-Type: a\n\n").response.head.starts_with("HTTP/1.1 404 Not Found\r\n"));
    CHECK(Parsed("status: 299\nContent-Type: a\n\n").response.head.starts_with("HTTP/1.1 299 \r\n"));
    for (const char* bad : {"", "OK", "20", "2000", "200OK", "-20", "100 Continue", "600 More", "099", "2x0"}) {
        CAPTURE(bad);
        CHECK(Parsed("Status: " + std::string(bad) + "\nContent-Type: a\n\n").error.starts_with("no valid header: "));
    }
    for (const char* bodiless : {"204", "304"}) {
        const Parsed parsed("Status: " + std::string(bodiless) + "\n\n");
        CHECK(parsed.is_complete);
        CHECK_FALSE(parsed.response.has_body);
    }
    CHECK(Parsed("Status: 204\nContent-Length: 0\n\n").response.head.find("Content-Length") == std::string::npos);
}

TEST_CASE("Location redirects, elsewhere and here, unless Status says otherwise") {
    const Parsed here("Location: /there\n\n");
    CHECK(here.response.head.starts_with("HTTP/1.1 302 Found\r\nLocation: /there\r\n"));
    CHECK(Parsed("Location: http://h/\n\n").response.status == 302);
    CHECK(Parsed("Status: 201 Created\nLocation: /new\nContent-Type: a\n\n").response.status == 201);
}

TEST_CASE("Content-Type is required where there is something to have a type") {
    CHECK(Parsed("X-A: b\n\n").error == "no valid header: no Content-Type");
    CHECK(Parsed("Status: 404 Not Found\n\n").error == "no valid header: no Content-Type");
    CHECK(Parsed("\nbody").error == "no valid header: no Content-Type");
    CHECK(Parsed("Status: 200 OK\nContent-Length: 0\n\n").is_complete);
}

TEST_CASE("Content-Length") {
    CHECK(Parsed("Content-Type: a\nContent-Length: 12\n\n").response.content_length == 12);
    for (const char* bad : {"", "-1", "x", "99999999999999999999", "1\nContent-Length: 1"}) {
        CAPTURE(bad);
        CHECK_FALSE(Parsed("Content-Type: a\nContent-Length: " + std::string(bad) + "\n\n").error.empty());
    }
}

TEST_CASE("what has only one meaning is there only once") {
    for (const std::string field : {"Status: 200 OK", "Content-Type: a", "Location: /", "Date: now"}) {
        CAPTURE(field);
        std::string output = "Content-Type: a\n";
        for (int times = 0; times < 2; ++times) (output += field) += '\n';
        CHECK_FALSE(Parsed(output + '\n').error.empty());
    }
}

TEST_CASE("what is no header is none") {
    for (const std::string bad :
         {"<html>", "Traceback (most recent call last):", "A : b", " A: b", "A: b\n c", ": b"}) {
        CAPTURE(bad);
        CHECK(Parsed("Content-Type: a\n" + bad + "\n\n").error.starts_with("no valid header: "));
    }
    CHECK(Parsed("Content-Type: a\nX: " + std::string(cgi::ResponseParser::MAX_SIZE, 'x')).error ==
          "no valid header: too large");
}

TEST_CASE("no value can begin another line: a response cannot be split") {
    const std::string nul(1, '\0');
    for (const std::string& splitter : {std::string("\r"), std::string("\rX: y"), std::string("\r\r\n"), nul,
                                        std::string("\x0b"), std::string("\x1b"), std::string("\x7f")}) {
        CAPTURE(splitter);
        CHECK(Parsed("Content-Type: a\nX: b" + splitter + "c\n\n").error == "no valid header: control character");
        CHECK(Parsed("Status: 200 b" + splitter + "c\nContent-Type: a\n\n").error ==
              "no valid header: control character");
    }
}

TEST_CASE("about the connection the server has the word") {
    const Parsed parsed("Content-Type: a\nConnection: keep-alive\nTransfer-Encoding: chunked\nKeep-Alive: 5\n\n");
    CHECK(parsed.response.head == "HTTP/1.1 200 OK\r\nContent-Type: a\r\nConnection: close\r\n\r\n");
}

TEST_CASE("the application's own date is kept") {
    cgi::ResponseParser parser;
    parser.feed("Content-Type: a\nDate: Thu, 01 Jan 1970 00:00:00 GMT\n\n");
    CHECK(count_in(parser.response().head, "Date: ") == 1);
    CHECK(parser.response().head.find("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n") != std::string::npos);
}
