// Test client: many processes, each of which opens many connections, and closes them only when all are open.
#include <getopt.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <list>
#include <stdexcept>
#include <string>
#include <system_error>

#include "../net/socket.hpp"

constexpr const char* USAGE = "usage: client3 [--max-clients N] [--max-conns N] [--help]";
constexpr const char* HELP =
    "\n"
    "Opens connections to HOST:PORT and sends a request on each.\n"
    "\n"
    "  --max-clients N  number of client processes (default: 1)\n"
    "  --max-conns N    number of connections of each client (default: 1)\n"
    "  --help           show this\n"
    "\n"
    "In the environment: HOST, an IPv4 address (default: 127.0.0.1), and PORT (default: 8888).";

struct Options {
    int max_clients = 1;
    int max_conns = 1;
    bool help = false;
};

/// A client process's report to its parent, through a pipe. One write(2) of it is atomic (PIPE_BUF, pipe(7)).
struct Report {
    int connections = 0;
    char reason[100] = "";  // why there are not more; empty when all are open
};

/// Throws std::invalid_argument for arguments that USAGE does not name.
Options parse_options(int argc, char* argv[]) {
    const option long_options[] = {{"max-clients", required_argument, nullptr, 'c'},
                                   {"max-conns", required_argument, nullptr, 'n'},
                                   {"help", no_argument, nullptr, 'h'},
                                   {nullptr, 0, nullptr, 0}};
    Options options;
    opterr = 0;  // one line of ours instead of getopt_long's
    for (int key; (key = getopt_long(argc, argv, "h", long_options, nullptr)) != -1;) {
        switch (key) {
            case 'c':
                options.max_clients = net::number("--max-clients", optarg, 1, 65535);
                break;
            case 'n':
                options.max_conns = net::number("--max-conns", optarg, 1, 65535);
                break;
            case 'h':
                options.help = true;
                break;
            default:
                throw std::invalid_argument(USAGE);
        }
    }
    if (optind != argc) throw std::invalid_argument(USAGE);
    return options;
}

/// Opens a connection and sends the request on it. Throws std::system_error.
net::Socket ask(const sockaddr_in& server_address) {
    net::Socket sock(AF_INET, SOCK_STREAM);
    sock.connect(server_address);
    sock.sendall("GET /hello HTTP/1.1\r\nHost: localhost:" + std::to_string(ntohs(server_address.sin_port)) +
                 "\r\n\r\n");
    return sock;
}

/// Waits until the server's kernel has acknowledged the request (TIOCOUTQ, tcp(7)): then both sides have the
/// connection. Returns false when it is reset instead, or when no acknowledgement comes for a second, a long time on
/// loopback.
bool is_acknowledged(const net::Socket& sock) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    int unacknowledged = 0;
    while (ioctl(sock.fileno(), TIOCOUTQ, &unacknowledged) == 0) {
        pollfd sign = {sock.fileno(), POLLIN, 0};
        if (poll(&sign, 1, unacknowledged == 0 ? 0 : 10) == 1) return (sign.revents & (POLLERR | POLLHUP)) == 0;
        if (unacknowledged == 0) return true;
        if (std::chrono::steady_clock::now() > deadline) return false;
    }
    return true;  // a system that cannot tell
}

/// A client: opens its connections one after the other, and closes them when all are open.
///
/// A server with a short accept queue cannot keep up with many clients. Its kernel then confirms connections that it
/// does not store (tcp_syncookies, tcp(7)), and drops or resets some of them. The client resets these on its side, and
/// opens others in their place.
Report open_connections(const sockaddr_in& server_address, int max_conns) {
    const linger reset_on_close = {1, 0};
    Report report;
    std::list<net::Socket> socks;
    try {
        for (int connection_num = 0; connection_num < max_conns; ++connection_num) {
            socks.push_back(ask(server_address));
            net::print(connection_num);
        }
        int attempts = 30 * max_conns;
        for (auto sock = socks.begin(); sock != socks.end();) {
            if (is_acknowledged(*sock)) {
                ++sock;
                continue;
            }
            setsockopt(sock->fileno(), SOL_SOCKET, SO_LINGER, &reset_on_close, sizeof reset_on_close);
            sock = socks.erase(sock);
            if (--attempts == 0) throw std::runtime_error("the server resets its connections");
            sock = socks.insert(sock, ask(server_address));
        }
    } catch (const std::exception& error) {
        std::string(error.what()).copy(report.reason, sizeof report.reason - 1);
    }
    report.connections = static_cast<int>(socks.size());
    return report;
}

/// Starts the clients, waits for them all and sums up. Throws std::runtime_error with the first reason, when a
/// connection could not be made.
void run_clients(const Options& options) {
    const sockaddr_in server_address = net::server_address();
    int reports[2];
    net::check("pipe", pipe(reports));
    std::string reason;
    for (int client_num = 0; client_num < options.max_clients; ++client_num) {
        const pid_t pid = fork();
        if (pid == -1) {
            reason = std::system_error(errno, std::generic_category(), "fork").what();
            break;
        }
        if (pid == 0) {
            const Report report = open_connections(server_address, options.max_conns);
            _exit(write(reports[1], &report, sizeof report) == sizeof report ? 0 : 1);
        }
    }
    close(reports[1]);

    long connections = 0;
    for (Report report; read(reports[0], &report, sizeof report) == sizeof report;) {
        connections += report.connections;
        if (reason.empty()) reason = report.reason;
    }
    for (int status; wait(&status) != -1;) {
        if (WIFSIGNALED(status) && reason.empty())
            reason = "a client was killed by signal " + std::to_string(WTERMSIG(status));
    }
    const long wanted = static_cast<long>(options.max_clients) * options.max_conns;
    net::print(connections, " of ", wanted, " connections made");
    if (!reason.empty()) throw std::runtime_error(reason);
}

int main(int argc, char* argv[]) {
    return net::run(1, argv, [=] {
        const Options options = parse_options(argc, argv);
        if (options.help) net::print(USAGE, "\n", HELP);
        else run_clients(options);
    });
}
