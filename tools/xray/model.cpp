#include "model.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "../proc/process.hpp"
#include "../proc/tcp.hpp"

namespace xray {
bool Process::holds(std::uint64_t inode) const {
    return std::any_of(descriptors.begin(), descriptors.end(), [&](const proc::Descriptor& descriptor) {
        return descriptor.is_socket() && descriptor.inode == inode;
    });
}

void add_references(ReferenceCounts& counts, const std::vector<proc::Descriptor>& descriptors) {
    std::unordered_set<std::uint64_t> seen;
    for (const proc::Descriptor& descriptor : descriptors) {
        if (!descriptor.is_socket()) continue;
        References& references = counts[descriptor.inode];
        ++references.descriptors;
        if (seen.insert(descriptor.inode).second) ++references.processes;
    }
}

std::size_t Server::zombies() const {
    return static_cast<std::size_t>(std::count_if(processes.begin(), processes.end(),
                                                  [](const Process& process) { return process.head.is_zombie(); }));
}

std::size_t Server::reset_in_queue() const {
    std::size_t counted = 0;
    for (const proc::ListeningSocket& socket : listening) counted += socket.queued;
    return counted - std::min(counted, queue.size());
}

std::size_t Server::holders(std::uint64_t inode) const {
    const auto found = references.find(inode);
    return found == references.end() ? 0 : found->second.processes;
}

std::size_t Server::references_to(std::uint64_t inode) const {
    const auto found = references.find(inode);
    return found == references.end() ? 0 : found->second.descriptors;
}

const proc::ListeningSocket* Server::listening_socket(std::uint64_t inode) const {
    const auto found =
        std::find_if(listening.begin(), listening.end(), [&](const auto& socket) { return socket.inode == inode; });
    return found == listening.end() ? nullptr : &*found;
}

const proc::TcpSocket* Server::connection(std::uint64_t inode) const {
    const auto found = std::lower_bound(connections.begin(), connections.end(), inode,
                                        [](const auto& socket, std::uint64_t wanted) { return socket.inode < wanted; });
    return found == connections.end() || found->inode != inode ? nullptr : &*found;
}

std::vector<const proc::TcpSocket*> Server::connections_of(const Process& process) const {
    std::vector<const proc::TcpSocket*> found;
    for (const proc::Descriptor& descriptor : process.descriptors) {
        if (const proc::TcpSocket* const socket = descriptor.is_socket() ? connection(descriptor.inode) : nullptr)
            found.push_back(socket);
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

bool Server::is_leftover(const Process& holder, const proc::TcpSocket& connection) const {
    return holder.accepts() && holder.head.threads <= 1 && holders(connection.inode) == 1;
}

Fill fill_of(std::size_t used, rlim_t limit) {
    if (limit == RLIM_INFINITY || used < limit - limit / 4) return Fill::low;
    return used < limit - limit / 10 ? Fill::high : Fill::nearly_full;
}

std::string fate(const std::optional<int>& status) {
    return status ? proc::describe_wait_status(*status) : "exit status not visible";
}

std::string kind_of(const proc::Descriptor& descriptor) {
    const std::string& target = descriptor.target;
    if (target.starts_with("/dev/pts/") || target.starts_with("/dev/tty") || target == "/dev/console")
        return "terminal";
    if (target.starts_with("pipe:")) return "pipe";
    if (descriptor.is_socket()) return "socket without a TCP connection";
    if (target.starts_with("anon_inode:")) return printable(target.substr(std::strlen("anon_inode:")));
    return printable(target);
}

std::string printable(std::string text) {
    for (char& byte : text) {
        if (byte < ' ' || byte > '~') byte = '?';
    }
    return text;
}

}  // namespace xray
