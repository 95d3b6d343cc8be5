// Exercises 6 and 8: does the server catch SIGCHLD? And is its accept loop still the one that was given?
#include <signal.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
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
            listen_socket.close();  // the child accepts no clients
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

/// The text with blanks instead of its comments; the lines stay as they are.
std::string without_comments(std::string text) {
    const auto blank_until = [&](std::size_t begin, std::string_view end) {
        const std::size_t found = text.find(end, begin);
        const std::size_t last = found == std::string::npos ? text.size() : found + end.size();
        for (std::size_t i = begin; i < last; ++i) text[i] = text[i] == '\n' ? '\n' : ' ';
        return last - 1;
    };
    bool is_quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::string_view rest = std::string_view(text).substr(i);
        if (rest.starts_with("'\"'")) i += 2;
        else if (is_quoted && text[i] == '\\') ++i;
        else if (text[i] == '"' || text[i] == '\n') is_quoted = text[i] == '"' && !is_quoted;
        else if (!is_quoted && rest.starts_with("//")) i = blank_until(i, "\n");
        else if (!is_quoted && rest.starts_with("/*")) i = blank_until(i, "*/");
    }
    return text;
}

Code code_in(std::string_view text) {
    Code code;
    std::size_t number = 0;
    for (const std::string_view line : lines_of(text)) {
        ++number;
        for (const char byte : line) {
            if (std::isspace(static_cast<unsigned char>(byte))) continue;
            code.text += byte;
            code.lines.push_back(number);
        }
    }
    return code;
}

/// Where the code has one of these words with a parenthesis behind it, as a call has, outside of the accept loop, which
/// is at `loop`; npos: nowhere.
std::size_t find_outside(const std::string& code, std::size_t loop, std::size_t loop_size, std::string_view word) {
    std::size_t at = code.find(word);
    if (at != std::string::npos && at >= loop && at < loop + loop_size) at = code.find(word, loop + loop_size);
    return at;
}

/// Whether the loop of the program in `source` is as it was given, and the only one that accepts.
Finding compare_loop(const std::string& source) {
    constexpr const char* RULE = "the task is to survive without touching the loop";
    const std::string text = text_in(source);
    const Code code = code_in(without_comments(text));
    const std::string given = code_in(without_comments(std::string(GIVEN_LOOP))).text;
    const auto at_line = [&](std::size_t at, const std::string& what) {
        const std::size_t number = code.lines[std::min(at, code.lines.size() - 1)];
        const std::string line(stripped(lines_of(text)[number - 1]));
        return Finding{Answer::no, "line " + std::to_string(number) + what + line, RULE};
    };
    const std::size_t begin = code.text.find(given);
    if (begin == std::string::npos) {
        const std::size_t loop = code.text.find(given.substr(0, given.find('{')));
        if (loop == std::string::npos) return {Answer::no, "the line while (true) is gone", RULE};
        const std::string_view found = std::string_view(code.text).substr(loop, given.size());
        const auto difference = std::mismatch(given.begin(), given.end(), found.begin(), found.end()).first;
        return at_line(loop + static_cast<std::size_t>(difference - given.begin()), " is not as it was given: ");
    }
    // It may stand where nobody runs it.
    constexpr std::pair<const char*, const char*> OTHERS[] = {
        {"accept(", " accepts as well, and only the given loop may: "},
        {"accept4(", " accepts as well, and only the given loop may: "},
        {"catch(", " catches what the given loop throws: "},
    };
    for (const auto& [word, what] : OTHERS) {
        const std::size_t at = find_outside(code.text, begin, given.size(), word);
        if (at != std::string::npos) return at_line(at, what);
    }
    return yes("it is as it was given");
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
