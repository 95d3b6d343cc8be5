// Exercises 6 and 8: does the server catch SIGCHLD? And is its accept loop still the one that was given?
#include <signal.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "../proc/process.hpp"
#include "clients.hpp"
#include "exercise_probes.hpp"
#include "probes.hpp"
#include "utf8.hpp"

namespace diagnose {
namespace {

/// Whether SIGCHLD is among the signals that a server catches as long as it serves somebody.
bool catches_sigchld(const Program& program) {
    Server server(patient(program));
    Clients clients;
    hold(server, clients);
    return proc::signal_state(server.acceptor(), SIGCHLD).disposition == proc::Disposition::handled;
}

std::string evidence_of(bool is_caught) {
    const std::string text = is_caught ? "SIGCHLD is among" : "SIGCHLD is not among";
    return text + " the signals that it catches (SigCgt in /proc/PID/status)";
}

constexpr std::string_view GIVEN_LOOP = R"(
    while (true) {
        net::Socket client_connection = listen_socket.accept();
        const pid_t pid = net::check("fork", fork());
        if (pid == 0) {  // child
            listen_socket.close();  // the child accepts nobody
            handle_request(client_connection);
            client_connection.close();
            _exit(0);
        } else {  // parent
            client_connection.close();  // the child has its own copy
        }
    }
)";

/// A program without its comments and blanks, and for each byte of it the number of its line.
struct Code {
    std::string text;
    std::vector<std::size_t> lines;
};

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (true) {
        const std::size_t end = text.find('\n');
        lines.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return lines;
        text.remove_prefix(end + 1);
    }
}

Code code_in(std::string_view text) {
    Code code;
    std::size_t number = 0;
    for (const std::string_view line : lines_of(text)) {
        ++number;
        for (const char byte : line.substr(0, line.find("//"))) {
            if (std::isspace(static_cast<unsigned char>(byte))) continue;
            code.text += byte;
            code.lines.push_back(number);
        }
    }
    return code;
}

/// Whether the loop of the program in `source` is as it was given.
Finding compare_loop(const std::string& source) {
    constexpr const char* RULE = "the task is to survive without touching the loop";
    const std::string text = text_in(source);
    const Code code = code_in(text);
    const std::string given = code_in(GIVEN_LOOP).text;
    const std::size_t begin = code.text.find(given.substr(0, given.find('{')));
    if (begin == std::string::npos) return {Answer::no, "the line while (true) is gone", RULE};
    const std::string_view found = std::string_view(code.text).substr(begin, given.size());
    const auto difference = std::mismatch(given.begin(), given.end(), found.begin(), found.end()).first;
    if (difference == given.end()) return yes("it is as it was given");
    const std::size_t at = begin + static_cast<std::size_t>(difference - given.begin());
    const std::size_t number = code.lines[std::min(at, code.lines.size() - 1)];
    const std::string line(stripped(lines_of(text)[number - 1]));
    return {Answer::no, "line " + std::to_string(number) + " is not as it was given: " + line, RULE};
}

}  // namespace

Findings handler(const Solution& solution) {
    const bool is_caught = catches_sigchld(solution.server);
    if (is_caught) return {{"handler", yes(evidence_of(is_caught))}};
    return {{"handler", {Answer::no, evidence_of(is_caught), "the task is to survive with a handler"}}};
}

Findings no_handler(const Solution& solution) {
    const bool is_caught = catches_sigchld(solution.server);
    if (!is_caught) return {{"no handler", yes(evidence_of(is_caught))}};
    return {{"no handler",
             {Answer::no, evidence_of(is_caught), "without a handler nobody has to look for who has exited"}}};
}

Findings accept_loop(const Solution& solution) {
    if (solution.source.empty()) {
        return {{"accept loop", not_applicable("seen only in the C++ program that was given")}};
    }
    return {{"accept loop", compare_loop(solution.source)}};
}

}  // namespace diagnose
