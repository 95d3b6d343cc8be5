// step_h under load, which takes longer than a test should: `make test_heavy`.
#include "../step_h.hpp"

#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "../../net/socket.hpp"
#include "../../tools/harness/client.hpp"
#include "../../tools/harness/process.hpp"
#include "../../tools/harness/program.hpp"
#include "../../tools/harness/server.hpp"
#include "../../tools/proc/process.hpp"
#include "../support.hpp"

using namespace step_h;

namespace {

constexpr long long MEGABYTE = 1024LL * 1024;

/// How much memory the process has had at most, in bytes (VmHWM, proc(5)).
long long peak_memory(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string word; status >> word;) {
        if (word == "VmHWM:") return status >> word ? std::stoll(word) * 1024 : 0;
    }
    return 0;
}

/// Runs curl against the server, and watches how much memory the server and its child need meanwhile.
struct Watched {
    Watched(Server& server, std::vector<std::string> arguments, const std::string& target) {
        arguments.insert(arguments.begin(), {"curl", "--silent", "--show-error", "--noproxy", "*"});
        arguments.push_back("http://localhost:" + std::to_string(server.port()) + target);
        Process curl(Program{arguments});
        const auto begin = std::chrono::steady_clock::now();
        CHECK(curl.until([&] {
            server_memory = std::max(server_memory, peak_memory(server.acceptor()));
            for (const proc::Process& child : proc::children(server.acceptor())) {
                child_memory = std::max(child_memory, peak_memory(child.pid));
            }
            return curl.has_ended();
        }));
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
        out = curl.out();
        CHECK_MESSAGE(curl.fate() == "exited with 0", curl.err());
        std::cout << target.substr(0, 20) << ": " << time.count() << " s, at most " << server_memory / 1024
                  << " KiB in the server, " << child_memory / 1024 << " KiB in its child" << std::endl;
    }
    std::string out;
    long long server_memory = 0;
    long long child_memory = 0;
};

/// Valid requests, which the generator spoils.
const std::vector<std::string> REQUESTS = {
    std::string(REQUEST),
    "POST /a%20b?c=d HTTP/1.1\r\nHost: h:80\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n\r\nabc",
    "GET http://example.org/ HTTP/1.1\r\nHost: h\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
};

/// Spoils a request in one to four places: a byte changed, lost or doubled, a piece that means something put in, the
/// rest cut off.
std::string malformed(std::mt19937& random) {
    const auto below = [&](std::size_t limit) { return random() % limit; };
    const std::string pieces[] = {"\r",
                                  "\n",
                                  "\r\n",
                                  "\r\n ",
                                  ":",
                                  " :",
                                  " ",
                                  "\t",
                                  std::string(1, '\0'),
                                  "%00",
                                  "HTTP",
                                  "\r\n\r\n",
                                  "#",
                                  "\xff",
                                  ",",
                                  std::string(9000, 'x')};
    std::string request = REQUESTS[below(REQUESTS.size())];
    for (std::size_t times = 1 + below(4); times > 0; --times) {
        const std::size_t at = below(request.size());
        switch (below(5)) {
            case 0:
                request[at] = static_cast<char>(below(256));
                break;
            case 1:
                request.erase(at + 1, 1 + below(3));
                break;
            case 2:
                request.insert(at, request.substr(below(request.size()), below(20)));
                break;
            case 3:
                request.insert(at, pieces[below(std::size(pieces))]);
                break;
            default:
                request.resize(at + 1);
        }
    }
    return request;
}

}  // namespace

TEST_CASE("10,000 malformed requests: each gets an answer, and a clean end") {
    Server server(hello());
    INFO(server.describe());
    std::mt19937 random(2026);  // NOLINT(cert-msc51-cpp): the same each time
    std::map<int, int> statuses;
    for (int i = 0; i < 10'000; ++i) {
        CAPTURE(i);
        Client client(server.port());
        client.send(malformed(random));
        client.half_close();
        const Reply reply(client);
        REQUIRE(reply.status != 0);
        REQUIRE_FALSE(reply.was_reset);
        ++statuses[reply.status];
    }
    for (const auto& [status, count] : statuses) std::cout << status << ": " << count << " times" << std::endl;
    CHECK(statuses[400] > 5'000);
    CHECK(statuses.size() > 5);
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK_EVENTUALLY(server, server.zombies().empty());  // at the next roll call
    CHECK(server.sockets() == 1);
    CHECK(server.err() == "");
    CHECK(get(server).status == 200);
}

TEST_CASE("1,000 others are served while 1,000 silent clients are held") {
    constexpr std::size_t COUNT = 1000;
    rlimit descriptors = {};
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    Server server(hello().with("MAX_CLIENTS", "1010").with("TIMEOUT", "600"));
    INFO(server.describe());
    std::deque<Client> silent;
    while (silent.size() < COUNT) silent.emplace_back(server.port());
    REQUIRE(server.until([&] { return server.children().size() == COUNT && server.waits_in_accept(); }));
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < COUNT; ++i) REQUIRE(get(server).body == "Hello, World!\n");
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    std::cout << COUNT << " served in " << time.count() << " s" << std::endl;
    for (const Client& client : silent) REQUIRE_FALSE(client.has_ended());
    for (Client& client : silent) client.ask();
    for (Client& client : silent) REQUIRE(Reply(client).status == 200);
    CHECK_EVENTUALLY(server, server.is_quiet());
    CHECK_EVENTUALLY(server, server.zombies().empty());  // at the next roll call
}

TEST_CASE("a form of 10 MB is posted, a file of 100 MB is loaded, and the memory stays flat") {
    char form[] = "/tmp/form.XXXXXX";
    const int fd = mkstemp(form);
    REQUIRE(fd != -1);
    const std::string text = "a=x&b=" + std::string(10 * MEGABYTE, 'y');
    CHECK(net::write_all(fd, text) == 0);
    close(fd);
    Server flask(wsgi("flask_app:application"));
    INFO(flask.describe());
    const Watched posted(flask, {"--data-binary", std::string("@") + form}, "/form");
    unlink(form);
    CHECK(posted.out == "x " + std::to_string(10 * MEGABYTE) + '\n');

    Server plain(wsgi("plain:download"));
    INFO(plain.describe());
    const std::string size = std::to_string(100 * MEGABYTE);
    const Watched loaded(plain, {"-o", "/dev/null", "-w", "%{http_code} %{size_download}"}, "/?" + size);
    CHECK(loaded.out == "200 " + size);

    for (const Watched* one : {&posted, &loaded}) {
        CHECK(one->server_memory > 0);
        CHECK(one->server_memory < 8 * MEGABYTE);
        CHECK(one->child_memory > 0);
        CHECK(one->child_memory < 8 * MEGABYTE);
    }
}
