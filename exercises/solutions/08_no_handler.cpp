// Exercise 8, no handler, solved: the server ignores SIGCHLD, and the kernel keeps no zombies.
//
// The default action of SIGCHLD ignores the signal, too, but it keeps zombies. Only a program that sets SIG_IGN tells
// the kernel that it will not ask for its children (sigaction(2); SA_NOCLDWAIT does the same). There is a price: the
// server cannot learn how a child has ended, and wait blocks until the last child has exited.
//
// Without a handler the signal does not interrupt accept, and the server does not search for children that have exited.
// A waitpid(-1) goes through the whole list of children when none of them has exited. With thousands of silent clients
// it looks at thousands of children for each child that exits; `build/tools/bench/measure reaping` shows the cost.
#include <signal.h>
#include <unistd.h>

#include "../../net/socket.hpp"

constexpr int REQUEST_QUEUE_SIZE = 1024;

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

    signal(SIGCHLD, SIG_IGN);
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
