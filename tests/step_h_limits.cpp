// step_h: how many workers it has, and how it stops.
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <deque>
#include <string>
#include <system_error>
#include <vector>

#include "../net/socket.hpp"
#include "../tools/harness/client.hpp"
#include "../tools/harness/process.hpp"
#include "../tools/harness/server.hpp"
#include "../tools/proc/process.hpp"
#include "../tools/proc/tcp.hpp"
#include "step_h.hpp"
#include "support.hpp"

using namespace step_h;

namespace {

/// A client that keeps a worker busy, since the last line of its request is missing.
struct HalfRequest {
    explicit HalfRequest(Server& server) : client(server.port()) { client.send("GET /hello HTTP/1.1\r\nHost: h\r\n"); }
    Reply finish() {
        client.send("\r\n");
        return Reply(client);
    }
    Client client;
};

/// Whether a connection is established at once. On loopback it is, unless the kernel drops or refuses it.
bool can_connect(const Server& server) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const sockaddr_in address = loopback(server.port());
    const bool is_refused =
        connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == -1 && errno != EINPROGRESS;
    pollfd connected = {fd, POLLOUT, 0};
    const bool is_made = !is_refused && poll(&connected, 1, 0) == 1;
    close(fd);
    return is_made;
}

std::size_t workers_of(const Server& server) { return proc::children(server.pid()).size(); }

}  // namespace

TEST_CASE("step_h: preforks workers that wait in accept, while the parent waits in poll") {
    Server server(hello());
    INFO(server.describe());
    CHECK_EVENTUALLY(server, idle_workers(server) == 2 && workers_of(server) == 2);
    CHECK_EVENTUALLY(server, proc::blocked_in(server.pid()).ends_with("poll"));
    std::string pids;
    for (const proc::Process& worker : proc::children(server.pid())) pids += std::to_string(worker.pid) + ' ';
    for (int i = 0; i < 10; ++i) CHECK(get(server).status == 200);
    std::string later;
    for (const proc::Process& worker : proc::children(server.pid())) later += std::to_string(worker.pid) + ' ';
    CHECK(later.starts_with(pids));  // another worker joins only while one is closing a connection
}

TEST_CASE("step_h: keeps a worker idle until MAX_CLIENTS are busy, and then clients wait in the queue") {
    Server server(hello().with("MAX_CLIENTS", "5"));
    INFO(server.describe());
    std::deque<HalfRequest> clients;
    for (std::size_t busy = 1; busy <= 4; ++busy) {
        clients.emplace_back(server);
        CHECK_EVENTUALLY(server, workers_of(server) - idle_workers(server) == busy && idle_workers(server) >= 1);
    }
    CHECK(get(server).status == 200);
    clients.emplace_back(server);
    CHECK_EVENTUALLY(server, workers_of(server) == 5 && idle_workers(server) == 0);
    Client next(server.port());
    next.ask();
    CHECK_EVENTUALLY(server, server.queued() == 1);
    CHECK(workers_of(server) == 5);
    CHECK_FALSE(next.has_ended());
    CHECK(clients.front().finish().status == 200);
    CHECK(Reply(next).status == 200);
    for (std::size_t i = 1; i < clients.size(); ++i) CHECK(clients[i].finish().status == 200);
}

TEST_CASE("step_h: ends the surplus workers after five idle seconds, and keeps the others") {
    Server server(hello());
    INFO(server.describe());
    {
        std::deque<HalfRequest> clients;
        for (int i = 0; i < 6; ++i) clients.emplace_back(server);
        CHECK_EVENTUALLY(server, workers_of(server) == 7);
        for (HalfRequest& request : clients) CHECK(request.finish().status == 200);
    }
    CHECK(eventually([&] { return workers_of(server) == 2; }));
    CHECK(eventually([&] { return idle_workers(server) == 2 && server.zombies().empty(); }));
    CHECK(get(server).status == 200);
    CHECK(server.err() == "");
}

TEST_CASE("step_h: TIMEOUT frees a worker when silent clients keep all of them busy") {
    Server server(hello().with("MAX_CLIENTS", "2").with("TIMEOUT", "0.3"));
    INFO(server.describe());
    const Client first(server.port());
    const Client second(server.port());
    CHECK(get(server).status == 200);
}

TEST_CASE("step_h: restores the number of workers when busy or idle ones are killed") {
    Server server(hello().with("MAX_CLIENTS", "3"));
    INFO(server.describe());
    for (int round = 0; round < 6; ++round) {
        std::deque<HalfRequest> clients;
        for (int i = 0; i < 2; ++i) clients.emplace_back(server);
        CHECK_EVENTUALLY(server, workers_of(server) == 3 && idle_workers(server) == 1);
        for (const proc::Process& worker : proc::children(server.pid())) {
            if (is_idle(worker)) kill(worker.pid, SIGKILL);
        }
        CHECK_EVENTUALLY(server, server.zombies().empty() && workers_of(server) == 3 && idle_workers(server) == 1);
        for (const proc::Process& worker : proc::children(server.pid())) kill(worker.pid, SIGKILL);
        for (HalfRequest& request : clients) CHECK_EVENTUALLY(server, request.client.has_ended());
        CHECK_EVENTUALLY(server, server.zombies().empty() && idle_workers(server) == 2 && workers_of(server) == 2);
    }
    CHECK(get(server).status == 200);
}

TEST_CASE("step_h: answers every client with fewer workers when it may not have more processes") {
    Program limited = hello();
    limited.max_processes = 9;  // the parent, and four workers with two threads each
    Server server(limited.with("TIMEOUT", "600"));
    INFO(server.describe());
    std::deque<HalfRequest> clients;
    for (int i = 0; i < 8; ++i) clients.emplace_back(server);
    CHECK_EVENTUALLY(
        server, server.queued() >= 1 && server.err().find("Resource temporarily unavailable") != std::string::npos);
    for (HalfRequest& request : clients) CHECK(request.finish().status == 200);
    CHECK(get(server).status == 200);
}

TEST_CASE("step_h: a worker without a free descriptor pauses, and can still be stopped") {
    Program limited = hello().with("GRACE", "0.3");
    limited.max_descriptors = 6;  // 0, 1, 2, the listening socket, and the pipe that wakes the parent
    Server server(limited);
    INFO(server.describe());
    Client client(server.port());
    client.ask();
    CHECK_EVENTUALLY(server, server.queued() == 1);
    CHECK_FALSE(client.has_ended());
    server.signal(SIGTERM);
    CHECK(server.until_ended());
    CHECK(server.fate() == "exited with 0");
}

TEST_CASE("step_h: SIGTERM and SIGINT free the port, let begun requests finish, and end it with status 0") {
    for (const int number : {SIGTERM, SIGINT}) {
        const net::Socket reserved = harness::reserve_port();  // so that the kernel gives it to no other process
        const Program program = hello().with("PORT", std::to_string(reserved.port()));
        Server server(program);
        INFO(server.describe());
        HalfRequest begun(server);
        CHECK_EVENTUALLY(server, workers_of(server) - idle_workers(server) == 1);
        server.signal(number);
        CHECK_EVENTUALLY(server, !server.is_listening());
        CHECK_THROWS_AS(Client(server.port()), std::system_error);
        Server next(program);
        CHECK(get(next).status == 200);
        CHECK_FALSE(server.has_ended());
        const Reply reply = begun.finish();
        CHECK(reply.body == "Hello, World!\n");
        CHECK_FALSE(reply.was_reset);
        CHECK(server.until_ended());
        CHECK(server.fate() == "exited with 0");
        CHECK(server.err() == "");
        CHECK(server.left_zombies().empty());
    }
}

TEST_CASE("step_h: serves the clients in the accept queue when SIGTERM stops it") {
    Server server(hello().with("MAX_CLIENTS", "1"));
    INFO(server.describe());
    HalfRequest begun(server);
    CHECK_EVENTUALLY(server, workers_of(server) == 1 && idle_workers(server) == 0);
    std::deque<Client> waiting;
    for (int i = 0; i < 20; ++i) waiting.emplace_back(server.port()).ask();
    CHECK_EVENTUALLY(server, server.queued() == 20);
    server.signal(SIGTERM);
    CHECK(eventually([&] { return !can_connect(server); }));
    for (int i = 0; i < 10; ++i) CHECK(server.stays([&] { return server.is_listening(); }));
    CHECK(begun.finish().status == 200);
    for (Client& client : waiting) {
        const Reply reply(client);
        CHECK(reply.body == "Hello, World!\n");
        CHECK_FALSE(reply.was_reset);
    }
    CHECK(server.until_ended());
    CHECK(server.fate() == "exited with 0");
}

TEST_CASE("step_h: a second signal or the end of GRACE ends the workers and their children") {
    for (const bool is_impatient : {true, false}) {
        CAPTURE(is_impatient);
        Server server(pages().with("GRACE", is_impatient ? "600" : "0.2"));
        INFO(server.describe());
        Client client(server.port());
        client.send("GET /hang?child HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK_EVENTUALLY(server, server.err().find("child ") != std::string::npos);
        server.signal(SIGTERM);
        if (is_impatient) {
            CHECK_EVENTUALLY(server, !server.is_listening());
            CHECK_FALSE(server.has_ended());
            server.signal(SIGINT);
        }
        CHECK(server.until_ended());
        CHECK(server.fate() == "exited with 0");
        for (const char* name : {"pid", "child"}) {
            const pid_t pid = number_after(server.err(), name);
            CHECK(pid != 0);
            CHECK(eventually([&] { return !is_running(pid); }));
        }
    }
}

TEST_CASE("step_h: a worker has its own process group, so that a terminal's Ctrl-C reaches the parent alone") {
    Server server(pages());
    const pid_t worker = number_after(get(server, "/process").body, "pid");
    CHECK(getpgid(worker) == worker);
}

TEST_CASE("step_h: its workers end when SIGKILL ends the parent") {
    Server server(pages());
    INFO(server.describe());
    Client hanging(server.port());
    hanging.send("GET /hang?blocked HTTP/1.1\r\nHost: h\r\n\r\n");
    HalfRequest begun(server);
    CHECK_EVENTUALLY(server, workers_of(server) == 3 && idle_workers(server) == 1);
    const std::vector<proc::Process> workers = proc::children(server.pid());
    server.signal(SIGKILL);
    CHECK(server.until_ended());
    for (const proc::Process& worker : workers) CHECK(eventually([&] { return !is_running(worker.pid); }));
}

TEST_CASE("step_h: exits with 0 after SIGTERM at any moment") {
    for (int i = 0; i < 10; ++i) {
        Server server(hello());
        INFO(server.describe());
        std::deque<Client> clients;
        for (int k = 0; k < i % 4; ++k) clients.emplace_back(server.port());  // so that workers start and end meanwhile
        server.signal(SIGTERM);
        clients.clear();
        CHECK(server.until_ended());
        CHECK(server.fate() == "exited with 0");
    }
}
