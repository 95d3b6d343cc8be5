// What the Linux kernel says about TCP sockets, asked as ss(8) does: by sock_diag(7), which finds one socket among many
// without walking over all of them. IPv4 and IPv6, of this network namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace proc {

/// A socket that listens.
struct ListeningSocket {
    std::uint64_t inode = 0;  ///< as in proc::Descriptor
    std::uint16_t port = 0;
    unsigned queued = 0;  ///< connections that wait for accept(2): the accept queue
    unsigned backlog = 0;  ///< what listen(2) was given, or less (somaxconn). The queue holds one more than this.
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

}  // namespace proc
