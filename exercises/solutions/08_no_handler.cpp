// Exercise 8, no handler, solved: SIGCHLD is ignored, and the kernel keeps no zombies.
//
// To ignore SIGCHLD is not its default action, although that is to ignore it as well: only who says SIG_IGN is taken to
// mean that nobody will ask for the children (sigaction(2); SA_NOCLDWAIT says the same). What is lost: nobody learns
// how a child has ended, and wait blocks until the last one has.
//
// There is no handler, so accept is not interrupted. And nobody has to look for who has exited: waitpid(-1) goes
// through the list of children until it finds one, and a second time until it is sure that there is no other. With
// thousands of silent clients that is thousands of looks for each exit; `build/tools/bench/measure reaping` shows it.
#include <signal.h>
#include <unistd.h>

#include "../../net/socket.hpp"

constexpr int REQUEST_QUEUE_SIZE = 1024;

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

    signal(SIGCHLD, SIG_IGN);
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
