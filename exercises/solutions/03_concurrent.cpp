// Exercise 3, concurrent, solved: a child for each client.
//
// After fork both processes have both sockets, and each process closes the one that it does not use. The parent's copy
// of the connection would keep it open after the child has finished. Clients that connect to the child's copy of the
// listening socket would wait for ever, since the child accepts none. The child ends with _exit: if it returned into
// the loop, there would be two servers. The parent does not wait for its children yet, so each becomes a zombie:
// exercise 5 is about them.
#include <unistd.h>

#include "../../net/socket.hpp"

constexpr int REQUEST_QUEUE_SIZE = 5;

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
