#include "impolite.hpp"

#include <string>
#include <string_view>

#include "../tools/harness/client.hpp"
#include "../tools/harness/server.hpp"
#include "support.hpp"

namespace impolite {
namespace {

struct Impoliteness {
    const char* name;
    void (*behave)(Server& server);
};

/// Checks that `client` receives the page and then the end of its connection. (step_d never closes a connection.)
void expect_page(Server& server, Client& client) {
    if (name_of(server.program()) == "step_d") {
        CHECK(client.receive(PAGE.size()) == PAGE);
    } else {
        CHECK_MESSAGE(client.receive_all() == PAGE, server.describe());
        CHECK_FALSE(client.was_reset());
    }
}

/// Sends `bytes` all at once and expects the page.
void send_all(Server& server, const std::string& bytes) {
    Client client(server.port());
    CHECK(client.send(bytes));
    expect_page(server, client);
}

const Impoliteness ALL[] = {
    {"connects and disconnects", [](Server& server) { Client(server.port()).close(); }},
    {"resets before the request", [](Server& server) { Client(server.port()).reset(); }},
    {"resets after the request",
     [](Server& server) {
         Client client(server.port());
         client.ask();
         client.reset();
     }},
    {"disconnects after the request, before the response",
     [](Server& server) {
         Client client(server.port());
         client.ask();
         client.close();
     }},
    {"closes its half without a request",
     [](Server& server) {
         Client client(server.port());
         client.half_close();
         if (name_of(server.program()) != "step_d") CHECK(client.receive_all().empty());
     }},
    {"closes its half after the request",
     [](Server& server) {
         Client client(server.port());
         client.ask();
         client.half_close();
         expect_page(server, client);
     }},
    {"sends rubbish", [](Server& server) { send_all(server, "\xff\xfe\x80\x1b[2J\x07 %s%n ../.. \r\r\n\n"); }},
    {"sends NULs", [](Server& server) { send_all(server, std::string(100, '\0')); }},
    {"sends one byte", [](Server& server) { send_all(server, "x"); }},
    {"sends 3 KB of header",
     [](Server& server) { send_all(server, "GET / HTTP/1.1\r\nCookie: " + std::string(3'000, 'x') + "\r\n\r\n"); }},
    {"sends 60 KB of header",
     [](Server& server) { send_all(server, "GET / HTTP/1.1\r\nCookie: " + std::string(60'000, 'x') + "\r\n\r\n"); }},
    {"sends 60 KB without an end", [](Server& server) { send_all(server, std::string(60'000, 'x')); }},
    {"sends 60 KB in 600 pieces",
     [](Server& server) {
         Client client(server.port());
         CHECK(client.send("GET / HTTP/1.1\r\nCookie: "));
         for (int i = 0; i < 600; ++i) CHECK(client.send(std::string(100, 'x')));
         CHECK(client.send("\r\n\r\n"));
         expect_page(server, client);
     }},
    {"posts 300 KB",  // net::Socket::close reads for at most 2 s: even a loaded machine must send this in much less
     [](Server& server) {
         Client client(server.port());
         CHECK(client.send("POST / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n"));
         CHECK(client.send(std::string(300'000, 'x')));
         expect_page(server, client);
     }},
    {"sends byte by byte",
     [](Server& server) {
         Client client(server.port());
         for (const char byte : REQUEST) CHECK(client.send(std::string_view(&byte, 1)));
         expect_page(server, client);
     }},
};

}  // namespace

void check_patience_of(const Program& step) {
    for (const Impoliteness& impoliteness : ALL) {
        CAPTURE(impoliteness.name);
        Server server(step.with("SLEEP", "0"));
        INFO(server.describe());
        impoliteness.behave(server);
        if (name_of(step) == "step_e") {  // it exits when any child exits, and may print that error alone
            server.until([&] { return server.has_ended() || server.is_quiet(); });
            CHECK((server.err().empty() || server.err() == "step_e: accept: Interrupted system call\n"));
            continue;
        }
        Client next(server.port());
        next.ask();
        CHECK(next.receive(PAGE.size()) == PAGE);
        CHECK_EVENTUALLY(server, server.is_quiet());
        CHECK(server.err().empty());
    }
}

}  // namespace impolite
