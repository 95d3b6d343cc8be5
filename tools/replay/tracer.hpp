// Traces a program and its descendants one step at a time: ptrace(2). The kernel stops a traced process when it enters
// or leaves a system call, and before a signal is delivered. A fork, an exec and an exit stop it, too.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <chrono>
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
    std::int64_t result = 0;  ///< the return value, once the call has returned; -EINTR and so on for an error
    bool is_error = false;
};

enum class Stop { none, call_entry, call_exit, signal, fork, exec, group_stop, other };

/// A process or a thread that is traced. (ptrace traces each thread separately.)
struct Tracee {
    pid_t pid = -1;  ///< gettid(2)
    pid_t process = -1;  ///< getpid(2)
    pid_t parent = -1;  ///< the process that forked it, or -1
    std::size_t number = 0;  ///< numbered in the order of appearance
    bool is_client = false;

    Stop stop = Stop::none;  ///< the reason for its stop; none: it runs, or is blocked in a call
    bool is_news = false;  ///< the recorder has not handled the stop yet
    int signal = 0;  ///< the signal, for a stop before delivery
    pid_t child = -1;  ///< the new process, for a stop at a fork
    bool is_thread = false;  ///< that new process is a thread of the same process
    Call call;  ///< the last call that it has entered
    bool is_in_call = false;
    std::optional<int> status;  ///< its wait status (waitpid(2)), once it has exited

    bool has_ended() const { return status.has_value(); }
    bool is_stopped() const { return stop != Stop::none; }
};

class Tracer {
public:
    Tracer();
    Tracer(const Tracer&) = delete;
    Tracer& operator=(const Tracer&) = delete;
    ~Tracer();  ///< kills all traced processes and waits for them

    /// Starts a program with these additions to the environment; its standard output and error go to the file `output`.
    /// Returns when it has been executed. Throws std::runtime_error when it cannot be executed, or tracing is not
    /// allowed.
    Tracee& start(const std::vector<std::string>& command, const std::map<std::string, std::string>& environment,
                  int output, bool is_client);

    /// Lets a stopped process run to its next stop. The signal that it was stopped for is delivered.
    void resume(Tracee& tracee);

    /// Returns when each traced process is stopped, blocked in a call, or has exited. Also waits for packets to or from
    /// the server's port that are on their way, since they could wake a process.
    void settle();
    void set_server_port(std::uint16_t port) { server_port_ = port; }

    /// Waits for any stop, for `milliseconds` at most. Returns whether there was one.
    bool wait_for_stop(int milliseconds);

    /// All tracees, in the order of appearance. References stay valid.
    const std::map<std::size_t, Tracee*>& all() const { return by_number_; }
    Tracee* find(pid_t pid);

    /// Reads at most `size` bytes of its memory.
    static std::string memory(pid_t pid, std::uint64_t address, std::size_t size);

private:
    Tracee& add(pid_t pid);
    bool collect();
    bool packet_is_on_its_way() const;
    bool is_settled() const;
    std::chrono::nanoseconds work() const;
    void note(Tracee& tracee, int status);

    std::uint16_t server_port_ = 0;
    sigset_t mask_before_ = {};
    std::map<pid_t, Tracee> tracees_;
    std::map<pid_t, int> early_;  // stops of children that were reported before their parents' forks
    std::map<std::size_t, Tracee*> by_number_;
};

}  // namespace replay
