// step_h with WSGI applications of our own, with wsgiref.validate around each: it raises an exception, which becomes a
// 500 and is seen on stderr, at whatever is not as PEP 3333 wants it. Those of Flask, Django and Pyramid are in heavy/.
#include <string>

#include "../tools/harness/server.hpp"
#include "step_h.hpp"
#include "support.hpp"

using namespace step_h;

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
