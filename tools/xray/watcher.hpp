// Finds a server and takes snapshots of it at little cost: a process that has not run since the last snapshot is not
// read again.
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

/// The server to watch. A number is a port when a process listens on it. Otherwise it is a pid, if that process listens
/// or its descriptors are hidden. Otherwise it is a port where a server is awaited.
struct Target {
    int number = 8888;
    bool may_be_pid = false;
    std::string name;  ///< the name of a program that listens; if it is not empty, the number is not used

    std::string describe() const;  ///< "port 8888", "port or pid 8888", "a program named step_d"
};

/// Whether the name, without its folder, is the first or second word of the process's command line: a program, or a
/// script of an interpreter. The call may take time: the words are in the memory of the process, which may be locked.
bool is_started_as(pid_t pid, const std::string& name);

class Watcher {
public:
    /// Throws std::system_error when no descriptor is left.
    explicit Watcher(Target target);
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    ~Watcher();

    const Target& target() const { return target_; }

    /// Takes a snapshot and returns it; the reference is valid until the next call. A server that was found is watched
    /// until it exits; then the next one is awaited. Throws std::system_error when the kernel does not list sockets.
    const Snapshot& look();

    /// A descriptor that becomes readable when a process of the last snapshot exits or is reaped.
    int events() const { return events_; }

private:
    using Clock = std::chrono::steady_clock;

    struct Known {
        Process process;
        std::string run_count;
        std::vector<pid_t> children;
        proc::PidFd hold;
        bool is_seen = true;  // in the current snapshot
    };

    void find();
    void read_server();
    void visit(pid_t pid, std::size_t depth, std::vector<Process>& tree);
    bool read(Known& known);
    void drop_reaped(std::vector<Process>& tree);
    void drop_unseen();
    bool has_all_sockets_of(const Server& server) const;
    void read_sockets(Server& server);
    void remember_accept(const Server& server);
    void record_server_exit();

    Target target_;
    int events_;
    pid_t pid_ = -1;  // the server's; -1: there is none
    std::uint64_t started_ = 0;
    std::map<pid_t, Known> known_;
    bool was_in_accept_ = false;  // whether the server was in accept when it was last blocked
    bool has_lost_child_ = false;  // whether a child has exited since then
    bool has_run_ = false;  // whether any process has run since the previous snapshot
    Clock::time_point sockets_read_;
    std::vector<proc::TcpSocket> sockets_;
    unsigned queued_ = 0;  // length of the accept queues when sockets_ was read
    Elsewhere elsewhere_;
    Clock::time_point user_counted_;
    std::size_t processes_of_user_ = 0;
    Snapshot snapshot_;
};

}  // namespace xray
