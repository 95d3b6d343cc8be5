// Starts step_h with an application, sends it requests, and splits its responses.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "support.hpp"

namespace step_h {

/// The Python that the Makefile has found, which is the one that step_h embeds.
inline std::string python() {
    const char* const named = std::getenv("PYTHON");
    return named ? named : "python3";
}

/// step_h with an application "module:callable", such as one of tests/wsgi.
inline Program running(const std::string& application) {
    Program server = built("step_h");
    server.command.push_back(application);
    return server.with("PYTHONPATH", "tests/wsgi").with("PYTHONDONTWRITEBYTECODE", "1").with("PYTHONUNBUFFERED", "");
}

inline Program hello() { return running("step_h_wsgi.hello:application"); }

/// step_h with tests/wsgi/pages.py, which has a page for each requirement on a server.
inline Program pages() { return running("pages:application"); }

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

/// Whether the process exists and is no zombie.
inline bool is_running(pid_t pid) {
    const std::optional<proc::Process> process = proc::process(pid);
    return process && !process->is_zombie();
}

/// Whether a process waits in accept(2), ready for a client.
inline bool is_idle(const proc::Process& worker) { return proc::blocked_in(worker.pid).starts_with("accept"); }

/// How many workers wait for a client.
inline std::size_t idle_workers(const Server& server) {
    const std::vector<proc::Process> workers = proc::children(server.pid());
    return static_cast<std::size_t>(std::count_if(workers.begin(), workers.end(), is_idle));
}

/// The number after `name` in `text`, such as a pid that an application has printed; 0 when there is none.
inline pid_t number_after(const std::string& text, const std::string& name) {
    const std::size_t at = text.find(name + ' ');
    return at == std::string::npos ? 0 : std::atoi(text.c_str() + at + name.size());  // NOLINT(cert-err34-c)
}

}  // namespace step_h
