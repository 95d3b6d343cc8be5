// The parser of requests by itself: step_h_wsgi/http.hpp. Every request is fed at once and byte by byte: how it comes
// makes no difference.
#include "../step_h_wsgi/http.hpp"

#include <cctype>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "support.hpp"

namespace {

constexpr int COMPLETE = 0;
constexpr int INCOMPLETE = -1;

/// COMPLETE, INCOMPLETE or the status of the error; and the request, as far as it has come.
int outcome_of(http::RequestParser& parser, std::string_view bytes, std::size_t at_once) {
    try {
        for (std::size_t begin = 0; begin < bytes.size() && !parser.is_complete(); begin += at_once) {
            parser.feed(bytes.substr(begin, at_once));
        }
        return parser.is_complete() ? COMPLETE : INCOMPLETE;
    } catch (const http::Error& error) {
        return error.status();
    }
}

int outcome_of(std::string_view bytes) {
    http::RequestParser whole;
    http::RequestParser piecemeal;
    const int outcome = outcome_of(whole, bytes, bytes.size() + 1);
    CHECK(outcome_of(piecemeal, bytes, 1) == outcome);
    CHECK(piecemeal.request_line() == whole.request_line());
    return outcome;
}

http::Request parsed(std::string_view bytes) {
    http::RequestParser parser;
    REQUIRE(outcome_of(bytes) == COMPLETE);
    parser.feed(bytes);
    return parser.request();
}

/// A request with this line, or with this line in its header.
std::string with_line(const std::string& request_line) { return request_line + "\r\nHost: h\r\n\r\n"; }
std::string with_target(const std::string& target) { return with_line("GET " + target + " HTTP/1.1"); }
std::string with_field(const std::string& line) { return "GET / HTTP/1.1\r\nHost: h\r\n" + line + "\r\n\r\n"; }

}  // namespace

TEST_CASE("a request is taken apart") {
    const http::Request request = parsed("POST /a/b?c=d HTTP/1.1\r\nHost: example.org:80\r\nContent-Length: 5\r\n\r\n");
    CHECK(request.method == "POST");
    CHECK(request.version == "HTTP/1.1");
    CHECK(request.path == "/a/b");
    CHECK(request.query == "c=d");
    CHECK(request.host == "example.org");
    CHECK(request.content_length == 5);
    CHECK_FALSE(request.expects_continue);
    CHECK(request.field("host") == "example.org:80");
    CHECK(request.field("cookie").empty());
}

TEST_CASE("what follows the head is not taken") {
    http::RequestParser parser;
    const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n";
    CHECK(parser.feed(head + "body and more") == head.size());
    CHECK(parser.is_complete());
    CHECK(parser.feed("more") == 0);
}

TEST_CASE("a head that has not ended is incomplete, wherever it stops") {
    const std::string head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (std::size_t size = 0; size < head.size(); ++size) CHECK(outcome_of(head.substr(0, size)) == INCOMPLETE);
    CHECK(outcome_of(head) == COMPLETE);
}

TEST_CASE("request lines") {
    for (const char* good : {"GET / HTTP/1.1", "HEAD / HTTP/1.0", "BREW /pot HTTP/1.1", "M-SEARCH / HTTP/1.9",
                             "get / HTTP/1.1", "!#$%&'*+-.^_`|~09 / HTTP/1.1"}) {
        CAPTURE(good);
        CHECK(outcome_of(with_line(good)) == COMPLETE);
    }
    for (const char* bad : {"GET",
                            "GET /",
                            "GET  / HTTP/1.1",
                            "GET / HTTP/1.1 ",
                            " GET / HTTP/1.1",
                            "GET / /  HTTP/1.1",
                            "GET\t/ HTTP/1.1",
                            "GET /\tHTTP/1.1",
                            " / HTTP/1.1",
                            "G(T / HTTP/1.1",
                            "G\xc3\x89T / HTTP/1.1",
                            "GET / http/1.1",
                            "GET / HTTP/1",
                            "GET / HTTP/1.",
                            "GET / HTTP/1.10",
                            "GET / HTTP/11",
                            "GET / HTTP/x.1",
                            "GET / HTTP/1.x",
                            "GET / HTCPCP/1.0",
                            "GET / HTTP/-1.1",
                            "/ HTTP/1.1",
                            "\x16\x03\x01",
                            "GET a b HTTP/1.1"}) {
        CAPTURE(bad);
        CHECK(outcome_of(with_line(bad)) == 400);
    }
    for (const char* version : {"GET / HTTP/2.0", "GET / HTTP/0.9", "PRI * HTTP/2.0", "GET / HTTP/3.0"}) {
        CAPTURE(version);
        CHECK(outcome_of(with_line(version)) == 505);
    }
    CHECK(outcome_of(with_line("CONNECT example.org:443 HTTP/1.1")) == 501);
}

TEST_CASE("one empty line may come before the request line, and no more") {
    CHECK(outcome_of("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n") == COMPLETE);
    CHECK(outcome_of("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
}

TEST_CASE("lines end with CR LF, and with nothing less") {
    CHECK(outcome_of("GET / HTTP/1.1\nHost: h\r\n\r\n") == 400);
    CHECK(outcome_of("GET / HTTP/1.1\r\nHost: h\n\r\n") == 400);
    CHECK(outcome_of("GET / HTTP/1.1\r\nHost: h\r\n\n") == 400);
    CHECK(outcome_of("GET / HTTP/1.1\r\nHost: h\r\n\rX") == 400);
    CHECK(outcome_of("GET / HTTP/1.1\r\r\nHost: h\r\n\r\n") == 400);
    CHECK(outcome_of("GET /\r HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
    CHECK(outcome_of(with_field("A: b\rC: d")) == 400);
}

TEST_CASE("control characters, NUL above all, have no place in a head") {
    for (int byte = 0; byte < 256; ++byte) {
        if (byte == '\n' || byte == '\r') continue;
        CAPTURE(byte);
        const bool is_control = (byte < ' ' && byte != '\t') || byte == 127;
        const std::string text(1, static_cast<char>(byte));
        CHECK(outcome_of(with_field("A: b" + text + "c")) == (is_control ? 400 : COMPLETE));
        CHECK(outcome_of(with_target("/b" + text + "c")) ==
              (byte <= ' ' || byte >= 127 || byte == '#' || byte == '%' ? 400 : COMPLETE));
        const bool is_token = byte < 127 && (std::isalnum(byte) || std::strchr("!#$%&'*+-.^_`|~", byte));
        if (byte != ':') CHECK(outcome_of(with_field("A" + text + "B: c")) == (is_token && byte ? COMPLETE : 400));
    }
    CHECK(outcome_of(std::string(1, '\0')) == 400);  // at once, without waiting for the line's end
}

TEST_CASE("header lines") {
    CHECK(parsed(with_field("A: b")).field("a") == "b");
    CHECK(parsed(with_field("A:b")).field("a") == "b");
    CHECK(parsed(with_field("A: \t b c \t ")).field("a") == "b c");
    CHECK(parsed(with_field("A:")).fields.contains("a"));
    CHECK(parsed(with_field("A: b: c")).field("a") == "b: c");
    CHECK(parsed(with_field("A: \xc3\xa9")).field("a") == "\xc3\xa9");
    for (const char* bad : {"A", ": b", "A : b", "A\t: b", " A: b", "A: b\r\n c", "A: b\r\n\tc", "A: b\r\n \r\nC: d",
                            "A(: b", "A\xc3\xa9: b"}) {
        CAPTURE(bad);
        CHECK(outcome_of(with_field(bad)) == 400);
    }
    CHECK(outcome_of("GET / HTTP/1.1\r\n Host: h\r\n\r\n") == 400);
}

TEST_CASE("repeated headers are joined") {
    CHECK(parsed(with_field("A: b\r\na: c\r\nA: ")).field("a") == "b, c, ");
    CHECK(parsed(with_field("Cookie: a=b\r\nCookie: c=d")).field("cookie") == "a=b; c=d");
}

TEST_CASE("targets") {
    const auto path_of = [](const std::string& target) { return parsed(with_target(target)).path; };
    const auto query_of = [](const std::string& target) { return parsed(with_target(target)).query; };
    CHECK(path_of("/") == "/");
    CHECK(path_of("//a/../b;c") == "//a/../b;c");
    CHECK(path_of("/%41%2f%c3%A9%25") == "/A/\xc3\xa9%");
    CHECK(path_of("/a+b") == "/a+b");
    CHECK(path_of("/a%3Fb?c") == "/a?b");
    CHECK(query_of("/a") == "");
    CHECK(query_of("/a?") == "");
    CHECK(query_of("/a?b=%41&c=%zz+%00?d") == "b=%41&c=%zz+%00?d");
    for (const char* bad : {"/%", "/%4", "/%4g", "/%g4", "/a%", "/%%41", "/%00", "/a%00b", "/a#b", "/a?b#c", "a", "a/b",
                            "*", "?a", "/\x7f", "/\xc3\xa9"}) {
        CAPTURE(bad);
        CHECK(outcome_of(with_target(bad)) == 400);
    }
    CHECK(parsed(with_line("OPTIONS * HTTP/1.1")).path == "");
}

TEST_CASE("targets in absolute form say which host is meant") {
    const http::Request request = parsed(with_target("http://Example.org:8080/a?b"));
    CHECK(request.path == "/a");
    CHECK(request.query == "b");
    CHECK(request.host == "Example.org");
    CHECK(request.field("host") == "Example.org:8080");
    CHECK(parsed(with_target("HTTPS://h2")).path == "/");
    CHECK(parsed(with_target("http://h2?a=b/c")).path == "/");
    CHECK(parsed(with_target("http://h2?a=b/c")).query == "a=b/c");
    for (const char* bad : {"http://", "http:///a", "http://:80/", "http://user@h/", "ftp://h/", "http:/h/", "http:h",
                            "http://h:x/", "http://[::1/", "http://a b/", "://h/", "https:/"}) {
        CAPTURE(bad);
        CHECK(outcome_of(with_target(bad)) == 400);
    }
}

TEST_CASE("Host: once, and a host; HTTP/1.0 may do without") {
    const auto with_host = [](const std::string& host) { return "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n"; };
    CHECK(parsed(with_host("a.example:8888")).host == "a.example");
    CHECK(parsed(with_host("[::1]:8888")).host == "[::1]");
    CHECK(parsed(with_host("[::1]")).host == "[::1]");
    CHECK(parsed(with_host("h:")).host == "h");
    CHECK(parsed(with_host("")).host == "");
    for (const char* bad :
         {"a b", "a/b", "a@b", "a:b", "a:1:2", "[::1", "::1]", "[::1]x:1", "[g]", "a,b", "<script>"}) {
        CAPTURE(bad);
        CHECK(outcome_of(with_host(bad)) == 400);
    }
    CHECK(outcome_of("GET / HTTP/1.1\r\n\r\n") == 400);
    CHECK(outcome_of("GET http://h/ HTTP/1.1\r\n\r\n") == 400);
    CHECK(outcome_of("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n") == 400);
    CHECK(parsed("GET / HTTP/1.0\r\n\r\n").host == "");
}

TEST_CASE("where the body ends, in one way only") {
    const auto with_length = [](const std::string& length) { return with_field("Content-Length: " + length); };
    CHECK_FALSE(parsed(with_field("A: b")).content_length);
    CHECK(parsed(with_length("0")).content_length == 0);
    CHECK(parsed(with_length("007")).content_length == 7);
    CHECK(parsed(with_length("5, 5")).content_length == 5);
    CHECK(parsed(with_length("5\r\nContent-Length: 5")).content_length == 5);
    CHECK(parsed(with_length(std::to_string(http::MAX_BODY))).content_length == http::MAX_BODY);
    for (const char* bad : {"", "-1", "+1", "1x", "0x1", "1 2", "1.0", "5,", ",5", "5, 6", "5\r\nContent-Length: 6",
                            "5\r\ncontent-length:", "\xb2"}) {
        CAPTURE(bad);
        CHECK(outcome_of(with_length(bad)) == 400);
    }
    CHECK(outcome_of(with_length(std::to_string(http::MAX_BODY + 1))) == 413);
    CHECK(outcome_of(with_length("18446744073709551616")) == 413);
    CHECK(outcome_of(with_length(std::string(1000, '9'))) == 413);
    CHECK(outcome_of(with_field("Transfer-Encoding: chunked")) == 411);
    CHECK(outcome_of(with_field("Transfer-Encoding: Chunked")) == 411);
    for (const char* coding : {"gzip", "gzip, chunked", "identity", "", "chunked, chunked", "\"chunked\""}) {
        CAPTURE(coding);
        CHECK(outcome_of(with_field("Transfer-Encoding: " + std::string(coding))) == 501);
    }
    CHECK(outcome_of(with_field("Transfer-Encoding: chunked\r\nContent-Length: 5")) == 400);
    CHECK(outcome_of(with_field("Content-Length: 5\r\nTransfer-Encoding: chunked")) == 400);
    CHECK(outcome_of("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
}

TEST_CASE("Expect") {
    CHECK(parsed(with_field("Expect: 100-Continue")).expects_continue);
    CHECK_FALSE(parsed("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue);
    CHECK(outcome_of(with_field("Expect: a miracle")) == 417);
}

TEST_CASE("what is too large, by a byte or a line") {
    const auto line_of = [](std::size_t size) { return "GET /" + std::string(size - 14, 'x') + " HTTP/1.1"; };
    CHECK(outcome_of(with_line(line_of(http::MAX_REQUEST_LINE))) == COMPLETE);
    CHECK(outcome_of(with_line(line_of(http::MAX_REQUEST_LINE + 1))) == 414);
    CHECK(outcome_of(std::string(http::MAX_REQUEST_LINE + 1, 'x')) == 414);  // which has no end

    const std::size_t left = http::MAX_FIELDS_SIZE - std::string("Host: hA: ").size();
    CHECK(outcome_of(with_field("A: " + std::string(left, 'x'))) == COMPLETE);
    CHECK(outcome_of(with_field("A: " + std::string(left + 1, 'x'))) == 431);
    CHECK(outcome_of("GET / HTTP/1.1\r\n" + std::string(http::MAX_FIELDS_SIZE + 1, 'x')) == 431);

    std::string lines = "A: b";
    for (std::size_t i = 2; i < http::MAX_FIELDS; ++i) lines += "\r\nA: b";
    CHECK(outcome_of(with_field(lines)) == COMPLETE);
    CHECK(outcome_of(with_field(lines + "\r\nA: b")) == 431);
}

TEST_CASE("the request line is kept for the log, good or bad") {
    http::RequestParser parser;
    CHECK_THROWS_AS(parser.feed("GET / HTTP/9.9\r\nHost: h\r\n\r\n"), http::Error);
    CHECK(parser.request_line() == "GET / HTTP/9.9");
    http::RequestParser other;
    CHECK_THROWS_AS(other.feed(std::string("GE\0T", 4)), http::Error);
    CHECK(other.request_line() == std::string("GE\0", 3));
}

TEST_CASE("a page of the server's own") {
    const http::Page page(503, false, "Retry-After: 1\r\n");
    CHECK(page.text.starts_with("HTTP/1.1 503 Service Unavailable\r\nDate: "));
    CHECK(
        page.text.ends_with("Content-Type: text/plain\r\nContent-Length: 24\r\nRetry-After: 1\r\n"
                            "Connection: close\r\n\r\n503 Service Unavailable\n"));
    CHECK(page.body_size == 24);
    const http::Page head(404, true);
    CHECK(head.text.ends_with("Content-Length: 14\r\nConnection: close\r\n\r\n"));
    CHECK(head.body_size == 0);
}

TEST_CASE("the date is of a fixed form") {
    const std::string date = http::date();  // "Sun, 06 Nov 1994 08:49:37 GMT"
    CHECK(date.size() == 29);
    CHECK(date.ends_with(" GMT"));
    CHECK(date[3] == ',');
    CHECK(date[25] == ' ');
}
