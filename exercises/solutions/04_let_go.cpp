// Exercise 4, let go, solved: the parent closes its copy of the connection, the child its copy of the listening socket.
//
// A connection ends when its last descriptor is closed, and fork has made a second one. As long as the parent keeps its
// own, the client sees no end although the child is done, and the parent runs out of descriptors one client at a time.
// The other copy is seen later: when the server has died and a child is still at work, the port goes on to listen.
// Clients connect, and nobody will ever accept them; and the server cannot be started again, since its port is taken.
#include <unistd.h>

#include <list>

#include "../../net/socket.hpp"

constexpr int REQUEST_QUEUE_SIZE = 5;

void handle_request(net::Socket& client_connection) {
    const std::string request = client_connection.recv(1024);
    if (request.empty()) return;  // the client has left without a word
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
