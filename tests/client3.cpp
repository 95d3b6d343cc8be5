// The clients: first_client, and client3 with many connections at once.
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <algorithm>
#include <string>
#include <vector>

#include "../net/socket.hpp"
#include "support.hpp"

namespace {

/// client3 with these arguments, for a server on `port`.
Program client3(std::vector<std::string> arguments, int port) {
    Program program = built("client3").with("PORT", std::to_string(port));
    program.command.insert(program.command.end(), arguments.begin(), arguments.end());
    return program;
}

constexpr const char* USAGE = "client3: usage: client3 [--max-clients N] [--max-conns N] [--help]\n";

}  // namespace

TEST_CASE("first_client: prints its port and the response") {
    Server server(built("step_a"));
    INFO(server.describe());
    const Ended client(built("first_client").with("PORT", std::to_string(server.port())));
    CHECK(client.out.starts_with("my port is "));
    CHECK(client.out.ends_with("\nHTTP/1.1 200 OK\r\n\r\nHello, World!\n\n"));
    CHECK(client.fate == "exited with 0");
}

TEST_CASE("client3: makes one connection when it has no options") {
    Server server(built("step_g"));
    INFO(server.describe());
    const Ended client(client3({}, server.port()));
    CHECK(client.out == "0\n1 of 1 connections made\n");
    CHECK(client.err == "");
    CHECK(client.fate == "exited with 0");
    CHECK_EVENTUALLY(server, server.out().find("GET /hello HTTP/1.1\r\nHost: localhost:") != std::string::npos);
}

TEST_CASE("client3: numbers each client's connections, and takes options with = or a space") {
    Server server(built("step_g"));
    INFO(server.describe());
    const Ended client(client3({"--max-clients", "3", "--max-conns=2"}, server.port()));
    CHECK(count_in(client.out, "0\n") == 3);
    CHECK(count_in(client.out, "1\n") == 3);
    CHECK(client.out.ends_with("6 of 6 connections made\n"));
    CHECK(client.fate == "exited with 0");
}

TEST_CASE("client3: keeps its connections open until all are made") {
    Server server(built("step_a"));
    INFO(server.describe());
    server.signal(SIGSTOP);  // the queue holds six; the seventh keeps client3 waiting
    CHECK_EVENTUALLY(server, server.is_stopped());
    Process client(client3({"--max-conns=7"}, server.port()));
    CHECK_EVENTUALLY(server, server.queued() == 6);
    CHECK(client.until([&] { return client.out() == "0\n1\n2\n3\n4\n5\n"; }));
    const pid_t worker = proc::children(client.pid()).at(0).pid;
    CHECK(client.until([&] { return proc::blocked_in(worker) == "connect"; }));
    const std::vector<proc::Descriptor> open = proc::descriptors(worker);
    CHECK(std::count_if(open.begin(), open.end(),
                        [](const proc::Descriptor& descriptor) { return descriptor.is_socket(); }) == 7);
}

TEST_CASE("client3: prints the reason once when all its clients fail") {
    net::Socket closed(AF_INET, SOCK_STREAM);
    closed.bind(loopback(0));  // bound, not listening: the port refuses connections
    const Ended client(client3({"--max-clients=20"}, closed.port()));
    CHECK(client.out == "0 of 20 connections made\n");
    CHECK(client.err == "client3: connect: Connection refused\n");
    CHECK(client.fate == "exited with 1");
}

TEST_CASE("client3: makes as many connections as it can when descriptors run out") {
    Server server(built("step_g"));
    INFO(server.describe());
    Program limited = client3({"--max-conns=20"}, server.port());
    limited.max_descriptors = 10;
    const Ended client(limited);
    CHECK(client.out.ends_with(" of 20 connections made\n"));
    CHECK(client.err == "client3: socket: Too many open files\n");
    CHECK(client.fate == "exited with 1");
}

TEST_CASE("client3: counts the connections that were made when fork fails") {
    Server server(built("step_g"));
    INFO(server.describe());
    Program limited = client3({"--max-clients=400"}, server.port());
    limited.max_processes = 4;
    const Ended client(limited);
    CHECK(client.out.ends_with(" of 400 connections made\n"));
    CHECK_FALSE(client.out.ends_with("400 of 400 connections made\n"));
    CHECK(client.err == "client3: fork: Resource temporarily unavailable\n");
    CHECK(client.fate == "exited with 1");
}

TEST_CASE("client3: reports a client that was killed") {
    Server server(built("step_a"));
    INFO(server.describe());
    server.signal(SIGSTOP);
    CHECK_EVENTUALLY(server, server.is_stopped());
    Process client(client3({"--max-conns=7"}, server.port()));
    CHECK(client.until([&] { return client.out() == "0\n1\n2\n3\n4\n5\n"; }));
    kill(proc::children(client.pid()).at(0).pid, SIGKILL);
    CHECK(client.until_ended());
    CHECK(client.out().ends_with("0 of 7 connections made\n"));
    CHECK(client.err() == "client3: a client was killed by signal 9\n");
    CHECK(client.fate() == "exited with 1");
}

TEST_CASE("client3: refuses bad arguments and settings with exit status 2") {
    for (const std::vector<std::string>& arguments :
         std::vector<std::vector<std::string>>{{"--unknown"}, {"--max-clients"}, {"left over"}, {"-x"}}) {
        const Ended client(client3(arguments, 1));
        CHECK(client.err == USAGE);
        CHECK(client.out == "");
        CHECK(client.fate == "exited with 2");
    }
    for (const std::string number : {"", "x", "-1", "1.5", " 1", "65536"}) {
        const Ended client(client3({"--max-conns", number}, 1));
        CHECK(client.err == "client3: --max-conns must be a whole number from 0 to 65535, got \"" + number + "\"\n");
        CHECK(client.fate == "exited with 2");
    }
    const Ended client(client3({}, 1).with("HOST", "localhost"));
    CHECK(client.err == "client3: HOST must be an IPv4 address, got \"localhost\"\n");
    CHECK(client.fate == "exited with 2");
}

TEST_CASE("client3: describes its options when called with --help") {
    const Ended client(client3({"--help"}, 1));
    CHECK(client.out.starts_with("usage: client3 "));
    CHECK(client.out.find("--max-conns N    number of connections of each client (default: 1)") != std::string::npos);
    CHECK(client.fate == "exited with 0");
}
