// Finds a server and looks at it, as often as wanted, at little cost: what has not run since the last look is not read
// again.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "../proc/pidfd.hpp"
#include "../proc/tcp.hpp"
#include "elsewhere.hpp"
#include "model.hpp"

namespace xray {

/// Which server. A number is a port when something listens there, otherwise a pid when that process listens, or hides
/// what it does; otherwise a port still.
struct Target {
    int number = 8888;
    bool may_be_pid = false;
    std::string name;  ///< of a program that listens, when not empty, in place of the number

    std::string describe() const;  ///< "port 8888", "port or pid 8888", "a program named step_d"
};

/// Whether the process was started under this name, or as the script of this name: its first or second word is, but for
/// the folder. It may take a while: the words are in the memory of the process, which may be busy with it.
bool is_started_as(pid_t pid, const std::string& name);

class Watcher {
public:
    /// Throws std::system_error when there is no descriptor left.
    explicit Watcher(Target target);
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    ~Watcher();

    const Target& target() const { return target_; }

    /// Looks, and returns what it sees, which it keeps until the next look. A server that is found is looked at until
    /// it ends; then the next one is waited for. Throws std::system_error when the kernel does not tell of sockets.
    const Snapshot& look();

    /// A descriptor that is readable, after a look, once a process that was seen there exits or is reaped.
    int events() const { return events_; }

private:
    using Clock = std::chrono::steady_clock;

    struct Known {
        Process process;
        std::string run_count;
        std::vector<pid_t> children;
        proc::PidFd hold;
        bool is_seen = true;  // at this look
    };

    void find();
    void look_at_server();
    void visit(pid_t pid, std::size_t depth, std::vector<Process>& tree);
    bool read(Known& known);
    void drop_unseen();
    bool has_all_sockets_of(const Server& server) const;
    void read_sockets(Server& server);
    void remember_accept(const Server& server);
    void record_death();

    Target target_;
    int events_;
    pid_t pid_ = -1;  // of the server; -1: there is none
    std::uint64_t started_ = 0;
    std::map<pid_t, Known> known_;
    bool was_in_accept_ = false;  // the server, when it was blocked last
    bool has_lost_child_ = false;  // since then
    bool has_run_ = false;  // any of them, since the look before
    Clock::time_point sockets_read_;
    std::vector<proc::TcpSocket> sockets_;
    unsigned queued_ = 0;  // when they were read
    Elsewhere elsewhere_;
    Clock::time_point user_counted_;
    std::size_t processes_of_user_ = 0;
    Snapshot snapshot_;
};

}  // namespace xray
