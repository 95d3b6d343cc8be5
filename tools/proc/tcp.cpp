#include "tcp.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "errors.hpp"

namespace proc {
namespace {

[[noreturn]] void fail(int error) { throw std::system_error(error, std::generic_category(), "sock_diag"); }

/// A netlink socket for one request.
class SockDiag {
public:
    SockDiag() : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)) {
        if (fd_ != -1) return;
        require_descriptor("socket");
        fail(errno);
    }
    SockDiag(const SockDiag&) = delete;
    SockDiag& operator=(const SockDiag&) = delete;
    ~SockDiag() { close(fd_); }

    /// Sends the request and calls `visit` with every answer, its header first. Throws std::system_error when the
    /// kernel answers with an error.
    template <class Visit> void ask(const inet_diag_req_v2& what, int flags, Visit visit) {
        struct {
            nlmsghdr header;
            inet_diag_req_v2 what;
        } request = {};
        request.header.nlmsg_len = sizeof request;
        request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
        request.header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        request.what = what;
        if (send(fd_, &request, sizeof request, 0) == -1) fail(errno);

        alignas(nlmsghdr) char buffer[16384];
        while (true) {
            const ssize_t size = recv(fd_, buffer, sizeof buffer, 0);
            if (size == -1) fail(errno);
            auto left = static_cast<unsigned>(size);
            for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(header, left);
                 header = NLMSG_NEXT(header, left)) {
                if (header->nlmsg_type == NLMSG_DONE) return;
                if (header->nlmsg_type == NLMSG_ERROR) {
                    fail(-static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error);
                }
                visit(*header, *static_cast<const inet_diag_msg*>(NLMSG_DATA(header)));
                if ((flags & NLM_F_DUMP) == 0) return;  // a request for a single socket gets a single message
            }
        }
    }

private:
    int fd_;
};

/// Calls `visit` with every TCP socket, of IPv4 and IPv6, whose state is in the set.
template <class Visit> void for_each_socket(unsigned states, bool with_info, Visit visit) {
    for (const int family : {AF_INET, AF_INET6}) {
        inet_diag_req_v2 what = {};
        what.sdiag_family = static_cast<std::uint8_t>(family);
        what.sdiag_protocol = IPPROTO_TCP;
        what.idiag_states = states;
        if (with_info) what.idiag_ext = 1 << (INET_DIAG_INFO - 1);
        SockDiag().ask(what, NLM_F_DUMP, visit);
    }
}

/// The time since data was last sent, from the attribute INET_DIAG_INFO of an answer; 0 when the attribute is missing.
std::chrono::milliseconds since_sent(const nlmsghdr& header, const inet_diag_msg& message) {
    auto left = static_cast<unsigned>(NLMSG_PAYLOAD(&header, sizeof message));
    for (auto* attribute = reinterpret_cast<const rtattr*>(&message + 1); RTA_OK(attribute, left);
         attribute = RTA_NEXT(attribute, left)) {
        tcp_info info = {};
        if (attribute->rta_type != INET_DIAG_INFO) continue;
        std::memcpy(&info, RTA_DATA(attribute), std::min<std::size_t>(sizeof info, RTA_PAYLOAD(attribute)));
        return std::chrono::milliseconds(info.tcpi_last_data_sent);
    }
    return std::chrono::milliseconds(0);
}

/// The address in text: "127.0.0.1:8888"; for a family other than IPv4 "[::1]:8888".
std::string address_of(int family, const __be32 (&address)[4], __be16 port) {
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(family, address, text, sizeof text);
    std::string host = text;
    if (host.starts_with("::ffff:")) host.erase(0, 7);
    else if (family != AF_INET) host = '[' + host + ']';
    return host + ':' + std::to_string(ntohs(port));
}

}  // namespace

std::vector<ListeningSocket> listening_sockets() {
    std::vector<ListeningSocket> all;
    for_each_socket(1U << TCP_LISTEN, false, [&](const nlmsghdr&, const inet_diag_msg& socket) {
        all.push_back({socket.idiag_inode, ntohs(socket.id.idiag_sport), socket.idiag_rqueue, socket.idiag_wqueue,
                       socket.idiag_uid, address_of(socket.idiag_family, socket.id.idiag_src, socket.id.idiag_sport)});
    });
    return all;
}

std::vector<TcpSocket> tcp_sockets(bool with_times) {
    std::vector<TcpSocket> all;
    constexpr unsigned OPEN = ~(1U << TCP_LISTEN | 1U << TCP_TIME_WAIT);  // there may be thousands that nobody has open
    for_each_socket(OPEN, with_times, [&](const nlmsghdr& header, const inet_diag_msg& socket) {
        const bool peer_has_ended = socket.idiag_state == TCP_CLOSE_WAIT || socket.idiag_state == TCP_LAST_ACK ||
                                    socket.idiag_state == TCP_CLOSING;
        const unsigned end = peer_has_ended && socket.idiag_rqueue > 0 ? 1 : 0;  // the kernel counts the FIN as a byte
        all.push_back({socket.idiag_inode, socket.idiag_state, ntohs(socket.id.idiag_sport),
                       address_of(socket.idiag_family, socket.id.idiag_src, socket.id.idiag_sport),
                       address_of(socket.idiag_family, socket.id.idiag_dst, socket.id.idiag_dport),
                       socket.idiag_rqueue - end, socket.idiag_timer == 1, since_sent(header, socket)});
    });
    return all;
}

const char* tcp_state_name(int state) {
    static const std::array<const char*, 13> NAMES = {"UNKNOWN",   "ESTABLISHED", "SYN_SENT", "SYN_RECV",   "FIN_WAIT1",
                                                      "FIN_WAIT2", "TIME_WAIT",   "CLOSE",    "CLOSE_WAIT", "LAST_ACK",
                                                      "LISTEN",    "CLOSING",     "SYN_RECV"};
    return NAMES[state > 0 && state < 13 ? static_cast<std::size_t>(state) : 0];
}

std::optional<Connection> loopback_connection(std::uint16_t port, std::uint16_t peer_port) {
    inet_diag_req_v2 what = {};
    what.sdiag_family = AF_INET;
    what.sdiag_protocol = IPPROTO_TCP;
    what.idiag_states = ~0U;
    what.id.idiag_sport = htons(port);
    what.id.idiag_dport = htons(peer_port);
    what.id.idiag_src[0] = what.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
    what.id.idiag_cookie[0] = what.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    std::optional<Connection> found;
    try {
        SockDiag().ask(what, 0, [&](const nlmsghdr&, const inet_diag_msg& socket) {
            if (socket.idiag_state != TCP_LISTEN)
                found = Connection{socket.idiag_inode, socket.idiag_state, socket.idiag_rqueue};
        });
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::no_such_file_or_directory) throw;
    }
    return found;
}

}  // namespace proc
