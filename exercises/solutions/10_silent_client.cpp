// Exercise 10, silent client, solved: recv waits for TIMEOUT seconds and no longer.
//
// SO_RCVTIMEO belongs to the connection: when nothing arrives in time, recv fails with EAGAIN, and the client receives
// 408. The child sets it, since the child is the process that waits. With alarm() the child would end as well, but
// SIGALRM would kill it before it could send a page. This server calls recv once, so one byte in time is enough. A
// server that reads up to the blank line has to set the remaining time before each recv, as step_h does. Otherwise a
// client that sends one byte a minute keeps its child for ever.
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>

#include "../../net/socket.hpp"

constexpr int REQUEST_QUEUE_SIZE = 1024;
std::chrono::duration<double> timeout;

void grim_reaper(int) {
    const int saved_errno = errno;
    while (waitpid(-1, nullptr, WNOHANG) > 0) continue;  // SIGCHLD does not queue
    errno = saved_errno;
}

/// Limits how long recv waits (socket(7)); 0: for ever.
void limit_waiting(const net::Socket& connection, std::chrono::duration<double> seconds) {
    const auto whole = static_cast<time_t>(seconds.count());
    const timeval most = {whole, static_cast<suseconds_t>((seconds.count() - static_cast<double>(whole)) * 1e6)};
    net::check("setsockopt", setsockopt(connection.fileno(), SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most));
}

std::string receive_request(net::Socket& client_connection) {
    limit_waiting(client_connection, timeout);
    try {
        return client_connection.recv(1024);
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::resource_unavailable_try_again) throw;
        client_connection.sendall("HTTP/1.1 408 Request Timeout\r\n\r\n");
        return "";
    }
}

void handle_request(net::Socket& client_connection) {
    const std::string request = receive_request(client_connection);
    if (request.empty()) return;  // the client has closed, or was silent for too long
    net::print(request);
    const char* http_response =
        "HTTP/1.1 200 OK\r\n"
        "\r\n"
        "Hello, World!\n";
    client_connection.sendall(http_response);
}

void serve_forever() {
    timeout = net::seconds("TIMEOUT", 10);
    net::Socket listen_socket(AF_INET, SOCK_STREAM);
    listen_socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    listen_socket.bind(net::server_address());
    listen_socket.listen(REQUEST_QUEUE_SIZE);
    net::print("Serving HTTP on port ", listen_socket.port(), " ...");

    struct sigaction action = {};
    action.sa_handler = grim_reaper;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_NOCLDSTOP;  // not SA_RESTART: the loop restarts accept
    net::check("sigaction", sigaction(SIGCHLD, &action, nullptr));

    while (true) {
        std::error_code error;
        net::Socket client_connection = listen_socket.accept(error);
        if (error == std::errc::interrupted) continue;  // restart accept
        if (error) throw std::system_error(error, "accept");

        const pid_t pid = net::check("fork", fork());
        if (pid == 0) {  // child
            listen_socket.close();  // the child accepts no clients
            handle_request(client_connection);
            client_connection.close();
            _exit(0);
        } else {  // parent
            client_connection.close();  // the child has its own copy
        }
    }
}

int main(int argc, char* argv[]) { return net::run(argc, argv, serve_forever); }
