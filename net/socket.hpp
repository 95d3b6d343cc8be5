// The article's listings use Python's socket object and print(). This file has their counterparts: a socket that owns
// its descriptor, and print(). It also reads settings from the environment, and reports the call that has failed.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace net {

/// Returns the result of a system call. Throws std::system_error ("accept: Interrupted system call") for -1.
template <class Integer> Integer check(const char* call, Integer result) {
    return result != -1 ? result : throw std::system_error(errno, std::generic_category(), call);
}

/// Writes all of `text` with write(2), and goes on after a signal and after a partial write. Returns 0, or -1 with
/// errno set. Async-signal-safe.
inline int write_all(int fd, std::string_view text) noexcept {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written == -1 && errno != EINTR) return -1;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    return text.empty() ? 0 : write_all(fd, text);
}

/// Writes a line of texts and whole numbers to stdout, at most 2047 bytes of it. The line is written at once: fork
/// would copy the contents of a buffer, and _exit would lose them. Returns what write_all returns. Async-signal-safe:
/// it does not allocate, lock or throw (signal-safety(7)).
template <class... Parts> int signal_safe_print(const Parts&... parts) noexcept {
    char line[2048];
    char* end = line;
    const auto append = [&end, last = line + sizeof line - 1](const auto& part) {
        if constexpr (requires { std::to_chars(end, last, part); }) end = std::to_chars(end, last, part).ptr;
        else end += std::string_view(part).copy(end, static_cast<std::size_t>(last - end));
    };
    (append(parts), ...);
    *end++ = '\n';
    return write_all(STDOUT_FILENO, {line, static_cast<std::size_t>(end - line)});
}

/// The same outside of signal handlers: throws std::system_error when write fails.
template <class... Parts> void print(const Parts&... parts) { check("write", signal_safe_print(parts...)); }

/// A TCP socket over IPv4. It owns its descriptor, and closes it when its scope ends; a socket that was moved from is
/// closed. A call that fails throws std::system_error with the call's name. A peer that has reset the connection, or
/// cannot be reached any more, is not a failure: for us it has closed.
class Socket {
public:
    Socket(int family, int type) : Socket(check("socket", ::socket(family, type, 0))) {}
    Socket(Socket&& other) noexcept : fd_(other.fd_), patience_(other.patience_) { other.fd_ = -1; }
    ~Socket() { close(); }

    void setsockopt(int level, int opt, int on) { check("setsockopt", ::setsockopt(fd_, level, opt, &on, sizeof on)); }
    void bind(const sockaddr_in& address) { check("bind", ::bind(fd_, generic(address), sizeof address)); }
    void listen(int backlog) { check("listen", ::listen(fd_, backlog)); }
    void connect(const sockaddr_in& address) { check("connect", ::connect(fd_, generic(address), sizeof address)); }

    /// Waits for the next client. A signal that interrupts it is an error, EINTR, unless its handler was installed with
    /// SA_RESTART. A client that has disconnected before its turn is skipped: some systems report its error as an error
    /// of accept (accept(2), "Error handling").
    Socket accept() { return Socket(check("accept", next_client())); }
    /// The same, but an error goes to `error`, and the socket that is returned then is closed.
    Socket accept(std::error_code& error) noexcept {
        Socket connection(next_client());
        error.assign(connection.fd_ == -1 ? errno : 0, std::generic_category());
        return connection;
    }

    /// Waits for bytes and returns at most `size` of them; none when the peer has closed.
    std::string recv(std::size_t size) {
        std::string data(size, '\0');
        data.resize(static_cast<std::size_t>(forgive("recv", ::recv(fd_, data.data(), size, 0))));
        // a blank line ends a request, unless it is a POST, PUT or PATCH
        patience_ = data.empty() ? -1 : data.ends_with("\r\n\r\n") && data[0] != 'P' ? 0 : 200;
        return data;
    }
    /// Sends all of `data`, in as many calls as that takes.
    void sendall(std::string_view data) { forgive("write", write_all(fd_, data)); }

    /// Closes the descriptor; does nothing when it is closed. A process that has received from the peer first receives
    /// the rest of the request. It stops at the blank line, when the peer has been silent for 0.2 seconds, and after 2
    /// seconds at the latest. Unread bytes would make close reset the connection (RFC 1122, 4.2.2.13), and the peer
    /// might lose its answer. (shutdown is no way out: it would end our half in every process that has a copy.)
    void close() noexcept {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
        pollfd more = {fd_, POLLIN, 0};
        const auto in_time = [&] { return std::chrono::steady_clock::now() < deadline; };
        while (fd_ != -1 && patience_ >= 0 && in_time() && ::poll(&more, 1, patience_) == 1) recv(16384);
        if (fd_ != -1) ::close(fd_), fd_ = -1;
    }

    /// The port it is bound to: the kernel's choice when it was bound to port 0.
    int port() const {
        sockaddr_in address = {};
        socklen_t size = sizeof address;
        check("getsockname", ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size));
        return ntohs(address.sin_port);
    }
    int fileno() const noexcept { return fd_; }  ///< Its descriptor, as in Python; -1 when it is closed.

private:
    explicit Socket(int fd) noexcept : fd_(fd) {}
    static const sockaddr* generic(const sockaddr_in& in) { return reinterpret_cast<const sockaddr*>(&in); }
    static bool peer_is_gone() noexcept {
        return errno == ECONNRESET || errno == ECONNABORTED || errno == EPIPE || errno == EPROTO ||
               errno == ETIMEDOUT || errno == EHOSTUNREACH || errno == ENETUNREACH || errno == ENETDOWN;
    }
    static ssize_t forgive(const char* call, ssize_t n) { return n == -1 && peer_is_gone() ? 0 : check(call, n); }
    int next_client() const noexcept {
        const int fd = ::accept(fd_, nullptr, nullptr);
        return fd == -1 && peer_is_gone() ? next_client() : fd;
    }

    int fd_;
    int patience_ = -1;  // how long close() waits for more of the request: milliseconds; -1: it does not
};

/// The number that `text` holds, or `fallback` when it is null. Throws std::invalid_argument ("PORT must be a whole
/// number from 0 to 65535, got "abc"") when it holds anything else, or a number above `most`.
template <class Number> Number number(const std::string& name, const char* text, Number fallback, int most) {
    if (text == nullptr) return fallback;
    const bool is_whole = static_cast<Number>(0.5) == 0;
    const char* const must = is_whole ? " must be a whole number" : " must be a number";
    const char* const digits = is_whole ? "0123456789" : "0123456789.";
    char* end = nullptr;
    const double value = std::strtod(text, &end);  // it reads " 1", "1e3" and "inf" as well
    const bool is_plain = std::string_view(text).find_first_not_of(digits) == std::string_view::npos;
    if (is_plain && end > text && *end == '\0' && value <= most) return static_cast<Number>(value);
    throw std::invalid_argument(name + must + " from 0 to " + std::to_string(most) + ", got \"" + text + '"');
}

/// The setting `name` of the environment, in seconds.
inline std::chrono::duration<double> seconds(const char* name, double fallback) {
    return std::chrono::duration<double>(number(name, std::getenv(name), fallback, 1'000'000'000));
}

/// HOST and PORT of the environment, by default 127.0.0.1 and 8888. Throws std::invalid_argument.
inline sockaddr_in server_address() {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(number<in_port_t>("PORT", std::getenv("PORT"), 8888, 65535));
    const char* const host = std::getenv("HOST");
    if (inet_pton(AF_INET, host ? host : "127.0.0.1", &address.sin_addr) == 1) return address;
    throw std::invalid_argument(std::string("HOST must be an IPv4 address, got \"") + host + '"');
}

/// The body of main: calls `serve_forever`, and reports an exception in one line on stderr. The exit status is then 2
/// for misuse (std::invalid_argument, or any argument), otherwise 1. It ignores SIGPIPE, as Python does: then a write
/// to a peer that has closed fails with EPIPE.
inline int run(int argc, char* argv[], auto serve_forever) try {
    if (argc > 1) throw std::invalid_argument("usage: no arguments; the settings are in the environment");
    std::signal(SIGPIPE, SIG_IGN);
    return serve_forever(), 0;
} catch (const std::exception& error) {
    std::string line = std::string(argv[0]).substr(std::string_view(argv[0]).rfind('/') + 1) + ": " + error.what();
    for (char& byte : line) byte = static_cast<unsigned char>(byte) < ' ' ? '?' : byte;
    write_all(STDERR_FILENO, line + '\n');
    return dynamic_cast<const std::invalid_argument*>(&error) ? 2 : 1;
}

}  // namespace net
