// What the Linux kernel says about TCP sockets, asked as ss(8) does: by sock_diag(7), which finds one socket among many
// without walking over all of them. IPv4 and IPv6, of this network namespace. Each throws std::runtime_error when there
// is no descriptor left to ask with (errors.hpp).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace proc {

/// A socket that listens.
struct ListeningSocket {
    std::uint64_t inode = 0;  ///< as in proc::Descriptor
    std::uint16_t port = 0;
    unsigned queued = 0;  ///< connections that wait for accept(2): the accept queue
    unsigned backlog = 0;  ///< what listen(2) was given, or less (somaxconn). The queue holds one more than this.
    uid_t user = 0;  ///< whose process made it
    std::string address;  ///< "127.0.0.1:8888", "[::1]:8888"
};

/// Throws std::system_error when the kernel does not answer.
std::vector<ListeningSocket> listening_sockets();

/// The end of a connection.
struct Connection {
    std::uint64_t inode = 0;  ///< as in proc::Descriptor; 0 when no process holds it any more
    int state = 0;  ///< TCP_ESTABLISHED, TCP_CLOSE_WAIT … (netinet/tcp.h)
    unsigned unread = 0;  ///< bytes that have arrived and that nobody has received
};

/// The end at 127.0.0.1:`port` of the connection to 127.0.0.1:`peer_port`. Nothing when there is none. Throws
/// std::system_error when the kernel does not answer.
std::optional<Connection> loopback_connection(std::uint16_t port, std::uint16_t peer_port);

/// A TCP socket that is connected, or was, or is about to be.
struct TcpSocket {
    std::uint64_t inode = 0;  ///< as in proc::Descriptor; 0 when no process holds it: not accepted yet, or closed
    int state = 0;  ///< TCP_ESTABLISHED, TCP_CLOSE_WAIT … (netinet/tcp.h)
    std::uint16_t port = 0;  ///< at our end
    std::string address;  ///< at our end: "127.0.0.1:8888", "[::1]:8888"; IPv4 within IPv6 is written as IPv4
    std::string peer;  ///< at the other end
    unsigned unread = 0;  ///< bytes that have arrived and that nobody has received
    /// Whether our end waits for the other one to acknowledge something, or to complete the connection: a packet is on
    /// its way, in one direction or the other (idiag_timer, sock_diag(7): the retransmission timer runs).
    bool is_unacknowledged = false;
    /// How long ago our end has last sent data or, before it has, was connected (tcpi_last_data_sent, "lastsnd" of
    /// ss(8)): of a connection in the accept queue, how long it has waited.
    std::chrono::milliseconds since_sent{0};
};

/// Every one that there is, but for those that listen. Throws std::system_error when the kernel does not answer. Only
/// `with_times` it asks for since_sent, which makes each answer four times as long.
std::vector<TcpSocket> tcp_sockets(bool with_times = false);

/// "ESTABLISHED", "CLOSE_WAIT": the names of RFC 9293, 3.3.2, as ss(8) and netstat(8) write them.
const char* tcp_state_name(int state);

}  // namespace proc
