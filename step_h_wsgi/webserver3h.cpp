// Concurrent server that runs web applications: the child becomes the application.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <initializer_list>
#include <list>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../net/socket.hpp"
#include "application.hpp"
#include "cgi.hpp"
#include "http.hpp"

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/types.h>
#include <time.h>
#endif

constexpr int REQUEST_QUEUE_SIZE = 1024;

/// Errors of accept that pass (accept(2)): of one client, or of a system that is short of something.
constexpr std::initializer_list<std::errc> TRANSIENT = {
    std::errc::connection_aborted, std::errc::protocol_error,    std::errc::too_many_files_open,
    std::errc::no_buffer_space,    std::errc::not_enough_memory, std::errc::too_many_files_open_in_system};

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr Seconds SOON(0.1);  // what can wait a little is done after this time at the latest

struct Settings {
    std::vector<std::string> command;
    std::uint16_t max_clients = net::number<std::uint16_t>("MAX_CLIENTS", std::getenv("MAX_CLIENTS"), 64, 65535);
    Seconds timeout = net::seconds("TIMEOUT", 10);
    Seconds app_timeout = net::seconds("APP_TIMEOUT", 30);
    Seconds grace = net::seconds("GRACE", 30);
};

Clock::time_point after(Seconds seconds) { return Clock::now() + std::chrono::duration_cast<Clock::duration>(seconds); }

timeval timeval_of(Seconds seconds) {
    const auto whole = static_cast<time_t>(seconds.count());
    return {whole, static_cast<suseconds_t>((seconds.count() - static_cast<double>(whole)) * 1e6)};
}

bool is_one_of(const std::error_code& error, std::initializer_list<std::errc> set) {
    return std::any_of(set.begin(), set.end(), [&](std::errc one) { return error == one; });
}

/// Limits how long accept or recv waits (EAGAIN then); 0: for ever (SO_RCVTIMEO, socket(7)). Async-signal-safe.
void limit_waiting(int socket, Seconds seconds) {
    const timeval most = timeval_of(seconds);
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
}

// ---- signals ------------------------------------------------------------------------------------

std::vector<pid_t> children;  // belongs to the handler, unless signals are blocked; has room for all, never allocates
volatile sig_atomic_t others_may_have_exited = 0;
volatile sig_atomic_t stop_signals = 0;
volatile sig_atomic_t listening = -1;

/// Reaps all who have exited. It looks at every child, so that with thousands of silent clients it takes a while.
void call_the_roll() {
    others_may_have_exited = 0;
    for (pid_t pid; (pid = waitpid(-1, nullptr, WNOHANG)) > 0;) std::erase(children, pid);
}

/// Reaps the child that the signal names. SIGCHLD does not queue, so others may have exited without one: for these the
/// roll is called soon, by an accept that does not wait for longer (where accept heeds SO_RCVTIMEO, as on Linux).
void grim_reaper(int, siginfo_t* exited, void*) {
    const int saved_errno = errno;
    if (const pid_t pid = waitpid(exited->si_pid, nullptr, WNOHANG); pid > 0) std::erase(children, pid);
    others_may_have_exited = 1;
    limit_waiting(listening, SOON);
    errno = saved_errno;
}

/// Ends the listening, whoever else has a copy of the socket: it gives the port free, and accept fails at once, even if
/// it was not yet called when the signal came.
void stop(int, siginfo_t*, void*) {
    const int saved_errno = errno;
    stop_signals = stop_signals + 1;
    shutdown(listening, SHUT_RDWR);
    errno = saved_errno;
}

void handle(int number, void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction action = {};
    action.sa_sigaction = handler;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_SIGINFO | SA_NOCLDSTOP;  // not SA_RESTART: accept shall be interrupted
    net::check("sigaction", sigaction(number, &action, nullptr));
}

/// Blocks the handled signals as long as it lives.
class BlockedSignals {
public:
    BlockedSignals() {
        sigset_t set;
        sigemptyset(&set);
        for (const int number : {SIGCHLD, SIGINT, SIGTERM}) sigaddset(&set, number);
        sigprocmask(SIG_BLOCK, &set, &before_);
    }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;
    ~BlockedSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

    /// Waits for a signal, for at most `patience`; not for one that has come already.
    void wait(Seconds patience) {
        const timeval whole = timeval_of(patience);
        const timespec time = {whole.tv_sec, whole.tv_usec * 1000};
        pselect(0, nullptr, nullptr, nullptr, &time, &before_);
    }

private:
    sigset_t before_;
};

// ---- in the child -------------------------------------------------------------------------------

cgi::Ends ends_of(const net::Socket& connection) {
    const auto text_of = [&](auto call) {
        sockaddr_in address = {};
        socklen_t size = sizeof address;
        call(connection.fileno(), reinterpret_cast<sockaddr*>(&address), &size);
        char text[INET_ADDRSTRLEN];
        return std::pair(std::string(inet_ntop(AF_INET, &address.sin_addr, text, sizeof text)),
                         std::to_string(ntohs(address.sin_port)));
    };
    const auto [server_address, server_port] = text_of(getsockname);
    return {text_of(getpeername).first, server_address, server_port};
}

/// Prints the combined log format: in one write, short enough to be atomic (PIPE_BUF, pipe(7)), and with nothing in it
/// that the client could have sent to look like another line.
void log_request(const std::string& client_address, const http::RequestParser& parser, const cgi::Answer& answer) {
    const auto quoted = [](const std::string& text) {
        std::string safe;
        for (const char byte : text.substr(0, 600)) {
            if (byte == '"' || byte == '\\') safe += '\\';
            if (byte >= ' ' && byte < '\x7f') safe += byte;
            else safe += {'\\', 'x', "0123456789abcdef"[byte >> 4 & 15], "0123456789abcdef"[byte & 15]};
        }
        return '"' + (safe.empty() ? "-" : safe.substr(0, 1200)) + '"';
    };
    const std::time_t now = std::time(nullptr);
    std::tm parts = {};
    localtime_r(&now, &parts);
    char time[40];
    time[std::strftime(time, sizeof time, "%d/%b/%Y:%H:%M:%S %z", &parts)] = '\0';
    const std::string size = answer.body_size == 0 ? "-" : std::to_string(answer.body_size);
    net::write_all(STDOUT_FILENO, client_address + " - - [" + time + "] " + quoted(parser.request_line()) + ' ' +
                                      std::to_string(answer.status) + ' ' + size + ' ' +
                                      quoted(parser.request().field("referer")) + ' ' +
                                      quoted(parser.request().field("user-agent")) + '\n');
}

/// Receives the request's head, and returns what came with it of the body. All of the head has to come within
/// `timeout`. Throws http::Error.
std::string receive_head(net::Socket& client_connection, http::RequestParser& parser, Seconds timeout) {
    const auto deadline = after(timeout);
    for (bool has_spoken = false;;) {
        const Seconds left = deadline - Clock::now();
        if (left.count() <= 0) throw http::Error(408, "no request in time");
        limit_waiting(client_connection.fileno(), left + std::chrono::microseconds(1));  // 0 would be for ever
        try {
            const std::string data = client_connection.recv(16384);
            if (data.empty()) throw http::Error(has_spoken ? 400 : cgi::CLIENT_IS_GONE, "the request breaks off");
            has_spoken = true;
            const std::size_t size = parser.feed(data);
            if (parser.is_complete()) return data.substr(size);
        } catch (const std::system_error& error) {
            if (!is_one_of(error.code(), {std::errc::resource_unavailable_try_again, std::errc::interrupted})) throw;
        }
    }
}

/// Lets the client see the end of its answer at once, whatever of its request is still to be read; or, when the answer
/// broke off, a reset, since without a Content-Length an end would make it look whole.
void hang_up(net::Socket& client_connection, bool is_whole) {
    const linger reset_on_close = {1, 0};
    if (is_whole) shutdown(client_connection.fileno(), SHUT_WR);
    else setsockopt(client_connection.fileno(), SOL_SOCKET, SO_LINGER, &reset_on_close, sizeof reset_on_close);
    client_connection.close();
}

void handle_request(net::Socket& client_connection, const Settings& settings) {
    http::RequestParser parser;
    cgi::Application application;
    cgi::Answer answer;
    const cgi::Ends ends = ends_of(client_connection);
    auto deadline = after(settings.app_timeout);
    try {
        const std::string body_begun = receive_head(client_connection, parser, settings.timeout);
        deadline = after(settings.app_timeout);
        application.start(settings.command, cgi::environment(parser.request(), ends));
        answer = application.serve(parser.request(), client_connection.fileno(), body_begun, deadline);
    } catch (const http::Error& error) {
        if (error.status() == cgi::CLIENT_IS_GONE) return;
        const std::string more = error.status() == 503 ? "Retry-After: 1\r\n" : "";
        const http::Page page(error.status(), parser.request().method == "HEAD", more);
        answer = {error.status(), page.body_size};
        client_connection.sendall(page.text);
    }
    log_request(ends.client_address, parser, answer);
    hang_up(client_connection, answer.is_whole);
    application.finish(deadline);
}

/// A child that the server leaves behind, killed by what it cannot handle, ends as well.
void die_with(pid_t server) {
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
    if (getppid() != server) _exit(1);
}

// ---- in the parent ------------------------------------------------------------------------------

/// Clients that were sent away. The connection of each is kept until it hangs up, for close would reset it if the
/// client has sent something since; but not for long, and never so that others have to wait, as they would for
/// Socket::close.
class Refused {
public:
    static constexpr std::size_t MOST = 64;
    static constexpr Seconds PATIENCE = std::chrono::seconds(1);

    /// 503, at once: what the socket's buffer does not take is lost.
    void add(net::Socket client_connection) {
        const http::Page page(503, false, "Retry-After: 1\r\n");
        log_request(ends_of(client_connection).client_address, {}, {503, page.body_size});
        const ssize_t size = send(client_connection.fileno(), page.text.data(), page.text.size(), MSG_DONTWAIT);
        if (size == -1 || shutdown(client_connection.fileno(), SHUT_WR) == -1) return;  // it has gone
        clients_.push_back({std::move(client_connection), after(PATIENCE)});
        if (clients_.size() > MOST) clients_.pop_front();
    }

    /// Lets go of those who have hung up, or have not for too long.
    void let_go() {
        clients_.remove_if([](const Client& client) {
            char unwanted[16384];
            const ssize_t size = recv(client.connection.fileno(), unwanted, sizeof unwanted, MSG_DONTWAIT);
            const bool is_there = size > 0 || (size == -1 && (errno == EAGAIN || errno == EWOULDBLOCK));
            return !is_there || client.deadline < Clock::now();
        });
    }

    bool empty() const { return clients_.empty(); }
    void clear() { clients_.clear(); }

private:
    struct Client {
        net::Socket connection;
        Clock::time_point deadline;
    };
    std::list<Client> clients_;
};

/// Lets the children finish, until a second signal, or for `grace`; then ends them.
void see_off_children(Seconds grace) {
    constexpr Seconds PAUSE = std::chrono::seconds(1);
    BlockedSignals blocked;
    call_the_roll();
    for (const auto deadline = after(grace); !children.empty() && stop_signals < 2 && Clock::now() < deadline;) {
        blocked.wait(std::min<Seconds>(PAUSE, deadline - Clock::now()));
        call_the_roll();
    }
    while (!children.empty()) {
        for (const pid_t pid : children) kill(pid, SIGTERM);
        blocked.wait(PAUSE);
        call_the_roll();
    }
}

/// A descriptor 0, 1 or 2 that the server was started without must not become a socket's.
void fill_standard_descriptors() {
    int fd = 0;
    while ((fd = net::check("open", open("/dev/null", O_RDONLY))) <= STDERR_FILENO) continue;
    close(fd);
}

void serve_forever(const Settings& settings) {
    fill_standard_descriptors();
    tzset();  // once, and not by each child for its line in the log
    net::Socket listen_socket(AF_INET, SOCK_STREAM);
    listen_socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    listen_socket.bind(net::server_address());
    listen_socket.listen(REQUEST_QUEUE_SIZE);

    listening = listen_socket.fileno();
    children.reserve(settings.max_clients);
    handle(SIGCHLD, grim_reaper);
    handle(SIGTERM, stop);
    handle(SIGINT, stop);
    net::print("Serving HTTP on port ", listen_socket.port(), " ...");

    Refused refused;
    for (auto next_roll_call = Clock::now(); stop_signals == 0;) {
        {
            BlockedSignals blocked;
            if (others_may_have_exited != 0 && Clock::now() >= next_roll_call) {
                call_the_roll();
                next_roll_call = after(SOON);
            }
            limit_waiting(listening, refused.empty() && others_may_have_exited == 0 ? Seconds(0) : SOON);
        }
        std::error_code error;
        net::Socket client_connection = listen_socket.accept(error);
        refused.let_go();
        if (error && stop_signals != 0) break;
        if (is_one_of(error, {std::errc::interrupted, std::errc::resource_unavailable_try_again})) {
            continue;  // restart accept
        }
        if (is_one_of(error, TRANSIENT)) {
            refused.clear();
            poll(nullptr, 0, 100);  // the client waits in the queue until there is room for it
            continue;
        }
        if (error) throw std::system_error(error, "accept");

        BlockedSignals blocked;  // until the handler knows the child
        const pid_t parent = getpid();
        const auto fork_if_allowed = [&] { return children.size() < settings.max_clients ? fork() : -1; };
        pid_t pid = fork_if_allowed();
        if (pid == -1 && others_may_have_exited != 0) {
            call_the_roll();  // zombies count as well
            pid = fork_if_allowed();
        }
        if (pid == 0) {  // child
            listen_socket.close();  // the child accepts nobody
            refused.clear();
            die_with(parent);
            handle_request(client_connection, settings);
            _exit(0);
        } else if (pid == -1) {  // one too many
            refused.add(std::move(client_connection));
        } else {  // parent
            children.push_back(pid);
            client_connection.close();  // the child has its own copy
        }
    }
    listen_socket.close();  // the next server can have the port
    listening = -1;
    refused.clear();
    see_off_children(settings.grace);
}

int main(int argc, char* argv[]) {
    return net::run(1, argv, [=] {
        if (argc < 2) throw std::invalid_argument("usage: step_h COMMAND [ARG...]");
        serve_forever({{argv + 1, argv + argc}});
    });
}
