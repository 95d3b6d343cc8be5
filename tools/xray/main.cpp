// ./xray: shows a running server from the inside.
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/types.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../proc/errors.hpp"
#include "changes.hpp"
#include "json.hpp"
#include "model.hpp"
#include "pace.hpp"
#include "picture.hpp"
#include "screen.hpp"
#include "view.hpp"
#include "watcher.hpp"

namespace {

using namespace xray;

constexpr const char* USAGE = "usage: xray [PORT | PID | --name NAME] [--once | --json | --log] [--help]";
constexpr const char* HELP =
    R"(Shows the server that listens on PORT (default: 8888), from the inside: its processes, their descriptors and
sockets, its accept queue, SIGCHLD, zombies and limits, and what they mean. q or Ctrl-C ends it, ? lists the keys.

  PORT         a number is a port when something listens there,
  PID          otherwise the pid of a server, or of a process whose state is hidden
  --name NAME  the server with this program or script name; the oldest if there are several
  --once       print one picture and exit: 0, or 1 when nothing listens there
  --json       the same as a JSON object (tools/xray/README.md)
  --log        print a line for each change, with the seconds since the start
  --help       print this

No process is stopped or traced. The kernel reports at once when a process exits or is reaped. Everything else is found
by repeated snapshots: often while something happens, seldom with thousands of processes. Changes that come and go
between two snapshots are not seen, and all changes found by one snapshot get the same time. It takes less than 2% of
one core. No colours when NO_COLOR is set. The state of another user's processes stays hidden, and is marked as hidden.
)";

enum class Mode { live, once, json, log, help };

struct Options {
    Mode mode = Mode::live;
    Target target;
};

/// Throws std::invalid_argument for arguments that USAGE does not describe.
Options parse_options(int argc, char* argv[]) {
    const option long_options[] = {{"once", no_argument, nullptr, 'o'},       {"json", no_argument, nullptr, 'j'},
                                   {"log", no_argument, nullptr, 'l'},        {"help", no_argument, nullptr, 'h'},
                                   {"name", required_argument, nullptr, 'n'}, {nullptr, 0, nullptr, 0}};
    Options options;
    const auto choose = [&](Mode mode) {
        if (options.mode != Mode::live) throw std::invalid_argument(USAGE);
        options.mode = mode;
    };
    opterr = 0;  // this program prints its own message instead of getopt_long's
    for (int key; (key = getopt_long(argc, argv, "h", long_options, nullptr)) != -1;) {
        switch (key) {
            case 'o':
                choose(Mode::once);
                break;
            case 'j':
                choose(Mode::json);
                break;
            case 'l':
                choose(Mode::log);
                break;
            case 'h':
                choose(Mode::help);
                break;
            case 'n':
                options.target.name = optarg;
                if (options.target.name.empty()) throw std::invalid_argument(USAGE);
                break;
            default:
                throw std::invalid_argument(USAGE);
        }
    }
    if (optind == argc) return options;
    const std::string number = argv[optind];
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), options.target.number);
    if (error != std::errc() || end != number.data() + number.size() || options.target.number < 1 ||
        optind + 1 != argc || !options.target.name.empty()) {
        throw std::invalid_argument(USAGE);
    }
    options.target.may_be_pid = true;
    return options;
}

/// Prints one picture, or one JSON object. Returns the exit status.
int show_once(Watcher& watcher, Mode mode) {
    const Snapshot& snapshot = watcher.look();
    const bool is_there = snapshot.server || snapshot.hidden_listener;
    if (mode == Mode::json) std::cout << json(snapshot) << '\n';
    else if (is_there) {
        for (const Line& line : picture(snapshot, watcher.target().describe())) std::cout << line.text() << '\n';
    }
    std::cout.flush();
    if (!is_there) std::cerr << "xray: nothing listens on " << watcher.target().describe() << '\n';
    return is_there ? 0 : 1;
}

/// The pid of the server in the snapshot; 0: there is none.
pid_t server_in(const Snapshot& snapshot) { return snapshot.server ? snapshot.server->itself().head.pid : 0; }

/// Prints events until a signal arrives.
[[noreturn]] void keep_log(Watcher& watcher) {
    const auto start = std::chrono::steady_clock::now();
    Pace pace;
    Snapshot before;
    for (bool is_first = true;; is_first = false) {
        const Snapshot& now = watcher.look();
        if (server_in(now) != server_in(before)) pace.restart();
        const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
        std::vector<std::string> lines = changes(before, now);
        if (is_first && !now.server) lines.push_back("nothing listens on " + watcher.target().describe());
        for (const std::string& line : lines) std::printf("+%.3f %s\n", passed.count(), line.c_str());
        std::fflush(stdout);
        before = now;
        pollfd event = {watcher.events(), POLLIN, 0};
        const auto pause = static_cast<int>(pace.pause(!lines.empty()).count());
        poll(&event, pace.can_afford_more() ? 1 : 0, pause);
    }
}

/// Receives signals through a descriptor instead of handlers, until it is destroyed (signalfd(2)).
class Signals {
public:
    Signals() {
        sigemptyset(&set_);
        for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) sigaddset(&set_, number);
        sigprocmask(SIG_BLOCK, &set_, &before_);
        fd_ = signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK);
    }
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    ~Signals() {
        close(fd_);
        sigprocmask(SIG_SETMASK, &before_, nullptr);
    }

    int fileno() const { return fd_; }
    /// The next signal; 0: none.
    int next() const {
        signalfd_siginfo info;
        return read(fd_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
    }

private:
    sigset_t set_;
    sigset_t before_;
    int fd_;
};

/// Shows the live view until q or a signal. Returns the signal that the caller must still act on after the terminal is
/// restored; 0 for q and Ctrl-C.
int show_live(Watcher& watcher) {
    const Signals signals;  // before ncurses: blocked signals do not reach its handlers
    Screen screen;
    Pace pace;
    View view(watcher.target().describe());
    Lines shown;
    std::string footer;
    pid_t server = 0;
    for (bool is_new_size = true;; is_new_size = false) {
        for (Key key; (key = screen.key()) != Key::none;) {
            if (key == Key::quit) return 0;
            view.press(key);
        }
        for (int number; (number = signals.next()) != 0;) {
            if (number == SIGINT) return 0;
            if (number != SIGWINCH) return number;
            screen.follow_window_size();
            is_new_size = true;
        }
        Size size = screen.size();
        size.lines -= 1;  // the last line is the footer
        const Snapshot& now = watcher.look();
        if (std::exchange(server, server_in(now)) != server_in(now)) pace.restart();
        Lines lines = view.lines(now, size);
        const bool has_changed = lines != shown;
        const bool has_moved = std::exchange(footer, view.footer()) != footer;
        if (has_changed || has_moved || is_new_size) screen.draw(lines, footer);
        shown = std::move(lines);

        pollfd events[] = {{STDIN_FILENO, POLLIN, 0}, {signals.fileno(), POLLIN, 0}, {watcher.events(), POLLIN, 0}};
        const auto pause = static_cast<int>(pace.pause(has_changed).count());
        poll(events, pace.can_afford_more() ? 3 : 2, pause);
        if ((events[0].revents & (POLLHUP | POLLERR)) != 0) return SIGHUP;  // the terminal was closed
    }
}

/// Raises the limit on descriptors: each watched process needs one (pidfd_open(2)).
void raise_descriptor_limit() {
    rlimit limit = {};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int run(int argc, char* argv[]) {
    const Options options = parse_options(argc, argv);
    if (options.mode == Mode::help) {
        std::cout << USAGE << '\n' << HELP << std::flush;
        return 0;
    }
    if (options.mode == Mode::live && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))) {
        throw std::invalid_argument("this is no terminal: use --once, --json or --log");
    }
    proc::require_proc();
    raise_descriptor_limit();
    Watcher watcher(options.target);
    if (options.mode == Mode::log) keep_log(watcher);
    if (options.mode != Mode::live) return show_once(watcher, options.mode);
    if (const int number = show_live(watcher); number != 0) {
        std::signal(number, SIG_DFL);
        std::raise(number);
    }
    return 0;
}

}  // namespace

int main(int argc, char* argv[]) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "xray: " << error.what() << '\n';
        return dynamic_cast<const std::invalid_argument*>(&error) ? 2 : 1;
    }
}
