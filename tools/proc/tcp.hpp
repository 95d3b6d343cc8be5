// Reads the state of TCP sockets from the kernel as ss(8) does: with sock_diag(7), which finds a single socket without
// listing all of them. IPv4 and IPv6, in this network namespace. Each function throws std::runtime_error when no
// descriptor is left (errors.hpp).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace proc {

/// A listening socket.
struct ListeningSocket {
    std::uint64_t inode = 0;  ///< as in proc::Descriptor
    std::uint16_t port = 0;
    unsigned queued = 0;  ///< connections that wait for accept(2): the accept queue
    unsigned backlog = 0;  ///< the backlog of listen(2), capped by somaxconn; the queue holds one connection more
    uid_t user = 0;  ///< the user whose process created it
    std::string address;  ///< "127.0.0.1:8888", "[::1]:8888"
};

/// Throws std::system_error when the kernel does not answer.
std::vector<ListeningSocket> listening_sockets();

/// One end of a connection.
struct Connection {
    std::uint64_t inode = 0;  ///< as in proc::Descriptor; 0 when no process holds it any more
    int state = 0;  ///< TCP_ESTABLISHED, TCP_CLOSE_WAIT … (netinet/tcp.h)
    unsigned unread = 0;  ///< bytes that have arrived and that no process has received
};

/// The end at 127.0.0.1:`port` of the connection to 127.0.0.1:`peer_port`. Empty when there is none. Throws
/// std::system_error when the kernel does not answer.
std::optional<Connection> loopback_connection(std::uint16_t port, std::uint16_t peer_port);

/// A TCP socket of a connection: established, ending or about to be established.
struct TcpSocket {
    std::uint64_t inode = 0;  ///< as in proc::Descriptor; 0 when no process holds it: not accepted yet, or closed
    int state = 0;  ///< TCP_ESTABLISHED, TCP_CLOSE_WAIT … (netinet/tcp.h)
    std::uint16_t port = 0;  ///< at our end
    std::string address;  ///< at our end: "127.0.0.1:8888", "[::1]:8888"; IPv4 within IPv6 is written as IPv4
    std::string peer;  ///< at the other end
    unsigned unread = 0;  ///< bytes that have arrived and that no process has received
    /// Whether this end waits for the other to acknowledge data or complete the connection. Then a packet is on its
    /// way, and the retransmission timer is running (idiag_timer, sock_diag(7)).
    bool is_unacknowledged = false;
    /// The time since this end last sent data or, before that, since the connection was established
    /// (tcpi_last_data_sent, "lastsnd" in ss(8)). For a connection in the accept queue: how long it has waited.
    std::chrono::milliseconds since_sent{0};
};

/// All TCP sockets except listening ones, and those in TIME_WAIT, which no process has open. Throws std::system_error
/// when the kernel does not answer. since_sent is set only `with_times`, since it makes each answer four times as long.
std::vector<TcpSocket> tcp_sockets(bool with_times = false);

/// "ESTABLISHED", "CLOSE_WAIT": the names of RFC 9293, 3.3.2, as ss(8) and netstat(8) write them.
const char* tcp_state_name(int state);

}  // namespace proc
