#include "client.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>

#include "../../net/socket.hpp"
#include "../proc/errors.hpp"
#include "program.hpp"

namespace harness {
namespace {

/// The events that poll(2) reports for the descriptor; 0 when none comes within `patience`.
int events_of(int fd, int wanted, std::chrono::milliseconds patience) {
    pollfd events = {fd, static_cast<short>(wanted), 0};
    return poll(&events, 1, static_cast<int>(patience.count())) == 1 ? events.revents : 0;
}

/// The offset at which the page begins: after the empty line. (RFC 9112, 2.2, allows lines that end with \n alone, as
/// the article's do.)
std::size_t start_of_page(std::string_view answer) {
    const std::size_t strict = answer.find("\r\n\r\n");
    const std::size_t lax = answer.find("\n\n");
    if (strict == std::string::npos && lax == std::string::npos) return std::string::npos;
    return strict < lax ? strict + 4 : lax + 2;
}

/// The Content-Length of the answer; 1 when the header is missing, so that any byte of a page then counts as a page.
std::size_t length_of_page(std::string_view answer) {
    constexpr std::string_view NAME = "\ncontent-length:";
    std::string head(answer.substr(0, start_of_page(answer)));
    std::transform(head.begin(), head.end(), head.begin(),
                   [](char byte) { return static_cast<char>(std::tolower(static_cast<unsigned char>(byte))); });
    const std::size_t found = head.find(NAME);
    std::size_t length = 1;
    if (found == std::string::npos) return length;
    const std::size_t digits = head.find_first_not_of(' ', found + NAME.size());
    if (digits != std::string::npos) std::from_chars(head.data() + digits, head.data() + head.size(), length);
    return length;
}

/// Throws std::runtime_error when this process has no descriptor left, so that the server is not blamed for it.
net::Socket new_socket() {
    try {
        return net::Socket(AF_INET, SOCK_STREAM);
    } catch (const std::system_error& error) {
        errno = error.code().value();
        proc::require_descriptor("socket");
        throw;
    }
}

}  // namespace

bool is_http(std::string_view answer) {
    constexpr std::string_view VERSION = "HTTP/1.";
    return answer.substr(0, VERSION.size()) == VERSION.substr(0, answer.size());
}

bool is_whole(std::string_view answer) {
    const std::size_t page = start_of_page(answer);
    const std::size_t length = length_of_page(answer);
    return answer.size() > 8 && is_http(answer) && page != std::string::npos && answer.size() - page >= length;
}

bool is_page(std::string_view answer) {
    return is_whole(answer) && answer.substr(8, 5) == " 200 " && answer.size() > start_of_page(answer);
}

Client::Client(std::uint16_t server_port) : socket_(new_socket()) {
    const timeval patience = {std::chrono::duration_cast<std::chrono::seconds>(PATIENCE).count(), 0};
    net::check("setsockopt", setsockopt(socket_.fileno(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socket_.connect(address);
    port_ = static_cast<std::uint16_t>(socket_.port());
}

Client::~Client() {
    if (is_open() && has_ended()) reset();
}

bool Client::send(std::string_view bytes) const {
    return ::send(socket_.fileno(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

std::string Client::receive(std::size_t size) {
    std::string text;
    while (text.size() < size && events_of(socket_.fileno(), POLLIN, PATIENCE) != 0) {
        char buffer[4096];
        const ssize_t count = recv(socket_.fileno(), buffer, std::min(sizeof buffer, size - text.size()), 0);
        if (count == -1) was_reset_ = true;
        if (count <= 0) break;
        text.append(buffer, static_cast<std::size_t>(count));
    }
    return text;
}

std::string Client::receive_all() { return receive(std::numeric_limits<std::size_t>::max()); }

const std::string& Client::received() {
    char buffer[4096];
    for (ssize_t count; (count = recv(socket_.fileno(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0;) {
        received_.append(buffer, static_cast<std::size_t>(count));
    }
    return received_;
}

bool Client::has_answer() const {
    char first;
    return recv(socket_.fileno(), &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

bool Client::has_ended() const {
    return (events_of(socket_.fileno(), POLLRDHUP, std::chrono::milliseconds(0)) & (POLLRDHUP | POLLHUP | POLLERR)) !=
           0;
}

void Client::half_close() const {
    const int result = shutdown(socket_.fileno(), SHUT_WR);
    // ENOTCONN: the server has reset the connection.
    if (result == -1 && errno != ENOTCONN) net::check("shutdown", result);
}

void Client::reset() noexcept {
    const linger at_once = {1, 0};
    setsockopt(socket_.fileno(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_.close();
}

}  // namespace harness
