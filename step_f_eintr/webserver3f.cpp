// Concurrent server that restarts accept, but misses children that exit together.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "../net/socket.hpp"

constexpr int REQUEST_QUEUE_SIZE = 1024;

void grim_reaper(int) {
    const int saved_errno = errno;
    wait(nullptr);
    errno = saved_errno;
}

void handle_request(net::Socket& client_connection) {
    const std::string request = client_connection.recv(1024);
    if (request.empty()) return;  // the client closed before it sent a request
    net::print(request);
    const char* http_response =
        "HTTP/1.1 200 OK\r\n"
        "\r\n"
        "Hello, World!\n";
    client_connection.sendall(http_response);
}

void serve_forever() {
    net::Socket listen_socket(AF_INET, SOCK_STREAM);
    listen_socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    listen_socket.bind(net::server_address());
    listen_socket.listen(REQUEST_QUEUE_SIZE);
    net::print("Serving HTTP on port ", listen_socket.port(), " ...");

    struct sigaction action = {};
    action.sa_handler = grim_reaper;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_NOCLDSTOP;  // not SA_RESTART: the signal must interrupt accept
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
