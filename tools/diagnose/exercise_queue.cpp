// Exercise 1: how many clients connect to a socket from which nobody accepts. A student's prediction is compared with
// the kernel's behaviour.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "../../net/socket.hpp"
#include "../harness/process.hpp"
#include "clients.hpp"
#include "exercise_probes.hpp"
#include "probes.hpp"
#include "utf8.hpp"

namespace diagnose {

using std::to_string;

namespace {

/// The kernel's data about a TCP socket (tcp(7), TCP_INFO): the state of a client's socket. For a listening socket,
/// tcpi_unacked is the length of its accept queue, and tcpi_sacked the limit.
tcp_info info_of(const net::Socket& socket) {
    tcp_info info = {};
    socklen_t size = sizeof info;
    net::check("getsockopt", getsockopt(socket.fileno(), IPPROTO_TCP, TCP_INFO, &info, &size));
    return info;
}

/// Connects without waiting for the connection.
void begin_to_connect(net::Socket& client, int port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<in_port_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    net::check("fcntl", fcntl(client.fileno(), F_SETFL, O_NONBLOCK));
    const int result = ::connect(client.fileno(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (result == -1 && errno != EINPROGRESS) net::check("connect", result);
}

/// The number of clients that connect to a socket with this backlog while no process accepts them. Clients connect one
/// after the other until the kernel says that the queue is full, and a client gets no answer.
unsigned long connected(int backlog) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    net::Socket listener(AF_INET, SOCK_STREAM);
    listener.bind(address);
    listener.listen(backlog);
    std::deque<net::Socket> clients;
    while (true) {
        begin_to_connect(clients.emplace_back(AF_INET, SOCK_STREAM), listener.port());
        bool is_connected = false;
        const bool is_known = harness::eventually([&] {
            const tcp_info queue = info_of(listener);
            is_connected = info_of(clients.back()).tcpi_state == TCP_ESTABLISHED;
            return is_connected || queue.tcpi_unacked > queue.tcpi_sacked;
        });
        if (!is_known) throw std::runtime_error("the kernel neither connects a client nor calls its queue full");
        if (!is_connected) return clients.size() - 1;
    }
}

/// Removes the character from the beginning of `text`, in its ASCII form or in the full-width form of Chinese
/// keyboards. Returns whether it was there.
bool take(std::string_view& text, char ascii) {
    const char full_width[] = {'\xEF', '\xBC', static_cast<char>(ascii + 0x60)};  // U+FF01 … U+FF3F in UTF-8
    if (text.starts_with(ascii)) text.remove_prefix(1);
    else if (text.starts_with(std::string_view(full_width, sizeof full_width))) text.remove_prefix(sizeof full_width);
    else return false;
    return true;
}

void take_spaces(std::string_view& text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
}

/// Removes the digits from the beginning of `text`, and returns them in ASCII, without leading zeros.
std::string take_digits(std::string_view& text) {
    std::string digits;
    const auto take_digit = [&] {
        for (char digit = '0'; digit <= '9'; ++digit) {
            if (!take(text, digit)) continue;
            digits += digit;
            return true;
        }
        return false;
    };
    while (take_digit()) continue;
    const std::size_t zeros = digits.find_first_not_of('0');
    return zeros == std::string::npos ? digits.substr(0, 1) : digits.substr(zeros);
}

/// The line about this backlog, and the text after its number.
struct Line {
    std::string_view whole;
    std::string_view rest;
};

std::optional<Line> line_about(std::string_view text, int backlog) {
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        std::string_view rest = line;
        take_spaces(rest);
        if (!rest.starts_with("backlog ")) continue;
        rest.remove_prefix(std::string_view("backlog").size());
        take_spaces(rest);
        if (take_digits(rest) != to_string(backlog)) continue;
        const bool is_word =
            !rest.empty() && (std::isalnum(static_cast<unsigned char>(rest.front())) || rest[0] == '_');
        if (is_word) continue;
        take_spaces(rest);
        return Line{line, rest.substr(0, rest.find_last_not_of(' ') + 1)};
    }
    return std::nullopt;
}

/// The predicted number; nothing when there is none. The format is "backlog 5: NUMBER".
std::optional<std::string> number_in(std::string_view rest) {
    if (!take(rest, ':')) return std::nullopt;
    take_spaces(rest);
    const std::string digits = take_digits(rest);
    return digits.empty() || !rest.empty() ? std::nullopt : std::optional(digits);
}

/// Whether the student has not replaced the question mark by a number yet.
bool is_open(std::string_view rest) {
    take(rest, ':');
    take_spaces(rest);
    take(rest, '?');
    return rest.empty();
}

/// Compares the prediction for this backlog with the kernel's behaviour.
Finding compare_prediction(std::string_view text, int backlog) {
    constexpr std::size_t MOST_SHOWN = 60;
    const std::optional<Line> line = line_about(text, backlog);
    const std::optional<std::string> number = line ? number_in(line->rest) : std::nullopt;
    if (!number && line && is_open(line->rest)) return no("there is no number yet");
    if (!number) {
        std::string wanted = "wanted: \"backlog " + to_string(backlog) + ": NUMBER\"";
        if (!line) return no(wanted);
        return no(wanted + ", and there is \"" + std::string(first_characters(stripped(line->whole), MOST_SHOWN)) +
                  '"');
    }
    const unsigned long actual = connected(backlog);
    unsigned long predicted = 0;
    const bool fits = std::from_chars(number->data(), number->data() + number->size(), predicted).ec == std::errc();
    if (fits && predicted == actual) return yes(to_string(actual) + " connect, and the next one gets no answer");
    if (fits && predicted < actual) {
        return {Answer::no, *number + " are predicted, but then the next one connects as well",
                "the kernel's queue is full later"};
    }
    return {Answer::no, *number + " are predicted, but fewer connect",
            "when the queue is full, the kernel does not refuse a client: it does not answer it"};
}

}  // namespace

Findings predictions(const Solution& solution) {
    const std::string text = text_in(solution.source);
    Findings found;
    for (const int backlog : {0, 1, 5}) found["backlog " + to_string(backlog)] = compare_prediction(text, backlog);
    return found;
}

}  // namespace diagnose
