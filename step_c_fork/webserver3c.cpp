// Concurrent server: one child process for each client, which sleeps like step_b.
#include <unistd.h>

#include <thread>

#include "../net/socket.hpp"

constexpr int REQUEST_QUEUE_SIZE = 5;
std::chrono::duration<double> sleep_time;

void handle_request(net::Socket& client_connection) {
    const std::string request = client_connection.recv(1024);
    if (request.empty()) return;  // the client closed before it sent a request
    net::print("Child PID: ", getpid(), ". Parent PID ", getppid());
    net::print(request);
    const char* http_response =
        "HTTP/1.1 200 OK\r\n"
        "\r\n"
        "Hello, World!\n";
    client_connection.sendall(http_response);
    std::this_thread::sleep_for(sleep_time);  // the connection stays open
}

void serve_forever() {
    sleep_time = net::seconds("SLEEP", 60);
    net::Socket listen_socket(AF_INET, SOCK_STREAM);
    listen_socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    listen_socket.bind(net::server_address());
    listen_socket.listen(REQUEST_QUEUE_SIZE);
    net::print("Serving HTTP on port ", listen_socket.port(), " ...");
    net::print("Parent PID (PPID): ", getpid(), "\n");

    while (true) {
        net::Socket client_connection = listen_socket.accept();
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
