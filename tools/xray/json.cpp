#include "json.hpp"

#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "../proc/process.hpp"
#include "../proc/tcp.hpp"
#include "lessons.hpp"
#include "model.hpp"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

/// A wait status: {"exited": 0} or {"killed_by": 9}; null when it is unknown.
Json status_of(const std::optional<int>& status) {
    if (!status) return nullptr;
    return WIFEXITED(*status) ? Json{{"exited", WEXITSTATUS(*status)}} : Json{{"killed_by", WTERMSIG(*status)}};
}

Json json_of_limit(std::size_t used, rlim_t most) {
    return {{"used", used}, {"limit", most == RLIM_INFINITY ? Json(nullptr) : Json(most)}};
}

Json descriptor_of(const Server& server, const Process& holder, const proc::Descriptor& descriptor) {
    Json object = {{"number", descriptor.number}, {"target", printable(descriptor.target)}};
    if (descriptor.is_socket()) {
        object["socket"] = descriptor.inode;
        object["holders"] = server.holders(descriptor.inode);
        object["references"] = server.references_to(descriptor.inode);
    }
    if (const auto* const socket = server.listening_socket(descriptor.inode)) {
        object["tcp"] = {{"state", "LISTEN"}, {"local", socket->address}};
    } else if (const auto* const connection = server.connection(descriptor.inode)) {
        object["tcp"] = {{"state", proc::tcp_state_name(connection->state)},
                         {"local", connection->address},
                         {"peer", connection->peer},
                         {"unread", connection->unread},
                         {"leftover", server.is_leftover(holder, *connection)}};
    }
    return object;
}

Json process_of(const Server& server, const Process& process) {
    Json object = {{"pid", process.head.pid},
                   {"parent", process.head.ppid},
                   {"name", process.head.name},
                   {"state", std::string(1, process.head.state)},
                   {"blocked_in", process.call.empty() ? Json(nullptr) : Json(printable(process.call))},
                   {"status", status_of(process.head.exit_status)},
                   {"hidden", process.is_hidden},
                   {"descriptors", Json::array()}};
    for (const proc::Descriptor& descriptor : process.descriptors) {
        object["descriptors"].push_back(descriptor_of(server, process, descriptor));
    }
    return object;
}

Json signal_of(const proc::SignalState& state) {
    const char* const dispositions[] = {"default", "ignored", "handled"};
    return {{"disposition", dispositions[static_cast<int>(state.disposition)]},
            {"restarts_calls", nullptr},  // the kernel does not show the flag SA_RESTART
            {"blocked", state.blocked},
            {"pending", state.pending}};
}

Json server_of(const Server& server) {
    Json object = {{"pid", server.itself().head.pid},
                   {"user", server.user},
                   {"sigchld", signal_of(server.child_signal)},
                   {"descriptors", json_of_limit(server.itself().descriptors.size(), server.limits.descriptors)},
                   {"processes_of_user", json_of_limit(server.processes_of_user,
                                                       server.user == 0 ? RLIM_INFINITY : server.limits.processes)},
                   {"listening", Json::array()},
                   {"processes", Json::array()}};
    for (const proc::ListeningSocket& socket : server.listening) {
        Json clients = Json::array();
        Json waited = Json::array();
        for (const proc::TcpSocket& client : server.queue) {
            if (client.port != socket.port) continue;
            clients.push_back(client.peer);
            waited.push_back(client.since_sent.count());
        }
        const std::size_t reset = socket.queued - std::min<std::size_t>(socket.queued, clients.size());
        object["listening"].push_back({{"socket", socket.inode},
                                       {"address", socket.address},
                                       {"queue", socket.queued},
                                       {"limit", socket.backlog},
                                       {"clients", clients},
                                       {"waited_ms", waited},
                                       {"reset", reset}});
    }
    for (const Process& process : server.processes) object["processes"].push_back(process_of(server, process));
    return object;
}

}  // namespace

std::string json(const Snapshot& snapshot) {
    Json object = {{"server", nullptr}, {"hidden_listener", nullptr}, {"lessons", Json::array()}};
    if (snapshot.server) object["server"] = server_of(*snapshot.server);
    if (snapshot.hidden_listener)
        object["hidden_listener"] = {{"user", snapshot.hidden_listener->user},
                                     {"address", snapshot.hidden_listener->address},
                                     {"queue", snapshot.hidden_listener->queued},
                                     {"limit", snapshot.hidden_listener->backlog}};
    for (const Lesson& lesson : lessons(snapshot)) {
        object["lessons"].push_back({{"id", lesson.id}, {"text", lesson.text}, {"look_up", lesson.look_up}});
    }
    return object.dump(2);
}

}  // namespace xray
