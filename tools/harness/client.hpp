// A client of a server under test: as polite or as rude as the test wants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "../../net/socket.hpp"

namespace harness {

constexpr std::string_view REQUEST = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr std::string_view PAGE = "HTTP/1.1 200 OK\r\n\r\nHello, World!\n";  ///< the whole answer, byte by byte

/// Whether an answer is all there: a status line of success, headers, the empty line that ends them, and a page, as
/// long as Content-Length says, if it does.
bool is_page(std::string_view answer);
/// The same of any answer in HTTP: of an error page, say.
bool is_whole(std::string_view answer);
/// Whether it begins as an answer in HTTP does, as far as it has come.
bool is_http(std::string_view answer);

/// A connection to a server on 127.0.0.1. It closes when its scope ends.
class Client {
public:
    /// Throws std::system_error when there is nobody to connect to, or nobody who lets us in time; std::runtime_error
    /// when we have no descriptor left.
    explicit Client(std::uint16_t server_port);
    Client(Client&&) = default;
    /// Leaves; with a reset where the server has hung up first, since the kernel would keep its port for a minute
    /// (TIME_WAIT), and one without SO_REUSEADDR could not be started again.
    ~Client();

    /// The ephemeral port at its end.
    std::uint16_t port() const { return port_; }

    /// Sends `bytes`. Returns false when the server is gone, or does not take them in time.
    bool send(std::string_view bytes) const;
    bool ask() const { return send(REQUEST); }

    /// Waits for `size` bytes and returns them; fewer when the connection ends before or it takes too long.
    std::string receive(std::size_t size);
    /// The same until the connection ends.
    std::string receive_all();

    /// What has come up to now, and was not returned by receive.
    const std::string& received();

    bool has_answer() const;  ///< whether there is something to receive
    bool has_ended() const;  ///< whether the server has hung up (or reset): what was sent before can still be received
    bool was_reset() const { return was_reset_; }  ///< whether receive has met a reset instead of an end

    void half_close() const;  ///< no more to send, but all ears (shutdown(2))
    void reset() noexcept;  ///< hangs up with a reset instead of an end (SO_LINGER, socket(7))
    void close() { socket_.close(); }
    bool is_open() const { return socket_.fileno() != -1; }  ///< neither closed nor reset by us

private:
    net::Socket socket_;
    std::uint16_t port_;
    std::string received_;
    bool was_reset_ = false;
};

}  // namespace harness
