// Exercise 9, process limit, solved: when fork fails, the server sends the client an error page and goes on.
//
// The error is EAGAIN when the user has too many processes, and ENOMEM when memory is short. Both are temporary. If the
// loop waited for a better moment, all other clients would wait with it. If the parent served the client itself, one
// silent client would stop it. So the client receives a short answer, 503, and may try again later. Before the server
// closes the connection, it receives what the client has already sent, without waiting for more. Unread bytes would
// make close reset the connection, and the client might lose the page.
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "../../net/socket.hpp"

constexpr int REQUEST_QUEUE_SIZE = 1024;

void grim_reaper(int) {
    const int saved_errno = errno;
    while (waitpid(-1, nullptr, WNOHANG) > 0) continue;  // SIGCHLD does not queue
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

void refuse(net::Socket& client_connection) {
    client_connection.sendall(
        "HTTP/1.1 503 Service Unavailable\r\n"
        "Retry-After: 1\r\n"
        "\r\n"
        "Too many clients\n");
    char unwanted[4096];
    while (recv(client_connection.fileno(), unwanted, sizeof unwanted, MSG_DONTWAIT) > 0) continue;
    client_connection.close();
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
    action.sa_flags = SA_NOCLDSTOP;  // not SA_RESTART: the loop restarts accept
    net::check("sigaction", sigaction(SIGCHLD, &action, nullptr));

    while (true) {
        std::error_code error;
        net::Socket client_connection = listen_socket.accept(error);
        if (error == std::errc::interrupted) continue;  // restart accept
        if (error) throw std::system_error(error, "accept");

        const pid_t pid = fork();
        if (pid == 0) {  // child
            listen_socket.close();  // the child accepts no clients
            handle_request(client_connection);
            client_connection.close();
            _exit(0);
        } else if (pid == -1) {  // fork has failed
            refuse(client_connection);
        } else {  // parent
            client_connection.close();  // the child has its own copy
        }
    }
}

int main(int argc, char* argv[]) { return net::run(argc, argv, serve_forever); }
