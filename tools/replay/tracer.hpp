// Follows a program and all that it starts, one step at a time: ptrace(2). The kernel stops a process that is followed
// at the entry and at the exit of each system call, before it delivers a signal, and when it forks, executes or ends.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace replay {

/// A system call, as PTRACE_GET_SYSCALL_INFO shows it.
struct Call {
    long number = -1;
    std::uint64_t arguments[6] = {};
    std::int64_t result = 0;  ///< once it has returned; -EINTR and so on for an error
    bool is_error = false;
};

enum class Stop { none, call_entry, call_exit, signal, fork, exec, group_stop, other };

/// A process or a thread that is followed. (To ptrace each thread is one of its own.)
struct Tracee {
    pid_t pid = -1;  ///< gettid(2)
    pid_t process = -1;  ///< getpid(2)
    pid_t parent = -1;  ///< the process that has forked it, or -1
    std::size_t number = 0;  ///< in the order in which they were seen
    bool is_client = false;

    Stop stop = Stop::none;  ///< where it stands; none: it runs, or is blocked in a call
    bool is_news = false;  ///< the stop has not been looked at
    int signal = 0;  ///< of a stop for a signal
    pid_t child = -1;  ///< of a stop for a fork
    bool is_thread = false;  ///< the child of that fork is a thread of the same process
    Call call;  ///< the last that it has begun
    bool is_in_call = false;
    std::optional<int> status;  ///< it has ended, as waitpid(2) tells

    bool has_ended() const { return status.has_value(); }
    bool is_stopped() const { return stop != Stop::none; }
};

class Tracer {
public:
    Tracer();
    Tracer(const Tracer&) = delete;
    Tracer& operator=(const Tracer&) = delete;
    ~Tracer();  ///< kills all that is followed, and waits for it

    /// Starts a program with these additions to the environment, its standard output and error in the file `output`.
    /// Returns when it has been executed. Throws std::runtime_error when it cannot be, or must not be followed.
    Tracee& start(const std::vector<std::string>& command, const std::map<std::string, std::string>& environment,
                  int output, bool is_client);

    /// Lets a process that is stopped go on to its next stop; what it was stopped for is delivered.
    void resume(Tracee& tracee);

    /// Returns when each process that is followed is stopped, blocked in a call, or has ended, and no packet to or from
    /// the server's port is on its way, which could wake one.
    void settle();
    void set_server_port(std::uint16_t port) { server_port_ = port; }

    /// Waits for any stop, for `milliseconds` at most. Returns whether there was one.
    bool wait_for_stop(int milliseconds);

    /// In the order in which they were seen. References stay valid.
    const std::map<std::size_t, Tracee*>& all() const { return by_number_; }
    Tracee* find(pid_t pid);

    /// Bytes of its memory, `size` at most.
    static std::string memory(pid_t pid, std::uint64_t address, std::size_t size);

private:
    Tracee& add(pid_t pid);
    bool collect();
    bool packet_is_on_its_way() const;
    bool is_calm() const;
    void note(Tracee& tracee, int status);

    std::uint16_t server_port_ = 0;
    sigset_t mask_before_ = {};
    std::map<pid_t, Tracee> tracees_;
    std::map<pid_t, int> early_;  // stops of children that came before their parents told of them
    std::map<std::size_t, Tracee*> by_number_;
};

}  // namespace replay
