// Exercise 11, graceful stop, solved: SIGTERM ends the listening, and the server exits after its last child.
//
// The handler sets a flag, and the loop tests it. That alone leaves a gap: if the signal arrives after the test and
// before accept, accept blocks all the same. So the handler also calls shutdown on the listening socket, and from then
// on accept fails. The handler of SIGTERM is installed without SA_RESTART, since accept must return; signal() would set
// that flag.
//
// Then the children finish. The handler of SIGCHLD may reap them first. wait returns ECHILD when no child is left,
// whichever of the two has reaped it. A sleep of fixed length would be too long for most clients and too short for
// some. A child ignores SIGTERM: the signal may be sent to the whole process group, and would end the child before it
// has answered.
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "../../net/socket.hpp"

constexpr int REQUEST_QUEUE_SIZE = 1024;

volatile sig_atomic_t stopping = 0;
volatile sig_atomic_t listening = -1;

void stop(int) {
    const int saved_errno = errno;
    stopping = 1;
    shutdown(listening, SHUT_RDWR);
    errno = saved_errno;
}

void grim_reaper(int) {
    const int saved_errno = errno;
    while (waitpid(-1, nullptr, WNOHANG) > 0) continue;  // SIGCHLD does not queue
    errno = saved_errno;
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

    struct sigaction action = {};
    action.sa_handler = grim_reaper;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_NOCLDSTOP;  // not SA_RESTART: the loop restarts accept
    net::check("sigaction", sigaction(SIGCHLD, &action, nullptr));

    listening = listen_socket.fileno();
    action.sa_handler = stop;
    net::check("sigaction", sigaction(SIGTERM, &action, nullptr));

    while (!stopping) {
        std::error_code error;
        net::Socket client_connection = listen_socket.accept(error);
        if (error == std::errc::interrupted) continue;  // restart accept
        if (error && stopping) break;
        if (error) throw std::system_error(error, "accept");

        const pid_t pid = net::check("fork", fork());
        if (pid == 0) {  // child
            signal(SIGTERM, SIG_IGN);  // the child finishes what it has begun
            listen_socket.close();  // the child accepts no clients
            handle_request(client_connection);
            client_connection.close();
            _exit(0);
        } else {  // parent
            client_connection.close();  // the child has its own copy
        }
    }
    listen_socket.close();  // the next server can have the port
    while (wait(nullptr) != -1 || errno == EINTR) continue;
}

int main(int argc, char* argv[]) { return net::run(argc, argv, serve_forever); }
