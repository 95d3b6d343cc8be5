// Starts step_h with an application, asks it, and takes its answers apart.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "support.hpp"

namespace step_h {

inline Program running(std::vector<std::string> command) {
    Program server = built("step_h");
    server.command.insert(server.command.end(), command.begin(), command.end());
    return server;
}

/// With a shell script for an application.
inline Program script(const std::string& text) { return running({"sh", "-c", text}); }

inline Program hello() { return running({"step_h_wsgi/hello.sh"}); }

/// The Python that the Makefile has found: the one that `make deps_wsgi` installs frameworks for.
inline std::string python() {
    const char* const named = std::getenv("PYTHON");
    return named ? named : "python3";
}

/// An application of tests/wsgi.
inline Program wsgi(const std::string& application) {
    return running({python(), "-B", "step_h_wsgi/wsgi.py", application}).with("PYTHONPATH", "tests/wsgi");
}

/// What a script prints in front of its body.
inline const std::string PLAIN = "printf 'Content-Type: text/plain\\n\\n'; ";

struct Reply {
    explicit Reply(Client& client) : text(client.receive_all()), was_reset(client.was_reset()) {
        const std::size_t end = text.find("\r\n\r\n");
        head = text.substr(0, end == std::string::npos ? end : end + 4);
        body = text.substr(head.size());
        if (text.starts_with("HTTP/1.1 ")) status = std::atoi(text.c_str() + 9);  // NOLINT(cert-err34-c): 0 is none
    }
    std::string text;
    bool was_reset;
    std::string head, body;
    int status = 0;
};

inline Reply ask(const Server& server, const std::string& request) {
    Client client(server.port());
    client.send(request);
    return Reply(client);
}

inline Reply get(const Server& server, const std::string& target = "/", const std::string& more_lines = "") {
    return ask(server, "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + more_lines + "\r\n");
}

inline Reply post(const Server& server, const std::string& target, const std::string& body,
                  const std::string& more_lines = "") {
    return ask(server, "POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                           std::to_string(body.size()) + "\r\n" + more_lines + "\r\n" + body);
}

/// Whether the process is there, and no zombie.
inline bool is_running(pid_t pid) {
    const std::optional<proc::Process> process = proc::process(pid);
    return process && !process->is_zombie();
}

/// The pid that an application has told: the number behind `name` in what the server has put out.
inline pid_t told(const std::string& text, const std::string& name) {
    const std::size_t at = text.find(name + ' ');
    return at == std::string::npos ? 0 : std::atoi(text.c_str() + at + name.size());  // NOLINT(cert-err34-c)
}

}  // namespace step_h
