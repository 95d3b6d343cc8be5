// Exercise 9, process limit, solved: a client for whom there is no child is told so, and the server goes on.
//
// fork fails with EAGAIN when the user has too many processes, with ENOMEM when memory is short. Both pass. To wait for
// that in the loop would keep all others waiting; to serve the client in the parent as well, as soon as it is silent.
// So it gets an answer that costs nothing, 503, and may come again. What it has sent is received first, without waiting
// for more: close would reset the connection if there were unread bytes, and the page might be lost with it.
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
    if (request.empty()) return;  // the client has left without a word
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
            listen_socket.close();  // the child accepts nobody
            handle_request(client_connection);
            client_connection.close();
            _exit(0);
        } else if (pid == -1) {  // no child to be had
            refuse(client_connection);
        } else {  // parent
            client_connection.close();  // the child has its own copy
        }
    }
}

int main(int argc, char* argv[]) { return net::run(argc, argv, serve_forever); }
