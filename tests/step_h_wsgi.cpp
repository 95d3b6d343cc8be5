// step_h and its application: what PEP 3333 asks for. heavy/frameworks.cpp tests Flask, Django and Pyramid.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "../tools/harness/client.hpp"
#include "../tools/harness/server.hpp"
#include "step_h.hpp"
#include "support.hpp"

using namespace step_h;

namespace {

std::string content_of(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

/// A named pipe (fifo(7)); an application waits for a line from it.
class Pipe {
public:
    Pipe() {
        std::string folder = "/tmp/step_h.XXXXXX";
        CHECK(mkdtemp(folder.data()) != nullptr);
        folder_ = folder;
        CHECK(mkfifo(path().c_str(), 0666) == 0);
    }
    ~Pipe() {
        unlink(path().c_str());
        rmdir(folder_.c_str());
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    std::string path() const { return folder_ + "/pipe"; }
    void write(const std::string& line) const { std::ofstream(path()) << line << std::flush; }

private:
    std::string folder_;
};

}  // namespace

TEST_CASE("step_h: wsgiref.validate finds no fault") {
    Server server(running("pages:checked"));
    INFO(server.describe());
    CHECK(get(server, "/hello").body == "Hello, World!\n");
    CHECK(get(server, "/generator").body == "part 0\npart 1\npart 2\n");
    CHECK(get(server, "/write").body == "written and returned\n");
    CHECK(get(server, "/exc_info").status == 503);
    CHECK(post(server, "/echo_blocks", "abc\n").body == "abc\n");
    CHECK(post(server, "/environ?a=b", "body", "X-Some: thing\r\nContent-Type: text/plain\r\n").status == 200);
    CHECK(get(server, "/file?README.md").body == content_of("README.md"));
    CHECK(ask(server, "HEAD /hello HTTP/1.0\r\n\r\n").status == 200);
    CHECK(get(server, "/prints").status == 200);
    CHECK(server.err() == "said\n");
}

TEST_CASE("step_h: environ has every key of the request, and nothing of the server's own environment") {
    Server server(pages().with("SECRET", "x").with("HTTP_PROXY", "x"));
    INFO(server.describe());
    const Reply reply = post(server, "/environ?b=%41+c", "body",
                             "Content-Type: text/x\r\nX-A: b\r\nX-A: c\r\nCookie: d\r\nCookie: e\r\nX-Caf: \xe9\r\n");
    const std::string port = std::to_string(server.port());
    for (const std::string line :
         {"CONTENT_LENGTH='4'\n",         "CONTENT_TYPE='text/x'\n",      "GATEWAY_INTERFACE='CGI/1.1'\n",
          "HTTP_COOKIE='d; e'\n",         "HTTP_HOST='localhost'\n",      "HTTP_X_A='b, c'\n",
          "HTTP_X_CAF='\xe9'\n",          "PATH_INFO='/environ'\n",       "QUERY_STRING='b=%41+c'\n",
          "REMOTE_ADDR='127.0.0.1'\n",    "REQUEST_METHOD='POST'\n",      "SCRIPT_NAME=''\n",
          "SERVER_NAME='localhost'\n",    "SERVER_PROTOCOL='HTTP/1.1'\n", "SERVER_SOFTWARE='step_h'\n",
          "wsgi.input_terminated=True\n", "wsgi.multiprocess=True\n",     "wsgi.multithread=False\n",
          "wsgi.run_once=False\n",        "wsgi.url_scheme='http'\n",     "wsgi.version=(1, 0)\n"}) {
        CAPTURE(line);
        CHECK(reply.body.find(line) != std::string::npos);
    }
    CHECK(reply.body.find("SERVER_PORT='" + port + "'\n") != std::string::npos);
    CHECK(reply.body.find("HTTP_CONTENT") == std::string::npos);
    CHECK(reply.body.find("SECRET") == std::string::npos);
    CHECK(get(server, "/environ").body.find("CONTENT_") == std::string::npos);
    CHECK(get(server, "/%65nviron").body.find("PATH_INFO='/environ'\n") != std::string::npos);
}

TEST_CASE("step_h: environ has no HTTP_PROXY from Proxy, and nothing from X_User") {
    Server server(pages());
    const Reply reply = get(server, "/environ", "Proxy: http://evil\r\nX_User: root\r\nX-User: me\r\nX.Y: z\r\n");
    CHECK(reply.body.find("PROXY") == std::string::npos);
    CHECK(reply.body.find("HTTP_X_USER='me'\n") != std::string::npos);
    CHECK(count_in(reply.body, "HTTP_") == 2);
}

TEST_CASE("step_h: wsgi.input has read, readline, readlines and iteration, and ends with the body") {
    Server server(pages());
    INFO(server.describe());
    const std::string parts = "[b'one', b'\\n', b'tw', b'o\\n', b'three\\n', b'four\\n', b'five', b'', b'', b'']";
    const std::string body = "one\ntwo\nthree\nfour\nfive";
    CHECK(post(server, "/body_read", body).body == parts);
    CHECK(ask(server, "POST /body_read HTTP/1.1\r\nHost: h\r\nContent-Length: 23\r\n\r\n" + body + "more").body ==
          parts);
    CHECK(ask(server,
              "POST /body_read HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
              "9\r\none\ntwo\nt\r\ne\r\nhree\nfour\nfive\r\n0\r\n\r\n")
              .body == parts);
    CHECK(get(server, "/body_read").body == "[b'', b'', b'', b'', b'', b'', b'']");
}

TEST_CASE("step_h: sets the Content-Length of a response of one block, and ends others by closing") {
    Server server(pages());
    INFO(server.describe());
    CHECK(get(server, "/hello").head.find("\r\nContent-Length: 14\r\n") != std::string::npos);
    CHECK(get(server, "/nothing").head.find("\r\nContent-Length: 0\r\n") != std::string::npos);
    const Reply parts = get(server, "/generator");
    CHECK(parts.head.find("Content-Length") == std::string::npos);
    CHECK(parts.body == "part 0\npart 1\npart 2\n");
    CHECK_FALSE(parts.was_reset);
    CHECK(get(server, "/write").body == "written and returned\n");
    CHECK(get(server, "/late_start").body == "late\n");
    CHECK(get(server, "/no_length").body == "Hello, World!\n");
    CHECK(server.err() == "");
}

TEST_CASE("step_h: sends each block before it asks for the next") {
    Server server(pages());
    INFO(server.describe());
    const Pipe pipe;
    Client client(server.port());
    client.send("GET /blocks?" + pipe.path() + " HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_EVENTUALLY(server, client.received().ends_with("first\n"));
    CHECK_EVENTUALLY(server, server.err() == "the second is asked for\n");
    CHECK_FALSE(client.has_ended());
    pipe.write("second\n");
    CHECK(client.receive_all() == "second\n");
}

TEST_CASE("step_h: passes status and fields on, and adds Date and Connection") {
    Server server(pages());
    INFO(server.describe());
    const Reply reply = get(server, "/fields");
    CHECK(
        reply.head.starts_with("HTTP/1.1 404 Not Here\r\nContent-Type: text/plain\r\n"
                               "Set-Cookie: a\r\nSet-Cookie: b\r\nX-Caf: \xe9\r\nDate: "));
    CHECK(reply.head.ends_with("\r\nContent-Length: 1\r\nConnection: close\r\n\r\n"));
}

TEST_CASE("step_h: sends no more than Content-Length, and resets a response that is shorter") {
    Server server(pages());
    INFO(server.describe());
    const Reply more = get(server, "/length?5&abc&def&ghi");
    CHECK(more.body == "abcde");
    CHECK_FALSE(more.was_reset);
    CHECK_EVENTUALLY(server, server.err() == "sent abc\nclosed\n");
    const Reply less = get(server, "/length?7&abc&def");
    CHECK(less.status == 200);
    CHECK(less.was_reset);
    CHECK_EVENTUALLY(server, server.err().ends_with("step_h: a response that is shorter than its Content-Length\n"));
    const Reply written = get(server, "/length_write");
    CHECK(written.body == "abc");
    CHECK_EVENTUALLY(
        server,
        server.err().ends_with("write of 4: more than the Content-Length\nwrite of 1: more than the Content-Length\n"));
}

TEST_CASE("step_h: an invalid start_response call or body gives 500, and the reason on stderr") {
    Server server(pages());
    const std::pair<const char*, const char*> cases[] = {
        {"status", "ValueError: not a status: \"200\""},
        {"reason", "ValueError: not a status: \"200 O\nK\""},
        {"early", "ValueError: not a status: \"100 Continue\""},
        {"bytes", "TypeError: status, names and values of header fields must be str"},
        {"latin1", "UnicodeEncodeError: 'latin-1' codec can't encode character '\\u20ac' in position 0"},
        {"name_latin1", "UnicodeEncodeError: 'latin-1' codec can't encode character '\\u20ac' in position 2"},
        {"newline", "ValueError: control character in the header field X-A"},
        {"name", "ValueError: not a name of a header field: \"X A\""},
        {"pair", "TypeError: a header field must be a tuple (name, value)"},
        {"list", "TypeError: "},
        {"chunked", "ValueError: hop-by-hop header field Transfer-Encoding"},
        {"hop", "ValueError: hop-by-hop header field Connection"},
        {"lengths", "ValueError: two fields Content-Length"},
        {"number", "ValueError: not a Content-Length: \"-1\""},
        {"twice", "AssertionError: start_response was called twice"},
        {"never", "AssertionError: start_response was not called"},
        {"str", "TypeError: a block of a response must be bytes"},
        {"number_block", "TypeError: a block of a response must be bytes"},
        {"none", "TypeError: 'NoneType' object is not iterable"},
    };
    for (const auto& test : cases) {
        const std::string kind = test.first;
        CAPTURE(kind);
        INFO(server.describe());
        const std::size_t before = server.err().size();
        const Reply reply = get(server, "/bad?" + kind);
        CHECK(reply.status == 500);
        CHECK_FALSE(reply.was_reset);
        CHECK(server.err().substr(before).find(test.second) != std::string::npos);
    }
}

TEST_CASE("step_h: exc_info replaces a response that was not sent, and raises again when it was") {
    Server server(pages());
    INFO(server.describe());
    const Reply early = get(server, "/exc_info");
    CHECK(early.status == 503);
    CHECK(early.head.find("X-First") == std::string::npos);
    CHECK(early.body == "sorry\n");
    CHECK(server.err() == "");
    const Reply late = get(server, "/exc_info_late");
    CHECK(late.status == 200);
    CHECK(late.was_reset);
    CHECK_EVENTUALLY(server, server.err().ends_with("LookupError: on purpose\n"));
}

TEST_CASE("step_h: calls close() whatever happens") {
    Server server(pages());
    INFO(server.describe());
    std::size_t count = 0;
    for (const char* kind : {"whole", "raises", "late", "text", "exit"}) {
        CAPTURE(kind);
        get(server, std::string("/closing?") + kind);
        ++count;
        CHECK_EVENTUALLY(server, count_in(server.err(), "closed\n") == count);
    }
    const Reply reply = get(server, "/closing_fails");
    CHECK(reply.body == "page\n");
    CHECK_EVENTUALLY(server, server.err().ends_with("RuntimeError: close fails\n"));
    CHECK(get(server, "/file_like").body == std::string(10'000, 'x'));
    CHECK_EVENTUALLY(server, count_in(server.err(), "closed\n") == count + 1);
}

TEST_CASE("step_h: wsgi.file_wrapper sends a file from its current position, or a part of it") {
    Server server(pages());
    INFO(server.describe());
    const std::string page = content_of("README.md");
    const Reply whole = get(server, "/file?README.md");
    CHECK(whole.body == page);
    CHECK(whole.head.find("\r\nContent-Length: " + std::to_string(page.size()) + "\r\n") != std::string::npos);
    CHECK(get(server, "/file?README.md&100").body == page.substr(100));
    CHECK(get(server, "/file?README.md&100&50").body == page.substr(100, 50));
    CHECK(get(server, "/file?README.md&999999999").body == "");
    CHECK(get(server, "/file?README.md&0&999999999").was_reset);
    CHECK(get(server, "/compressed").body == "unpacked\n");  // sendfile would send the packed bytes
}

TEST_CASE("step_h: objects that an application keeps from a request do not affect the next one") {
    Server server(pages().with("MAX_CLIENTS", "1"));
    INFO(server.describe());
    CHECK(post(server, "/keeps", "abc").body == "[]");
    CHECK(get(server, "/keeps").body == "[b'', 'ValueError']");
    CHECK(get(server, "/hello").body == "Hello, World!\n");
}
