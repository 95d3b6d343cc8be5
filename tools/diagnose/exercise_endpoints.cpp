// Exercise 2: does the server print both ends of each connection? The client's own socket knows them as well.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "../../net/socket.hpp"
#include "../harness/client.hpp"
#include "clients.hpp"
#include "exercise_probes.hpp"
#include "probes.hpp"
#include "utf8.hpp"

namespace diagnose {

using std::to_string;

namespace {

constexpr std::chrono::seconds PATIENCE(10);

/// A connection as its client knows it: "127.0.0.1:8888" and "127.0.0.2:54321". `local` and `peer` are the server's
/// words for the two ends.
struct Ends {
    std::string local;
    std::string peer;
    bool is_connected = false;
};

/// The words that a server has printed about a connection.
struct Printed {
    std::string local;
    std::string peer;
    std::string port;
};

std::string port_of(const std::string& end) { return end.substr(end.rfind(':') + 1); }

/// Everything before the last colon; empty when there is none.
std::string address_of(const std::string& end) {
    return end.substr(0, end.find(':') == std::string::npos ? 0 : end.rfind(':'));
}

/// A client's socket at `address`. The kernel chooses its port, which `is_below` the server's, or above it: whether it
/// is the larger of the two says nothing.
net::Socket bound_to(const char* address, std::uint16_t server_port, bool is_below) {
    constexpr std::size_t MOST_TRIES = 200;  // the server's port may be the first or the last of the range
    sockaddr_in own = {};
    own.sin_family = AF_INET;
    inet_pton(AF_INET, address, &own.sin_addr);
    std::deque<net::Socket> others;  // open as long as the kernel must choose other ports
    while (true) {
        net::Socket client(AF_INET, SOCK_STREAM);
        client.bind(own);
        if ((client.port() < server_port) == is_below || others.size() == MOST_TRIES) return client;
        others.push_back(std::move(client));
    }
}

/// Has a client at `address` served by the server at `host`, and returns the ends of its connection. One that the
/// server refuses, or leaves alone, has them as well.
Ends ask_from(const char* address, const char* host, std::uint16_t port, bool is_below) {
    net::Socket client = bound_to(address, port, is_below);
    const timeval patience = {PATIENCE.count(), 0};
    for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
        net::check("setsockopt", setsockopt(client.fileno(), SOL_SOCKET, option, &patience, sizeof patience));
    }
    Ends ends = {std::string(host) + ':' + to_string(port), std::string(address) + ':' + to_string(client.port())};
    sockaddr_in server = {};
    server.sin_family = AF_INET;
    server.sin_port = htons(port);
    inet_pton(AF_INET, host, &server.sin_addr);
    try {
        client.connect(server);
        ends.is_connected = true;
        client.sendall(harness::REQUEST);
        const auto deadline = std::chrono::steady_clock::now() + PATIENCE;
        while (!client.recv(65536).empty() && std::chrono::steady_clock::now() < deadline) continue;
    } catch (const std::system_error&) {  // refused, or no answer in time
    }
    return ends;
}

/// The lines "local … peer … ephemeral …" in a server's output.
std::vector<Printed> printed_in(const std::string& output) {
    std::vector<Printed> lines;
    std::istringstream text(output);
    for (std::string line; std::getline(text, line);) {
        std::istringstream words(line);
        Printed found;
        std::string local;
        std::string peer;
        std::string ephemeral;
        words >> local >> found.local >> peer >> found.peer >> ephemeral >> found.port;
        const std::string as_wanted = "local " + found.local + " peer " + found.peer + " ephemeral " + found.port;
        if (!found.port.empty() && line == as_wanted) lines.push_back(found);
    }
    return lines;
}

/// The bytes of the number in the other order.
std::string swapped(const std::string& port) { return to_string(htons(static_cast<std::uint16_t>(std::stoi(port)))); }

/// "1.0.0.127" of "127.0.0.1".
std::string reversed(const std::string& address) {
    std::istringstream parts(address);
    std::string text;
    for (std::string part; std::getline(parts, part, '.');) text.insert(0, text.empty() ? part : part.append("."));
    return text;
}

/// The rule behind the difference between the end, or the port, that was `printed` and the client's `own`; empty when
/// there is none. `other` is what it might have been mistaken for.
std::string fault_of(const std::string& printed, const std::string& own, const std::string& other) {
    const std::string address = address_of(own);
    if (printed == own) return "";
    if (printed == other) {
        return address.empty() ? "that is the port that the server was bound to" : "that is the other end";
    }
    if (port_of(printed) == swapped(port_of(own))) return "the bytes of a port come in network order (ntohs)";
    if (!address.empty() && address_of(printed) == reversed(address)) {
        return "the bytes of an address come in network order, and inet_ntop expects them so";
    }
    if (address_of(printed) == "0.0.0.0") return "that is the address of the listening socket, not of the connection";
    return "the kernel knows: getsockname(2), getpeername(2)";
}

Finding judge_end(const std::string& printed, const std::string& own, const std::string& other) {
    const std::string rule = fault_of(printed, own, other);
    if (rule.empty()) return yes(printed + ", as the client's own socket says");
    return {Answer::no, valid_utf8(printed) + " was printed, and the client's own socket says " + own, rule};
}

/// Judges the line about a connection; null when the server has printed none.
Findings judge_ends(const Ends& ends, const Printed* line) {
    if (line == nullptr) {
        const Finding none = {
            Answer::no, "no line about the connection from " + ends.peer,
            "\"local … peer … ephemeral …\", written at once: output to a pipe is buffered (setvbuf(3))"};
        return {{"local end", none}, {"peer end", none}, {"ephemeral port", none}};
    }
    return {{"local end", judge_end(line->local, ends.local, ends.peer)},
            {"peer end", judge_end(line->peer, ends.peer, ends.local)},
            {"ephemeral port", judge_end(line->port, port_of(ends.peer), port_of(ends.local))}};
}

}  // namespace

namespace {

/// A client's own address, and the one that it connects to.
struct Route {
    const char* from;
    const char* to;
};

/// Clients on these routes, one after the other. Of their connections, the first that is printed wrongly; or the last.
Findings printed_by(const Program& program, const std::vector<Route>& routes) {
    Server server(program);
    Findings found;
    std::size_t count = 0;
    for (const Route& route : routes) {
        const Ends ends = ask_from(route.from, route.to, server.port(), count % 2 == 1);
        if (!ends.is_connected && std::string_view(route.to) != "127.0.0.1") continue;  // it has its one address
        std::vector<Printed> lines;
        server.until([&] { return (lines = printed_in(server.out() + server.err())).size() > count; });
        const bool is_there = lines.size() > count;
        for (const auto& [name, finding] : judge_ends(ends, is_there ? &lines[count] : nullptr)) {
            if (!found.contains(name) || found[name] == Answer::yes) found[name] = finding;
        }
        if (!is_there) break;
        ++count;
    }
    return found;
}

}  // namespace

Findings printed_ends(const Solution& solution) {
    const Program program = patient(solution.server);
    Findings found =
        printed_by(program, {{"127.0.0.1", "127.0.0.1"}, {"127.0.0.2", "127.0.0.1"}, {"127.0.0.3", "127.0.0.1"}});
    // A server at all addresses of the machine: which of them is a connection's, its client has chosen.
    for (const auto& [name, finding] : printed_by(program.with("HOST", "0.0.0.0"), {{"127.0.0.4", "127.0.0.5"}})) {
        if (found[name] != Answer::yes || finding == Answer::yes) continue;
        found[name] = finding;
        found[name].evidence = "with HOST=0.0.0.0, " + finding.evidence;
    }
    return found;
}

}  // namespace diagnose
