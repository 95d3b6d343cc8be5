// step_h under load. These tests take too long for `make test`: `make test_heavy` runs them.
#include "../step_h.hpp"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
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

/// A value of /proc/PID/status (proc(5)), in bytes.
long long memory(pid_t pid, const std::string& name) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string word; status >> word;) {
        if (word == name) return status >> word ? std::stoll(word) * 1024 : 0;
    }
    return 0;
}
long long peak_memory(pid_t pid) { return memory(pid, "VmHWM:"); }
long long resident_memory(pid_t pid) { return memory(pid, "VmRSS:"); }

/// Runs curl against the server, and measures how far the peak memory of its workers grows.
struct Watched {
    Watched(Server& server, std::vector<std::string> arguments, const std::string& target) {
        arguments.insert(arguments.begin(), {"curl", "--silent", "--show-error", "--noproxy", "*"});
        arguments.push_back("http://localhost:" + std::to_string(server.port()) + target);
        const auto peak = [&] {
            long long most = 0;
            for (const proc::Process& worker : proc::children(server.pid()))
                most = std::max(most, peak_memory(worker.pid));
            return most;
        };
        const long long before = peak();
        Process curl(Program{arguments});
        CHECK(curl.until([&] { return curl.has_ended(); }, std::chrono::minutes(5)));
        out = curl.out();
        CHECK_MESSAGE(curl.fate() == "exited with 0", curl.err());
        growth = peak() - before;
        std::cout << target.substr(0, 30) << ": a worker's memory has grown by " << growth / 1024 << " KiB"
                  << std::endl;
    }
    std::string out;
    long long growth = 0;
};

/// Valid requests for malformed() to change.
const std::vector<std::string> REQUESTS = {
    std::string(REQUEST),
    "POST /a%20b?c=d HTTP/1.1\r\nHost: h:80\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n\r\nabc",
    "GET http://example.org/ HTTP/1.1\r\nHost: h\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
};

/// Changes a valid request in one to four places. Each change sets a byte, removes or repeats bytes, inserts a piece of
/// syntax, or cuts off the rest.
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

/// The descriptors, and the memory in bytes, of all workers.
std::pair<std::size_t, long long> used_by_workers(const Server& server) {
    std::size_t descriptors = 0;
    long long memory = 0;
    for (const proc::Process& worker : proc::children(server.pid())) {
        const std::filesystem::path folder = "/proc/" + std::to_string(worker.pid);
        const std::filesystem::directory_iterator all(folder / "fd");
        descriptors += static_cast<std::size_t>(std::distance(begin(all), end(all)));
        memory += resident_memory(worker.pid);
    }
    return {descriptors, memory};
}

}  // namespace

TEST_CASE("step_h: gives each of 10,000 malformed requests a response and a clean end") {
    Server server(hello());
    INFO(server.describe());
    std::mt19937 random(2026);  // NOLINT(cert-msc51-cpp): the same requests each time
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
    CHECK(server.err() == "");
    CHECK(get(server).status == 200);
}

TEST_CASE("step_h: memory and descriptors do not grow during 20,000 requests") {
    Server server(running("flask_app:application").with("MAX_CLIENTS", "2"));
    INFO(server.describe());
    const auto request = [&](int times) {
        for (int i = 0; i < times; ++i) REQUIRE(get(server, "/hello?name=x", "User-Agent: a\r\n").status == 200);
    };
    request(20'000);
    CHECK_EVENTUALLY(server, idle_workers(server) == 2);
    const auto [descriptors, memory] = used_by_workers(server);
    request(20'000);
    CHECK_EVENTUALLY(server, idle_workers(server) == 2);
    const auto [descriptors_later, memory_later] = used_by_workers(server);
    std::cout << "20,000 requests: the workers' memory has grown by " << (memory_later - memory) / 1024 << " KiB"
              << std::endl;
    CHECK(descriptors_later == descriptors);
    CHECK(memory_later - memory < MEGABYTE);
}

TEST_CASE("step_h: serves 1,000 requests while 1,000 silent clients are connected") {
    constexpr std::size_t COUNT = 1000;
    rlimit descriptors = {};
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    Program program = hello().with("MAX_CLIENTS", "1010").with("TIMEOUT", "600");
    program.patience = std::chrono::minutes(15);  // a thousand forks of a Python interpreter take long
    Server server(program);
    std::deque<Client> silent;
    while (silent.size() < COUNT) silent.emplace_back(server.port());
    // Not server.until(): it gives up on a server that forks without end.
    REQUIRE(eventually([&] { return proc::children(server.pid()).size() > COUNT && server.queued() == 0; },
                       program.patience));
    for (std::size_t i = 0; i < COUNT; ++i) REQUIRE(get(server).body == "Hello, World!\n");
    for (const Client& client : silent) REQUIRE_FALSE(client.has_ended());
    for (Client& client : silent) client.ask();
    for (Client& client : silent) REQUIRE(Reply(client).status == 200);
    CHECK(server.until([&] { return proc::children(server.pid()).size() == 2; }));  // the surplus workers have ended
    CHECK(server.zombies().empty());
    CHECK(server.err() == "");
}

TEST_CASE("step_h: memory stays flat during an upload and a download of 200 MB") {
    char file[] = "/tmp/upload.XXXXXX";
    const int fd = mkstemp(file);
    REQUIRE(fd != -1);
    CHECK(ftruncate(fd, 200 * MEGABYTE) == 0);
    close(fd);
    Server server(pages().with("MAX_BODY", "200"));
    INFO(server.describe());
    const std::string size = std::to_string(200 * MEGABYTE);
    const Watched sized(server, {"-T", file}, "/body_size");
    CHECK(sized.out == size + ' ' + size + '\n');
    const Watched chunked(server, {"-T", file, "-H", "Transfer-Encoding: chunked"}, "/body_size");
    CHECK(chunked.out == size + " none\n");
    unlink(file);
    const Watched sent(server, {"-o", "/dev/null", "-w", "%{http_code} %{size_download}"}, "/download?" + size);
    CHECK(sent.out == "200 " + size);
    const Watched blocks(server, {"-o", "/dev/null", "-w", "%{http_code} %{size_download}"},
                         "/download_blocks?" + size);
    CHECK(blocks.out == "200 " + size);
    for (const Watched* one : {&sized, &chunked, &sent, &blocks}) CHECK(one->growth < MEGABYTE);
}

TEST_CASE("step_h: serves every connection that was made before SIGTERM, in 100 rounds under load") {
    for (int round = 0; round < 100; ++round) {
        CAPTURE(round);
        Server server(hello().with("MAX_CLIENTS", "4"));
        INFO(server.describe());
        std::atomic<int> made = 0;
        std::atomic<int> served = 0;
        std::atomic<bool> was_signalled = false;
        std::vector<std::thread> clients(6);
        for (std::thread& thread : clients) {
            thread = std::thread([&] {
                while (!was_signalled) {
                    try {
                        Client client(server.port());
                        const bool was_before = !was_signalled;
                        client.ask();
                        const bool is_served = Reply(client).body == "Hello, World!\n";
                        if (was_before) ++made, served += is_served;
                    } catch (const std::system_error&) {
                        break;  // refused, since the server is stopping
                    }
                }
            });
        }
        CHECK(eventually([&] { return served > 20 + round; }));
        was_signalled = true;
        server.signal(SIGTERM);
        for (std::thread& client : clients) client.join();
        CHECK(served == made);
        CHECK(server.until_ended());
        CHECK(server.fate() == "exited with 0");
    }
}
