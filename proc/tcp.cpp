#include "tcp.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace proc {
namespace {

[[noreturn]] void fail(int error) { throw std::system_error(error, std::generic_category(), "sock_diag"); }

/// A netlink socket for one request.
class SockDiag {
public:
    SockDiag() : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)) {
        if (fd_ == -1) fail(errno);
    }
    SockDiag(const SockDiag&) = delete;
    SockDiag& operator=(const SockDiag&) = delete;
    ~SockDiag() { close(fd_); }

    /// Sends the request and calls `visit` with every answer. Throws std::system_error for an error of the kernel's.
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
                visit(*static_cast<const inet_diag_msg*>(NLMSG_DATA(header)));
                if ((flags & NLM_F_DUMP) == 0) return;  // a single socket is answered by a single message
            }
        }
    }

private:
    int fd_;
};

}  // namespace

std::vector<ListeningSocket> listening_sockets() {
    std::vector<ListeningSocket> all;
    for (const int family : {AF_INET, AF_INET6}) {
        inet_diag_req_v2 what = {};
        what.sdiag_family = static_cast<std::uint8_t>(family);
        what.sdiag_protocol = IPPROTO_TCP;
        what.idiag_states = 1U << TCP_LISTEN;
        SockDiag().ask(what, NLM_F_DUMP, [&](const inet_diag_msg& one) {
            all.push_back({one.idiag_inode, ntohs(one.id.idiag_sport), one.idiag_rqueue, one.idiag_wqueue});
        });
    }
    return all;
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
        SockDiag().ask(what, 0, [&](const inet_diag_msg& one) {
            if (one.idiag_state != TCP_LISTEN) found = Connection{one.idiag_inode, one.idiag_state, one.idiag_rqueue};
        });
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::no_such_file_or_directory) throw;
    }
    return found;
}

}  // namespace proc
