// Exercise 3, concurrent, solved: a child for each client.
//
// After fork both processes have both sockets, and each closes the one that it has no use for. The parent's copy of the
// connection would keep it open when the child is done, and the child's copy of the listening socket would listen
// without anybody who accepts. The child ends with _exit: were it to return into the loop, there would be two servers.
// What the parent does not do yet is to wait for its children, so each becomes a zombie: that is exercise 5.
#include <unistd.h>

#include "../../net/socket.hpp"

constexpr int REQUEST_QUEUE_SIZE = 5;

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
            listen_socket.close();  // the child accepts nobody
            handle_request(client_connection);
            client_connection.close();
            _exit(0);
        } else {  // parent
            client_connection.close();  // the child has its own copy
        }
    }
}

int main(int argc, char* argv[]) { return net::run(argc, argv, serve_forever); }
