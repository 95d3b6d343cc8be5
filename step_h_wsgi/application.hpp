// The CGI child: the process that becomes the application, and what goes between it and the client.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "http.hpp"

namespace cgi {

using Deadline = std::chrono::steady_clock::time_point;

/// Owns a descriptor: -1 when there is none.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept;
    ~Descriptor() { close(); }

    int number() const { return fd_; }
    bool is_open() const { return fd_ != -1; }
    void close();

private:
    int fd_ = -1;
};

/// The status that the log gives a client that has gone before its answer began. None that is ever sent.
constexpr int CLIENT_IS_GONE = 499;

/// What was sent to a client.
struct Answer {
    int status = 0;
    std::uint64_t body_size = 0;  ///< bytes
    bool is_whole = true;  ///< false: it broke off, and the client must not take it for whole
};

/// An application that serves one request: a process, and its process group. It is over when that process is: whatever
/// else is left of the group then is killed. Only one to a process, which must have no other children, and whose
/// signals the application takes over: SIGTERM, SIGHUP and SIGQUIT kill the group and end the process; SIGINT is for
/// the server alone.
class Application {
public:
    Application();
    Application(const Application&) = delete;
    Application& operator=(const Application&) = delete;
    ~Application();  ///< Kills what is not over, and says on stderr what went wrong.

    /// Executes `command` (looked up in PATH, execvp(3); no shell) with `environment` and no descriptor but 0, 1 and 2.
    /// Throws http::Error: 500 when the command cannot be executed, and stderr says why; 503 when there is no process
    /// or no descriptor to be had.
    void start(const std::vector<std::string>& command, const std::vector<std::string>& environment);

    /// Sends the request's body, the first bytes of which are `body_begun`, from the client to the application's stdin,
    /// and its response to the client, both at once, and holds no more than a few pieces of them. Throws http::Error
    /// when the answer has to be an error page: 400, 408 (the body has not come by the deadline), 502, 504. What goes
    /// wrong later leaves an answer that is not whole. Unless the fault is the application's answer, which ends by
    /// itself, its group is killed.
    Answer serve(const http::Request& request, int client, const std::string& body_begun, Deadline deadline);

    /// Waits until the application has exited, and kills it at the deadline. Returns its wait status (waitpid(2)).
    int finish(Deadline deadline);

private:
    friend class Exchange;
    void read_stderr();
    void drain(Deadline deadline);
    void report() const;
    static void kill_group();

    pid_t pid_ = 0;  // 0: none was started
    int status_ = 0;
    bool is_over_ = true;
    Descriptor stdin_;  // our ends of its pipes; none of them blocks
    Descriptor stdout_;
    Descriptor stderr_;
    std::string stderr_line_;  // the one that has begun
    std::string complaint_;  // what was wrong with its answer
    bool is_in_the_way_ = false;  // it was killed for no fault of its own
};

}  // namespace cgi
