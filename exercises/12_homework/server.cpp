// Exercise 12, homework: a WSGI server, as in the article's second part: one client after the other.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "../../net/socket.hpp"
#include "../../step_h_wsgi/http.hpp"
#include "../../step_h_wsgi/wsgi.hpp"

constexpr int REQUEST_QUEUE_SIZE = 1024;

/// The client's connection for the application's side.
class Client : public wsgi::Client {
public:
    explicit Client(net::Socket& connection) : connection_(connection) {}

    std::size_t receive(char* buffer, std::size_t size) override {
        const std::string data = connection_.recv(size);
        return data.empty() ? throw http::Error(400, "the request breaks off") : data.copy(buffer, size);
    }
    void send(std::string_view bytes, bool) override { connection_.sendall(bytes); }
    std::uint64_t send_file(int file, std::uint64_t offset, std::uint64_t size) override {
        char piece[16384];
        std::uint64_t sent = 0;
        while (sent < size) {
            const std::size_t most = std::min<std::uint64_t>(sizeof piece, size - sent);
            const ssize_t read = net::check("pread", pread(file, piece, most, static_cast<off_t>(offset + sent)));
            if (read == 0) break;
            connection_.sendall({piece, static_cast<std::size_t>(read)});
            sent += static_cast<std::uint64_t>(read);
        }
        return sent;
    }

private:
    net::Socket& connection_;
};

/// Receives the request's head, and returns what came with it of the body. Throws http::Error.
std::string receive_head(net::Socket& client_connection, http::RequestParser& parser) {
    while (true) {
        const std::string data = client_connection.recv(16384);
        if (data.empty()) throw http::Error(http::CLIENT_IS_GONE, "the client has disconnected");
        const std::size_t size = parser.feed(data);
        if (parser.is_complete()) return data.substr(size);
    }
}

/// Calls the application, and sends its response.
void handle_request(net::Socket& client_connection, wsgi::Application& application, int port) {
    http::RequestParser parser;
    int error_status = 0;
    try {
        const std::string received = receive_head(client_connection, parser);
        const wsgi::Ends ends = {{"127.0.0.1", "0"}, {"127.0.0.1", std::to_string(port)}};
        Client client(client_connection);
        const wsgi::Answer answer = application.serve(parser.request(), ends, received, client);
        if (!answer.has_begun) error_status = answer.status;
    } catch (const http::Error& error) {
        error_status = error.status();
    }
    const bool is_due = error_status != 0 && error_status != http::CLIENT_IS_GONE;
    if (is_due) client_connection.sendall(http::Page(error_status).text);
    net::print(parser.request_line());
    client_connection.close();
}

void serve_forever(const std::string& name) {
    wsgi::Application application(name, http::MAX_BODY);
    net::Socket listen_socket(AF_INET, SOCK_STREAM);
    listen_socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    listen_socket.bind(net::server_address());
    listen_socket.listen(REQUEST_QUEUE_SIZE);
    net::print("Serving HTTP on port ", listen_socket.port(), " ...");

    while (true) {
        net::Socket client_connection = listen_socket.accept();
        handle_request(client_connection, application, listen_socket.port());
    }
}

int main(int argc, char* argv[]) {
    return net::run(1, argv, [=] {
        if (argc != 2) throw std::invalid_argument("usage: 12_homework MODULE:CALLABLE");
        serve_forever(argv[1]);
    });
}
