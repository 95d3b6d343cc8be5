// The parsers of step_h_wsgi/http.hpp, without a server. Every request is fed whole and byte by byte, and both must
// give the same result.
#include "../step_h_wsgi/http.hpp"

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include "support.hpp"

namespace {

constexpr int COMPLETE = 0;
constexpr int INCOMPLETE = -1;

/// Feeds `bytes`, `at_once` at a time. Returns COMPLETE, INCOMPLETE or the status of the error.
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

/// A request with this request line, this target, or this line in its header.
std::string with_line(const std::string& request_line) { return request_line + "\r\nHost: h\r\n\r\n"; }
std::string with_target(const std::string& target) { return with_line("GET " + target + " HTTP/1.1"); }
std::string with_field(const std::string& line) { return "GET / HTTP/1.1\r\nHost: h\r\n" + line + "\r\n\r\n"; }

std::string lower_of(const std::string& text) { return http::lower(text); }

/// The result of parsing a body.
struct Body {
    int outcome;
    std::string text;
    std::size_t taken;
    bool operator==(const Body&) const = default;
};

/// Parses a body with this field in its head, `at_once` bytes at a time.
Body body_of(const std::string& field, std::string_view bytes, std::size_t at_once) {
    http::RequestParser head;
    head.feed(with_field(field));
    http::BodyParser parser(head.request());
    Body body = {INCOMPLETE, "", 0};
    try {
        while (body.taken < bytes.size() && !parser.is_complete()) {
            const http::BodyParser::Piece piece = parser.next(bytes.substr(body.taken, at_once), at_once);
            body.taken += piece.taken;
            body.text += piece.data;
        }
        if (parser.is_complete()) body.outcome = COMPLETE;
    } catch (const http::Error& error) {
        body.outcome = error.status();
    }
    return body;
}

}  // namespace

TEST_CASE("request parser: splits a request into its parts") {
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

TEST_CASE("request parser: does not take what follows the head") {
    http::RequestParser parser;
    const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n";
    CHECK(parser.feed(head + "body and more") == head.size());
    CHECK(parser.is_complete());
    CHECK(parser.feed("more") == 0);
}

TEST_CASE("request parser: an unfinished head is incomplete wherever it stops") {
    const std::string head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (std::size_t size = 0; size < head.size(); ++size) CHECK(outcome_of(head.substr(0, size)) == INCOMPLETE);
    CHECK(outcome_of(head) == COMPLETE);
}

TEST_CASE("request parser: a malformed request line gives 400, an unknown version 505, CONNECT 501") {
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

TEST_CASE("request parser: accepts one empty line before the request line, and no more") {
    CHECK(outcome_of("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n") == COMPLETE);
    CHECK(outcome_of("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
}

TEST_CASE("request parser: a line that does not end with CR LF gives 400") {
    CHECK(outcome_of("GET / HTTP/1.1\nHost: h\r\n\r\n") == 400);
    CHECK(outcome_of("GET / HTTP/1.1\r\nHost: h\n\r\n") == 400);
    CHECK(outcome_of("GET / HTTP/1.1\r\nHost: h\r\n\n") == 400);
    CHECK(outcome_of("GET / HTTP/1.1\r\nHost: h\r\n\rX") == 400);
    CHECK(outcome_of("GET / HTTP/1.1\r\r\nHost: h\r\n\r\n") == 400);
    CHECK(outcome_of("GET /\r HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
    CHECK(outcome_of(with_field("A: b\rC: d")) == 400);
}

TEST_CASE("request parser: a control character in the head gives 400") {
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
    CHECK(outcome_of(std::string(1, '\0')) == 400);  // rejected before the line ends
}

TEST_CASE("request parser: trims header values, and a malformed header gives 400") {
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

TEST_CASE("request parser: joins repeated headers") {
    CHECK(parsed(with_field("A: b\r\na: c\r\nA: ")).field("a") == "b, c, ");
    CHECK(parsed(with_field("Cookie: a=b\r\nCookie: c=d")).field("cookie") == "a=b; c=d");
}

TEST_CASE("request parser: decodes the path but not the query, and a malformed target gives 400") {
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

TEST_CASE("request parser: an absolute target names the host") {
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

TEST_CASE("request parser: a missing, repeated or malformed Host gives 400, but HTTP/1.0 needs none") {
    const auto with_host = [](const std::string& host) { return "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n"; };
    CHECK(parsed(with_host("a.example:8888")).host == "a.example");
    CHECK(parsed(with_host("[::1]:8888")).host == "[::1]");
    CHECK(parsed(with_host("[::1]")).host == "[::1]");
    CHECK(parsed(with_host("h:")).host == "h");
    CHECK(parsed(with_host("")).host == "");
    CHECK(parsed(with_host("0.0.0.0=5000")).host == "0.0.0.0=5000");  // RFC 3986, 3.2.2: "=" is a sub-delim
    CHECK(parsed(with_host("a!$&'()*+,;=%41")).host == "a!$&'()*+,;=%41");
    for (const char* bad : {"a b", "a/b", "a@b", "a:b", "a:1:2", "[::1", "::1]", "[::1]x:1", "[g]", "<script>", "a%",
                            "a%4", "a%zz", "a%00"}) {
        CAPTURE(bad);
        CHECK(outcome_of(with_host(bad)) == 400);
    }
    CHECK(outcome_of("GET / HTTP/1.1\r\n\r\n") == 400);
    CHECK(outcome_of("GET http://h/ HTTP/1.1\r\n\r\n") == 400);
    CHECK(outcome_of("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n") == 400);
    CHECK(parsed("GET / HTTP/1.0\r\n\r\n").host == "");
}

TEST_CASE("request parser: rejects a body length that is malformed, contradictory, too large or unsupported") {
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
    CHECK_FALSE(parsed(with_length("5")).is_chunked);
    CHECK(parsed(with_field("Transfer-Encoding: chunked")).is_chunked);
    CHECK(parsed(with_field("Transfer-Encoding: Chunked")).is_chunked);
    CHECK_FALSE(parsed(with_field("A: b")).has_body());
    CHECK_FALSE(parsed(with_length("0")).has_body());
    CHECK(parsed(with_length("1")).has_body());
    CHECK(parsed(with_field("Transfer-Encoding: chunked")).has_body());
    for (const char* coding : {"gzip", "gzip, chunked", "identity", "", "chunked, chunked", "\"chunked\""}) {
        CAPTURE(coding);
        CHECK(outcome_of(with_field("Transfer-Encoding: " + std::string(coding))) == 501);
    }
    CHECK(outcome_of(with_field("Transfer-Encoding: chunked\r\nContent-Length: 5")) == 400);
    CHECK(outcome_of(with_field("Content-Length: 5\r\nTransfer-Encoding: chunked")) == 400);
    CHECK(outcome_of("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
}

TEST_CASE("request parser: a repeated header that is not a list gives 400") {
    for (const std::string name : {"Content-Type", "Authorization", "Host", "Range", "User-Agent", "Referer"}) {
        CAPTURE(name);
        const std::string line = name + ": a";
        CHECK(outcome_of("GET / HTTP/1.1\r\nHost: a\r\n" + line + "\r\n" + lower_of(line) + "\r\n\r\n") == 400);
    }
    CHECK(parsed(with_field("Accept: a\r\nAccept: b")).field("accept") == "a, b");
}

TEST_CASE("request parser: the caller sets the largest body") {
    http::RequestParser small(3);
    CHECK(outcome_of(small, with_field("Content-Length: 4"), 1000) == 413);
    http::RequestParser large(std::uint64_t{1} << 40);
    CHECK(outcome_of(large, with_field("Content-Length: 1099511627776"), 1000) == COMPLETE);
}

TEST_CASE("body parser: ends a body at its Content-Length") {
    CHECK(body_of("Content-Length: 3", "abcdef", 1000) == Body{COMPLETE, "abc", 3});
    CHECK(body_of("Content-Length: 3", "ab", 1000) == Body{INCOMPLETE, "ab", 2});
    CHECK(body_of("Content-Length: 0", "abc", 1000) == Body{COMPLETE, "", 0});
    CHECK(body_of("A: b", "abc", 1000) == Body{COMPLETE, "", 0});
}

TEST_CASE("body parser: decodes a chunked body in pieces of any size") {
    const std::string chunks = "3\r\nabc\r\n00a;x=\"y z\"\r\n0123456789\r\n0\r\nTrailer: t\r\nB: c\r\n\r\n";
    for (std::size_t at_once = 1; at_once <= chunks.size() + 5; ++at_once) {
        CHECK(body_of("Transfer-Encoding: chunked", chunks + "more", at_once) ==
              Body{COMPLETE, "abc0123456789", chunks.size()});
    }
    for (std::size_t size = 0; size < chunks.size(); ++size) {
        CHECK(body_of("Transfer-Encoding: chunked", chunks.substr(0, size), 1000).outcome == INCOMPLETE);
    }
}

TEST_CASE("body parser: rejects a chunked body that two servers might read differently") {
    const auto outcome = [](const std::string& chunks) {
        const int whole = body_of("Transfer-Encoding: chunked", chunks, 10'000).outcome;
        CHECK(body_of("Transfer-Encoding: chunked", chunks, 1).outcome == whole);
        return whole;
    };
    for (const char* bad :
         {"\r\n",     "x\r\n",      "0x3\r\nabc\r\n", "-3\r\n",       "+3\r\n",         " 3\r\n",         "3 \r\n",
          "3 ;a\r\n", ";a\r\n",     "3\nabc\r\n",     "3\r\nabc\n",   "3\r\nabcd\r\n",  "3\r\nabc0\r\n",  "3\rx",
          "3;\n\r\n", "3;\x01\r\n", "3,4\r\n",        "0\r\nA b\r\n", "0\r\n A: b\r\n", "0\r\nA : b\r\n", "0\r\n\n"}) {
        CAPTURE(bad);
        CHECK(outcome(bad) == 400);
    }
    CHECK(outcome("10000000000000000\r\n") == 413);  // does not fit into 64 bits
    CHECK(outcome("ffffffffffffffff\r\n") == 413);
    CHECK(outcome("3;" + std::string(http::MAX_CHUNK_LINE - 2, 'x') + "\r\n") == INCOMPLETE);
    CHECK(outcome("3;" + std::string(http::MAX_CHUNK_LINE - 1, 'x') + "\r\n") == 400);
    CHECK(outcome("0\r\nA: " + std::string(http::MAX_FIELDS_SIZE, 'x') + "\r\n") == 431);
    http::RequestParser head;
    head.feed(with_field("Transfer-Encoding: chunked"));
    http::BodyParser body(head.request(), 5);
    CHECK(body.next("3\r\nabc").data == "abc");
    CHECK_THROWS_AS(body.next("\r\n3\r\n"), http::Error);  // six bytes in all, and the limit is five
}

TEST_CASE("response: writes its head from the application's status and fields") {
    http::Response response("404 Not Here");
    response.add("X-A", "b");
    response.add("Content-Length", "3");
    CHECK(response.status() == 404);
    CHECK(response.has_body());
    CHECK(response.head().starts_with("HTTP/1.1 404 Not Here\r\nX-A: b\r\nDate: "));
    CHECK(response.head().ends_with(" GMT\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"));
    http::Response dated("204 No Content");
    dated.add("dAte", "x");
    dated.set_content_length(0);
    CHECK_FALSE(dated.has_body());
    CHECK(dated.head() == "HTTP/1.1 204 No Content\r\ndAte: x\r\nConnection: close\r\n\r\n");
}

TEST_CASE("response: rejects a status or field that would break its framing") {
    for (const char* status :
         {"", "200", "200 ", "2000 OK", "20 OK", "abc OK", "100 Continue", "600 X", "200-OK", "200 O\nK"}) {
        CAPTURE(status);
        if (std::string(status) == "200 ")
            CHECK_NOTHROW(http::Response{status});  // RFC 9112, 4: the reason may be empty
        else CHECK_THROWS_AS(http::Response{status}, std::invalid_argument);
    }
    const auto add = [](const char* name, const std::string& value) { http::Response("200 OK").add(name, value); };
    for (const char* name : {"", "A B", "A:", "A\r\nB", "\xe9"}) CHECK_THROWS_AS(add(name, "b"), std::invalid_argument);
    for (const char* value : {"a\r\nB: c", "a\n", "\r", "\x01", "\x7f"})
        CHECK_THROWS_AS(add("A", value), std::invalid_argument);
    CHECK_THROWS_AS(add("A", std::string("\0", 1)), std::invalid_argument);
    CHECK_NOTHROW(add("A", "\xe9\tb"));
    for (const char* name :
         {"Connection", "keep-alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Connection"}) {
        CHECK_THROWS_AS(add(name, "b"), std::invalid_argument);
    }
    for (const char* length : {"", "-1", "+1", "1 ", "0x1", "1, 1", "18446744073709551616"}) {
        CHECK_THROWS_AS(add("Content-Length", length), std::invalid_argument);
    }
}

TEST_CASE("request parser: HTTP/1.0 cannot expect 100-continue, and an unknown expectation gives 417") {
    CHECK(parsed(with_field("Expect: 100-Continue")).expects_continue);
    CHECK_FALSE(parsed("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue);
    CHECK(outcome_of(with_field("Expect: a miracle")) == 417);
}

TEST_CASE("request parser: one byte or one line over a limit gives 414 or 431") {
    const auto line_of = [](std::size_t size) { return "GET /" + std::string(size - 14, 'x') + " HTTP/1.1"; };
    CHECK(outcome_of(with_line(line_of(http::MAX_REQUEST_LINE))) == COMPLETE);
    CHECK(outcome_of(with_line(line_of(http::MAX_REQUEST_LINE + 1))) == 414);
    CHECK(outcome_of(std::string(http::MAX_REQUEST_LINE + 1, 'x')) == 414);  // also when the line never ends

    const std::size_t left = http::MAX_FIELDS_SIZE - std::string("Host: hA: ").size();
    CHECK(outcome_of(with_field("A: " + std::string(left, 'x'))) == COMPLETE);
    CHECK(outcome_of(with_field("A: " + std::string(left + 1, 'x'))) == 431);
    CHECK(outcome_of("GET / HTTP/1.1\r\n" + std::string(http::MAX_FIELDS_SIZE + 1, 'x')) == 431);

    std::string lines = "A: b";
    for (std::size_t i = 2; i < http::MAX_FIELDS; ++i) lines += "\r\nA: b";
    CHECK(outcome_of(with_field(lines)) == COMPLETE);
    CHECK(outcome_of(with_field(lines + "\r\nA: b")) == 431);
}

TEST_CASE("request parser: keeps the request line for the log, also when it is malformed") {
    http::RequestParser parser;
    CHECK_THROWS_AS(parser.feed("GET / HTTP/9.9\r\nHost: h\r\n\r\n"), http::Error);
    CHECK(parser.request_line() == "GET / HTTP/9.9");
    http::RequestParser other;
    CHECK_THROWS_AS(other.feed(std::string("GE\0T", 4)), http::Error);
    CHECK(other.request_line() == std::string("GE\0", 3));
}

TEST_CASE("page: says its status in plain text, and has no body for HEAD") {
    const http::Page page(504);
    CHECK(page.text.starts_with("HTTP/1.1 504 Gateway Timeout\r\nContent-Type: text/plain\r\nDate: "));
    CHECK(page.text.ends_with(" GMT\r\nContent-Length: 20\r\nConnection: close\r\n\r\n504 Gateway Timeout\n"));
    CHECK(page.body_size == 20);
    const http::Page head(400, true);
    CHECK(head.text.ends_with("Content-Length: 16\r\nConnection: close\r\n\r\n"));
    CHECK(head.body_size == 0);
}

TEST_CASE("date: has the fixed form of an HTTP date") {
    const std::string date = http::date();  // "Sun, 06 Nov 1994 08:49:37 GMT"
    CHECK(date.size() == 29);
    CHECK(date.ends_with(" GMT"));
    CHECK(date[3] == ',');
    CHECK(date[25] == ' ');
}
