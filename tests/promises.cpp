// The promises that all steps share: settings, output, errors.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <iomanip>
#include <ios>
#include <iterator>
#include <sstream>
#include <string>

#include "../net/socket.hpp"
#include "../tools/harness/server.hpp"
#include "support.hpp"

namespace {

Ended started_with(const Program& step, const std::string& variable, const std::string& value) {
    return Ended(step.with("PORT", "0").with(variable, value));
}

bool sleeps(const Program& step) { return std::string("bce").find(name_of(step).back()) != std::string::npos; }

}  // namespace

TEST_CASE("steps: an argument gives the usage and exit status 2") {
    for (Program step : all_steps()) {
        step.command.push_back("8080");
        const Ended server(step);
        CHECK(server.err == name_of(step) + ": usage: no arguments; the settings are in the environment\n");
        CHECK(server.out == "");
        CHECK(server.fate == "exited with 2");
    }
}

TEST_CASE("steps: a bad PORT gives one line and exit status 2") {
    for (const Program& step : all_steps()) {
        for (const std::string bad : {"", "abc", " 8888", "-1", "65536", "1.5"}) {
            const Ended server = started_with(step, "PORT", bad);
            CHECK(server.err == name_of(step) + ": PORT must be a whole number from 0 to 65535, got \"" + bad + "\"\n");
            CHECK(server.out == "");
            CHECK(server.fate == "exited with 2");
        }
    }
}

TEST_CASE("steps: a bad HOST gives one line and exit status 2") {
    for (const Program& step : all_steps()) {
        for (const std::string bad : {"", "localhost", "127.0.0", " 127.0.0.1", "::1"}) {
            const Ended server = started_with(step, "HOST", bad);
            CHECK(server.err == name_of(step) + ": HOST must be an IPv4 address, got \"" + bad + "\"\n");
            CHECK(server.fate == "exited with 2");
        }
    }
}

TEST_CASE("steps: a bad SLEEP gives one line and exit status 2 in a step that sleeps, and is ignored in others") {
    for (const Program& step : all_steps()) {
        if (!sleeps(step)) {
            Server server(step.with("SLEEP", "abc"));
            INFO(server.describe());
            continue;
        }
        for (const std::string bad : {"", "abc", "-1", "nan", "inf", "1e999", " 1", "1 "}) {
            const Ended server = started_with(step, "SLEEP", bad);
            CHECK(server.err == name_of(step) + ": SLEEP must be a number from 0 to 1000000000, got \"" + bad + "\"\n");
            CHECK(server.out == "");
            CHECK(server.fate == "exited with 2");
        }
    }
}

TEST_CASE("steps: the first line names the port that the server listens on") {
    for (const Program& step : all_steps()) {
        Server server(step);
        INFO(server.describe());
        CHECK_EVENTUALLY(server,
                         server.out().starts_with("Serving HTTP on port " + std::to_string(server.port()) + " ...\n"));
    }
}

TEST_CASE("steps: listen on 127.0.0.1 without HOST, and on all addresses with HOST=0.0.0.0") {
    for (const Program& step : all_steps()) {
        const auto listens_at = [](Server& server, const std::string& address) {
            std::ostringstream line;  // a line of /proc/net/tcp has the address in the machine's byte order
            in_addr host;
            inet_pton(AF_INET, address.c_str(), &host);
            line << std::hex << std::uppercase << std::setfill('0') << std::setw(8) << host.s_addr << ':'
                 << std::setw(4) << server.port() << " 00000000:0000 0A";
            std::ifstream table("/proc/net/tcp");
            return std::string(std::istreambuf_iterator<char>(table), {}).find(line.str()) != std::string::npos;
        };
        Server local(step);
        CHECK(listens_at(local, "127.0.0.1"));
        Server open(step.with("HOST", "0.0.0.0"));
        CHECK(listens_at(open, "0.0.0.0"));
    }
}

TEST_CASE("steps: a second server on a port reports the error, and the first one goes on") {
    for (const Program& step : all_steps()) {
        Server first(step.with("SLEEP", "0"));
        const Ended second = started_with(step, "PORT", std::to_string(first.port()));
        CHECK(second.err == name_of(step) + ": bind: Address already in use\n");
        CHECK(second.out == "");
        CHECK(second.fate == "exited with 1");
        Client client(first.port());
        client.ask();
        CHECK(client.receive(PAGE.size()) == PAGE);
    }
}

TEST_CASE("steps: a port is free again as soon as its server is killed") {
    for (const Program& step : all_steps()) {
        const net::Socket reserved = harness::reserve_port();  // so that the kernel gives it to no other process
        const Program program = step.with("SLEEP", "0").with("PORT", std::to_string(reserved.port()));
        {
            Server server(program);
            INFO(server.describe());
            Client client(server.port());
            client.ask();
            CHECK(client.receive(PAGE.size()) == PAGE);
        }
        const Server next(program);
        CHECK(next.port() == reserved.port());
    }
}

TEST_CASE("steps: print every line once and whole when stdout is a pipe") {
    for (const Program& step : all_steps()) {
        Program piped = step.with("SLEEP", "0");
        piped.command = {"sh", "-c", "\"$0\" | cat", step.command.front()};
        Server server(piped);
        INFO(server.describe());
        const int clients = name_of(step) == "step_e" ? 1 : 8;  // step_e exits after its first client
        for (int i = 0; i < clients; ++i) {
            Client client(server.port());
            client.ask();
            CHECK(client.receive(PAGE.size()) == PAGE);
        }
        const std::string last = name_of(step) == "step_d" ? "\n8\n" : std::string(REQUEST) + '\n';
        const std::size_t lines = name_of(step) == "step_d" ? 1 : static_cast<std::size_t>(clients);
        CHECK(eventually([&] { return count_in(server.out(), last) == lines; }));  // cat may outlive the server
        CHECK(count_in(server.out(), "Serving HTTP on port") == 1);
    }
}

TEST_CASE("steps: report an error when stdout cannot be written") {
    for (const Program& step : all_steps()) {
        Program full = step.with("PORT", "0");
        full.command = {"sh", "-c", "exec \"$0\" >/dev/full", step.command.front()};
        const Ended server(full);
        CHECK(server.err == name_of(step) + ": write: No space left on device\n");
        CHECK(server.fate == "exited with 1");
    }
}

TEST_CASE("steps: end at once when Ctrl-C is typed") {
    for (const Program& step : all_steps()) {
        Server server(step);
        INFO(server.describe());
        CHECK_EVENTUALLY(server, server.waits_in_accept());
        server.signal(SIGINT);
        CHECK(server.until_ended());
        CHECK(server.fate() == "was killed by signal 2 (Interrupt)");
        CHECK(server.err() == "");
    }
}

TEST_CASE("steps: print the request, except step_d") {
    for (const Program& step : all_steps()) {
        Server server(step.with("SLEEP", "0"));
        INFO(server.describe());
        Client client(server.port());
        client.send("test");  // as the article's own client does
        CHECK(client.receive(PAGE.size()) == PAGE);
        if (name_of(step) == "step_d") CHECK_EVENTUALLY(server, server.out().ends_with(" ...\n1\n"));
        else CHECK_EVENTUALLY(server, server.out().find("\ntest\n") != std::string::npos);
    }
}

TEST_CASE("steps: listen before they print the first line") {
    for (const Program& step : all_steps()) {
        Program piped = step;  // stdout is a full pipe that no process reads
        piped.command = {"sh", "-c", "{ head -c 65536 /dev/zero; exec \"$0\"; } | sleep 60", step.command.front()};
        Server server(piped);  // the constructor waits for its listening socket
        INFO(server.describe());
        CHECK_EVENTUALLY(server, proc::blocked_in(server.acceptor()) == "write");
    }
}

TEST_CASE("steps: have a backlog of 5, and of 1024 from step_f on") {
    for (const Program& step : all_steps()) {
        Server server(step);
        INFO(server.describe());
        CHECK(server.backlog() == (name_of(step) < "step_f" ? 5 : std::min(1024U, system_limit_of_backlogs())));
    }
}

TEST_CASE("step_a: refuses a setting of several lines in a message of one line") {
    const Ended server = started_with(built("step_a"), "HOST", "127.0.0.1\n\x1b[2J");
    CHECK(server.err == "step_a: HOST must be an IPv4 address, got \"127.0.0.1??[2J\"\n");
}
