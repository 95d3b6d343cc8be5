// What a state means: the article's lessons, when the server shows them.
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

/// Those that apply to what is seen, the most telling first.
std::vector<Lesson> lessons(const Snapshot& snapshot);

/// What there is to explain about a single connection, on its own line: "the client waits: this copy keeps the
/// connection open". Empty: nothing.
std::string note_on(const Server& server, const Process& holder, const proc::TcpSocket& connection);

/// The same about a process: "waits for its parent to wait()".
std::string note_on(const Process& process);

}  // namespace xray
