// Explains states that the article's lessons are about, when the server is in them.
#pragma once

#include <string>
#include <vector>

#include "../proc/tcp.hpp"
#include "model.hpp"

namespace xray {

/// An explanation, and where the article explains it.
struct Lesson {
    const char* id;  ///< for programs: "queue", "leftover-copy"
    std::string text;
    const char* look_up;
};

/// The explanations that apply to the snapshot, the most important first.
std::vector<Lesson> lessons(const Snapshot& snapshot);

/// The explanation beside a single connection: "the client waits: this copy keeps the connection open". Empty when
/// there is none.
std::string note_on(const Server& server, const Process& holder, const proc::TcpSocket& connection);

/// The same for a process: "waits for its parent to wait()".
std::string note_on(const Process& process);

}  // namespace xray
