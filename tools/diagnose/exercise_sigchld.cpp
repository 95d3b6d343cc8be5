// Exercises 6 and 8: does the server catch SIGCHLD? And is its accept loop still the one that was given?
#include <signal.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <optional>
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

/// Whether the kernel keeps a child that has exited for its parent. (With SA_NOCLDWAIT it does not.) The parent is
/// stopped when the child exits, so that it cannot reap it itself.
bool kernel_keeps_children(const Program& program) {
    Server server(patient(program));
    Clients clients;
    const Holder holder = hold(server, clients);
    if (holder.place != Place::with_a_child) return true;  // other rows say so
    kill(server.acceptor(), SIGSTOP);
    if (!server.until([&] { return server.is_stopped(); })) return true;
    send_request(server, clients.front());
    const auto has_exited = [&] {
        const std::optional<proc::Process> child = proc::process(holder.pid);
        return !child || child->is_zombie();
    };
    server.until(has_exited);
    const bool is_kept = proc::process(holder.pid).has_value();
    kill(server.acceptor(), SIGCONT);
    return is_kept;
}

/// Whether the server is ready for its next client after each SIGCHLD: after a child's exit, and after a SIGCHLD for
/// which no child has exited. Another child is at work meanwhile.
Finding stays_ready(Server& server) {
    constexpr const char* RULE = "the handler interrupts the accept loop: while it blocks, no client is accepted";
    Clients silent;
    const Holder at_work = hold(server, silent);
    if (at_work.place != Place::with_a_child) return without_child(server, silent, at_work);
    server.until([&] { return server.is_asleep(); });
    const std::string idle_call = proc::blocked_in(server.acceptor());  // nanosleep, if it looks for clients by and by
    Clients clients;
    const Holder holder = hold(server, clients);
    if (holder.place == Place::in_the_queue) return not_applicable("a silent client keeps the next one waiting");
    if (holder.place != Place::with_a_child) return without_child(server, clients, holder);
    ask(server, clients.front());
    until_exit(server, holder.pid, clients.front());
    server.until([&] { return server.has_ended() || (server.has_noticed_exits() && server.is_asleep()); });
    if (server.has_ended()) return not_applicable("it exits when its child exits");
    const auto is_blocked = [&] {
        return server.is_asleep() && !server.is_ready() && proc::blocked_in(server.acceptor()) != idle_call;
    };
    const std::string pid = "pid " + std::to_string(server.acceptor()) + " is asleep in ";
    if (is_blocked()) return {Answer::no, "after a child's exit " + pid + proc::blocked_in(server.acceptor()), RULE};
    kill(server.acceptor(), SIGCHLD);
    server.until([&] { return !proc::is_pending(server.acceptor(), SIGCHLD) && server.is_asleep(); });
    if (is_blocked()) {
        return {Answer::no,
                "after a SIGCHLD for which no child has exited " + pid + proc::blocked_in(server.acceptor()), RULE};
    }
    return yes("after each SIGCHLD it is ready for the next client");
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

/// A program without its comments, literals and blanks, and for each byte of it the number of its line.
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

/// The text with blanks instead of its comments and of the bytes in its string literals; the lines stay as they are.
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
        else if (is_quoted && text[i] == '\\' && i + 1 < text.size()) text[i] = ' ', text[++i] = ' ';
        else if (text[i] == '"' || text[i] == '\n') is_quoted = text[i] == '"' && !is_quoted;
        else if (is_quoted) text[i] = ' ';
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

/// The place of `word` in the code outside of the accept loop, which is at `loop`; npos when there is none.
std::size_t find_outside(const std::string& code, std::size_t loop, std::size_t loop_size, std::string_view word) {
    std::size_t at = code.find(word);
    if (at != std::string::npos && at >= loop && at < loop + loop_size) at = code.find(word, loop + loop_size);
    return at;
}

/// The place of the function handle_request in the code, and its size; npos and 0 when there is none.
std::pair<std::size_t, std::size_t> handle_request_in(const std::string& code) {
    const std::size_t begin = code.find("voidhandle_request(");
    if (begin == std::string::npos) return {begin, 0};
    int depth = 0;
    std::size_t end = code.find('{', begin);
    for (; end < code.size(); ++end) {
        depth += code[end] == '{' ? 1 : code[end] == '}' ? -1 : 0;
        if (depth == 0) break;
    }
    return {begin, end - begin};
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
    // The given loop may stand in code that never runs, beside another one.
    constexpr std::pair<const char*, const char*> OTHERS[] = {
        {"accept(", " accepts as well, and only the given loop may: "},
        {"accept4(", " accepts as well, and only the given loop may: "},
        {"catch(", " catches what the given loop throws: "},
    };
    const auto [function, size] = handle_request_in(code.text);  // it may catch what recv and sendall throw
    for (const auto& [word, what] : OTHERS) {
        std::size_t at = find_outside(code.text, begin, given.size(), word);
        const bool is_catch = std::string_view(word) == "catch(";
        if (is_catch && at >= function && at < function + size) {
            at = find_outside(code.text.substr(function + size), begin - function - size, given.size(), word);
            if (at != std::string::npos) at += function + size;
        }
        if (at != std::string::npos) return at_line(at, what);
    }
    return yes("it is as it was given");
}

}  // namespace

Findings handler(const Solution& solution) {
    const bool is_caught = catches_sigchld(solution.server);
    if (!is_caught) return {{"handler", {Answer::no, evidence_of(is_caught), "the task is to survive with a handler"}}};
    if (!kernel_keeps_children(solution.server)) {
        return {{"handler",
                 {Answer::no, "a child has exited while the server was stopped, and the kernel has reaped it",
                  "the task is a handler that reaps the child"}}};
    }
    return {{"handler", yes(evidence_of(is_caught))}};
}

Findings never_blocks(const Solution& solution) {
    Server server(patient(solution.server));
    return {{"never blocks", stays_ready(server)}};
}

Findings no_handler(const Solution& solution) {
    const bool is_caught = catches_sigchld(solution.server);
    if (!is_caught) return {{"no handler", yes(evidence_of(is_caught))}};
    return {{"no handler",
             {Answer::no, evidence_of(is_caught),
              "without a handler the parent does not look for the child that has exited"}}};
}

Findings accept_loop(const Solution& solution) {
    if (solution.source.empty()) {
        return {{"accept loop", not_applicable("seen only in the C++ program that was given")}};
    }
    return {{"accept loop", compare_loop(solution.source)}};
}

}  // namespace diagnose
