// The recorder's own client, which does one thing at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace replay {

class Client {
public:
    /// Connects to 127.0.0.1:`server_port`. Throws std::system_error.
    explicit Client(std::uint16_t server_port);
    Client(Client&& other) noexcept;
    Client& operator=(Client&&) = delete;
    ~Client();

    std::uint16_t port() const { return port_; }  ///< the client's port
    void ask();  ///< sends a request
    void hang_up();  ///< closes the connection

    /// Receives the bytes that have arrived, without waiting.
    void receive();
    /// "connected", "asked", "answered", "ended" (by the server), "reset", "gone" (by itself).
    const char* state() const;
    std::size_t received() const { return received_; }

private:
    int fd_;
    std::uint16_t port_ = 0;
    bool has_asked_ = false;
    bool has_ended_ = false;
    bool was_reset_ = false;
    std::size_t received_ = 0;
};

}  // namespace replay
