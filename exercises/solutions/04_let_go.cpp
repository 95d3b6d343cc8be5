// Exercise 4, let go, solved: the parent closes its copy of the connection, the child its copy of the listening socket.
//
// A connection ends when its last descriptor is closed, and fork has made a second one. If the parent keeps its copy,
// the client sees no end although the child has closed its own. Each client then costs the parent one descriptor, until
// none is left. The other copy does harm later: after the server has exited, a child that still runs keeps the port
// listening. Clients connect, and no process accepts them. The server cannot be started again, since its port is in
// use.
#include <unistd.h>

#include <list>

#include "../../net/socket.hpp"

constexpr int REQUEST_QUEUE_SIZE = 5;

void handle_request(net::Socket& client_connection) {
    const std::string request = client_connection.recv(1024);
    if (request.empty()) return;  // the client closed before it sent a request
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

    std::list<net::Socket> clients;
    while (true) {
        // a Socket closes when its scope ends: these live as long as the server
        net::Socket& client_connection = clients.emplace_back(listen_socket.accept());
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
