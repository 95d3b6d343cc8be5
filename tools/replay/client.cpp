#include "client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <utility>

namespace replay {
namespace {

constexpr std::string_view CLIENT_REQUEST = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";

}  // namespace

Client::Client(std::uint16_t server_port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd_ == -1 || connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == -1) {
        const int error = errno;
        close(fd_);
        throw std::system_error(error, std::generic_category(), "a client cannot connect to the server");
    }
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
}

Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      port_(other.port_),
      has_asked_(other.has_asked_),
      has_ended_(other.has_ended_),
      was_reset_(other.was_reset_),
      received_(other.received_) {}

Client::~Client() { hang_up(); }

void Client::ask() { has_asked_ = send(fd_, CLIENT_REQUEST.data(), CLIENT_REQUEST.size(), MSG_NOSIGNAL) > 0; }

void Client::hang_up() {
    if (fd_ != -1) close(std::exchange(fd_, -1));
}

void Client::receive() {
    char bytes[4096];
    while (fd_ != -1 && !has_ended_) {
        const ssize_t count = recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
        if (count == -1 && (errno == EAGAIN || errno == EINTR)) return;
        was_reset_ = count == -1;
        has_ended_ = count <= 0;
        if (count > 0) received_ += static_cast<std::size_t>(count);
    }
}

const char* Client::state() const {
    if (was_reset_) return "reset";
    if (has_ended_) return "ended";
    if (fd_ == -1) return "gone";
    if (received_ > 0) return "answered";
    return has_asked_ ? "asked" : "connected";
}

}  // namespace replay
