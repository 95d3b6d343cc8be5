// Exercise 2, endpoints, solved: a connection has two ends, and the kernel knows both.
//
// accept makes a new socket, but no new port. All connections of this server have the listening socket's address and
// port at their local end. The peer's end tells them apart. The client has not called bind, so the kernel chose an
// ephemeral port during connect. getsockname returns the local end, getpeername the peer's. Both store the port in
// network byte order.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "../../net/socket.hpp"

constexpr int REQUEST_QUEUE_SIZE = 5;

std::string text_of(const sockaddr_in& address) {
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
    return std::string(text) + ':' + std::to_string(ntohs(address.sin_port));
}

/// The end of the connection that `call` returns: getsockname or getpeername.
sockaddr_in end_of(const net::Socket& connection, decltype(getsockname)* call) {
    sockaddr_in address = {};
    socklen_t size = sizeof address;
    net::check("the end of a connection", call(connection.fileno(), reinterpret_cast<sockaddr*>(&address), &size));
    return address;
}

/// The server's end of the connection, "127.0.0.1:8888".
std::string local_end(const net::Socket& client_connection) {
    const sockaddr_in address = end_of(client_connection, getsockname);
    return text_of(address);
}

/// The client's end of it.
std::string peer_end(const net::Socket& client_connection) {
    const sockaddr_in address = end_of(client_connection, getpeername);
    return text_of(address);
}

/// The port of the two that the kernel has chosen for this connection.
int ephemeral_port(const net::Socket& client_connection) {
    const sockaddr_in address = end_of(client_connection, getpeername);
    return ntohs(address.sin_port);
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

    while (true) {
        net::Socket client_connection = listen_socket.accept();
        net::print("local ", local_end(client_connection), " peer ", peer_end(client_connection), " ephemeral ",
                   ephemeral_port(client_connection));
        handle_request(client_connection);
        client_connection.close();
    }
}

int main(int argc, char* argv[]) { return net::run(argc, argv, serve_forever); }
