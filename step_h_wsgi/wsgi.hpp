// WSGI (PEP 3333): imports an application once, and calls it for each request. Has CPython inside; knows no sockets: a
// Client brings the request's body and takes the response.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "http.hpp"

namespace wsgi {

/// The client's connection, as the application's side sees it. Its functions are called without the interpreter's lock.
class Client {
public:
    virtual ~Client() = default;

    /// Waits for more of the request, and returns how many bytes of it were stored in `buffer`: at least 1. Throws
    /// http::Error: 400 when the client has ended the request, 408 when it is too slow, CLIENT_IS_GONE.
    virtual std::size_t receive(char* buffer, std::size_t size) = 0;

    /// Sends bytes of the response. Returns when the kernel has all of them. `is_last`: they end it. Throws http::Error
    /// (CLIENT_IS_GONE).
    virtual void send(std::string_view bytes, bool is_last) = 0;

    /// Sends up to `size` bytes of the open file `file` from `offset` on, with sendfile(2). Returns how many: fewer
    /// where the file ends. Throws http::Error (CLIENT_IS_GONE).
    virtual std::uint64_t send_file(int file, std::uint64_t offset, std::uint64_t size) = 0;
};

/// Address and port of the two ends of the connection.
struct Ends {
    std::pair<std::string, std::string> client, server;
};

/// The result of a request.
struct Answer {
    int status = 0;
    std::uint64_t body_size = 0;  ///< bytes that were sent of the body
    bool is_whole = false;  ///< false: the response broke off, and must not look whole to the client
    bool has_begun = false;  ///< false: nothing was sent, and an error page is due
    bool has_read_request = true;  ///< false: there may be more of the request that nobody has received
};

/// A WSGI application, and the interpreter that runs it. One to a process. Outside of its functions the interpreter's
/// lock (the GIL) is released, for other threads of the application.
class Application {
public:
    /// Starts the interpreter and imports `name`, such as "module:callable" or "package.module:object.callable"; the
    /// current folder is searched first. Throws std::invalid_argument when the name has another form, and
    /// std::runtime_error when the application cannot be imported; then its traceback is on stderr.
    Application(const std::string& name, std::uint64_t max_body);
    ~Application();
    Application(const Application&) = delete;
    Application& operator=(const Application&) = delete;

    // To be called around fork(2), as os.fork() does. A child has only the thread that called fork. In the child,
    // signals get their default actions (signal(7)). There are two exceptions: SIGPIPE and SIGXFSZ, which Python
    // ignores, and the signals of faults, which faulthandler may handle.
    void before_fork();
    void after_fork_in_parent();
    void after_fork_in_child();

    /// Calls the application with a request, of whose body `received` came with the head, and sends its response. When
    /// the application raises an exception, its traceback is on stderr.
    Answer serve(const http::Request& request, const Ends& ends, std::string_view received, Client& client);

    /// Calls the functions that atexit has registered in this process.
    void run_exit_functions();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace wsgi
