// Exercise 12, homework: a server that runs web applications, one after the other.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../../net/socket.hpp"
#include "../../step_h_wsgi/application.hpp"
#include "../../step_h_wsgi/cgi.hpp"
#include "../../step_h_wsgi/http.hpp"

constexpr int REQUEST_QUEUE_SIZE = 1024;
constexpr auto APP_TIMEOUT = std::chrono::seconds(30);

using Command = std::vector<std::string>;

/// The address and the port that getsockname or getpeername says.
std::pair<std::string, std::string> end_of(const net::Socket& connection, decltype(getsockname)* call) {
    sockaddr_in address = {};
    socklen_t size = sizeof address;
    call(connection.fileno(), reinterpret_cast<sockaddr*>(&address), &size);
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
    return {text, std::to_string(ntohs(address.sin_port))};
}

/// Receives the request's head, and returns what came with it of the body. Throws http::Error.
std::string receive_head(net::Socket& client_connection, http::RequestParser& parser) {
    while (true) {
        const std::string data = client_connection.recv(16384);
        if (data.empty()) throw http::Error(cgi::CLIENT_IS_GONE, "the client has left");
        const std::size_t size = parser.feed(data);
        if (parser.is_complete()) return data.substr(size);
    }
}

/// Starts the application, and passes the request's body to it and its answer to the client.
void handle_request(net::Socket& client_connection, const Command& command) {
    const auto deadline = std::chrono::steady_clock::now() + APP_TIMEOUT;
    const auto [server_address, server_port] = end_of(client_connection, getsockname);
    const cgi::Ends ends = {end_of(client_connection, getpeername).first, server_address, server_port};
    http::RequestParser parser;
    cgi::Application application;
    try {
        const std::string body_begun = receive_head(client_connection, parser);
        application.start(command, cgi::environment(parser.request(), ends));
        application.serve(parser.request(), client_connection.fileno(), body_begun, deadline);
    } catch (const http::Error& error) {
        if (error.status() != cgi::CLIENT_IS_GONE) client_connection.sendall(http::Page(error.status()).text);
    }
    net::print(parser.request_line());
    client_connection.close();
    application.finish(deadline);
}

void serve_forever(const Command& command) {
    net::Socket listen_socket(AF_INET, SOCK_STREAM);
    listen_socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    listen_socket.bind(net::server_address());
    listen_socket.listen(REQUEST_QUEUE_SIZE);
    net::print("Serving HTTP on port ", listen_socket.port(), " ...");

    while (true) {
        net::Socket client_connection = listen_socket.accept();
        const pid_t pid = net::check("fork", fork());
        if (pid == 0) {  // child: it becomes the parent of the application, and takes over its signals
            listen_socket.close();  // the child accepts nobody
            handle_request(client_connection, command);
            _exit(0);
        } else {  // parent
            client_connection.close();  // the child has its own copy
            waitpid(pid, nullptr, 0);  // one after the other
        }
    }
}

int main(int argc, char* argv[]) {
    return net::run(1, argv, [=] {
        if (argc < 2) throw std::invalid_argument("usage: 12_homework COMMAND [ARG...]");
        serve_forever({argv + 1, argv + argc});
    });
}
