// Exercise 12, homework, solved: each client of the WSGI server has its own child.
//
// It combines exercises 3 to 11: grim_reaper, EINTR, fork's -1, a time limit for silent clients, SIGTERM. One thing is
// new: the child is a copy of a Python interpreter, and Python has to know about each fork. Otherwise all children
// would use the same random numbers, and might wait for locks that no thread releases. The class Application notifies
// Python. It also gives the signals their defaults, since the application may start programs: grim_reaper would reap
// them before the application does.
//
// TIMEOUT limits the whole head: each recv gets the time that is left. In the body each recv gets the whole TIMEOUT
// again, since a large upload takes its time. Since close waits for a slow client's last bytes, the child calls
// shutdown first: the client sees the end of the response at once.
//
// The child leads a process group of its own. Otherwise a SIGTERM to the server's whole group would kill the child
// before it has answered.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
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

using Seconds = std::chrono::duration<double>;
Seconds timeout;

volatile sig_atomic_t stopping = 0;
volatile sig_atomic_t listening = -1;

void stop(int) {
    const int saved_errno = errno;
    stopping = 1;
    shutdown(listening, SHUT_RDWR);  // accept fails from now on
    errno = saved_errno;
}

void grim_reaper(int) {
    const int saved_errno = errno;
    while (waitpid(-1, nullptr, WNOHANG) > 0) continue;  // SIGCHLD does not queue
    errno = saved_errno;
}

/// Limits how long recv waits (SO_RCVTIMEO, socket(7)).
void limit_waiting(const net::Socket& connection, Seconds seconds) {
    const auto whole = static_cast<time_t>(seconds.count());
    const timeval most = {whole, static_cast<suseconds_t>((seconds.count() - static_cast<double>(whole)) * 1e6)};
    net::check("setsockopt", setsockopt(connection.fileno(), SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most));
}

/// Receives at most `size` bytes. Throws http::Error(408) when none has come in time.
std::string receive_within(Seconds seconds, net::Socket& client_connection, std::size_t size) {
    constexpr Seconds LEAST(1e-6);  // 0 would be for ever
    limit_waiting(client_connection, std::max(seconds, LEAST));
    try {
        return client_connection.recv(size);
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::resource_unavailable_try_again) throw;
        throw http::Error(408, "the request is not there in time");
    }
}

/// The client's connection, as the application uses it.
class Client : public wsgi::Client {
public:
    explicit Client(net::Socket& connection) : connection_(connection) {}

    std::size_t receive(char* buffer, std::size_t size) override {
        const std::string data = receive_within(timeout, connection_, size);
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
    const auto begin = std::chrono::steady_clock::now();
    while (true) {
        const Seconds left = timeout - (std::chrono::steady_clock::now() - begin);
        const std::string data = receive_within(left, client_connection, 16384);
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
    shutdown(client_connection.fileno(), SHUT_WR);
    client_connection.close();
}

/// Answers a client for which there is no child. Unread bytes would make close reset the connection.
void refuse(net::Socket& client_connection) {
    client_connection.sendall(http::Page(503).text);
    char unwanted[4096];
    while (recv(client_connection.fileno(), unwanted, sizeof unwanted, MSG_DONTWAIT) > 0) continue;
    client_connection.close();
}

void install(int signal, void (*handler)(int)) {
    struct sigaction action = {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_NOCLDSTOP;  // not SA_RESTART: accept must return
    net::check("sigaction", sigaction(signal, &action, nullptr));
}

void serve_forever(const std::string& name) {
    timeout = net::seconds("TIMEOUT", 10);
    wsgi::Application application(name, http::MAX_BODY);
    net::Socket listen_socket(AF_INET, SOCK_STREAM);
    listen_socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    listen_socket.bind(net::server_address());
    listen_socket.listen(REQUEST_QUEUE_SIZE);
    net::print("Serving HTTP on port ", listen_socket.port(), " ...");

    install(SIGCHLD, grim_reaper);
    listening = listen_socket.fileno();
    install(SIGTERM, stop);

    const int port = listen_socket.port();
    while (!stopping) {
        std::error_code error;
        net::Socket client_connection = listen_socket.accept(error);
        if (error == std::errc::interrupted) continue;  // restart accept
        if (error && stopping) break;
        if (error) throw std::system_error(error, "accept");

        application.before_fork();
        const pid_t pid = fork();
        if (pid == 0) {  // child
            setpgid(0, 0);
            application.after_fork_in_child();
            listen_socket.close();  // the child accepts no clients
            handle_request(client_connection, application, port);
            application.run_exit_functions();
            _exit(0);
        }
        application.after_fork_in_parent();
        if (pid == -1) refuse(client_connection);  // fork has failed
        else client_connection.close();  // the child has its own copy
    }
    listen_socket.close();  // the next server can have the port
    while (wait(nullptr) != -1 || errno == EINTR) continue;
}

int main(int argc, char* argv[]) {
    return net::run(1, argv, [=] {
        if (argc != 2) throw std::invalid_argument("usage: 12_homework MODULE:CALLABLE");
        serve_forever(argv[1]);
    });
}
