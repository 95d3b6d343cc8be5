// A client for a server under test. It can behave well, or reset, half-close or delay its connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "../../net/socket.hpp"

namespace harness {

constexpr std::string_view REQUEST = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr std::string_view PAGE = "HTTP/1.1 200 OK\r\n\r\nHello, World!\n";  ///< the whole answer, byte by byte

/// Whether the answer is complete: a status line of success, headers, an empty line and a page. Where there is a
/// Content-Length, the page must be that long.
bool is_page(std::string_view answer);
/// The same for an answer with any status, such as an error page.
bool is_whole(std::string_view answer);
/// Whether the bytes received so far can be the beginning of an HTTP answer.
bool is_http(std::string_view answer);

/// A connection to a server on 127.0.0.1. The destructor closes it.
class Client {
public:
    /// Throws std::system_error when the server refuses the connection, or does not complete it in time;
    /// std::runtime_error when this process has no descriptor left.
    explicit Client(std::uint16_t server_port);
    Client(Client&&) = default;
    /// Closes the connection, with a reset if the server has closed first. Otherwise the kernel would reserve the
    /// server's port for a minute (TIME_WAIT). A server without SO_REUSEADDR could not be restarted in that time.
    ~Client();

    /// The ephemeral port at the client's end.
    std::uint16_t port() const { return port_; }

    /// Sends `bytes`. Returns false when the server has closed the connection, or does not receive them in time.
    bool send(std::string_view bytes) const;
    bool ask() const { return send(REQUEST); }

    /// Waits for `size` bytes and returns them; fewer when the connection ends first or the time runs out.
    std::string receive(std::size_t size);
    /// Waits until the connection ends and returns all bytes.
    std::string receive_all();

    /// The bytes that have arrived and that receive has not returned yet. Does not wait.
    const std::string& received();

    bool has_answer() const;  ///< whether there is something to receive
    /// Whether the server has closed or reset the connection; bytes sent before that can still be received.
    bool has_ended() const;
    bool was_reset() const { return was_reset_; }  ///< whether receive failed because of a reset

    void half_close() const;  ///< sends nothing more, but still receives (shutdown(2), SHUT_WR)
    void reset() noexcept;  ///< closes the connection with a reset (SO_LINGER, socket(7))
    void close() { socket_.close(); }
    bool is_open() const { return socket_.fileno() != -1; }  ///< neither closed nor reset by us

private:
    net::Socket socket_;
    std::uint16_t port_;
    std::string received_;
    bool was_reset_ = false;
};

}  // namespace harness
