// Exercise 2, endpoints: which end has which port? You write the three functions.
#include "../../net/socket.hpp"

constexpr int REQUEST_QUEUE_SIZE = 5;

/// The server's end of the connection, "127.0.0.1:8888".
std::string local_end(const net::Socket& /* client_connection */) { return "?"; }

/// The client's end of it.
std::string peer_end(const net::Socket& /* client_connection */) { return "?"; }

/// The port of the two that the kernel has chosen for this connection.
int ephemeral_port(const net::Socket& /* client_connection */) { return 0; }

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
        net::print("local ", local_end(client_connection), " peer ", peer_end(client_connection), " ephemeral ",
                   ephemeral_port(client_connection));
        handle_request(client_connection);
        client_connection.close();
    }
}

int main(int argc, char* argv[]) { return net::run(argc, argv, serve_forever); }
