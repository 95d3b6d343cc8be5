// Exercise 3, concurrent: a client that sends nothing keeps all others waiting.
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
        handle_request(client_connection);
        client_connection.close();
    }
}

int main(int argc, char* argv[]) { return net::run(argc, argv, serve_forever); }
