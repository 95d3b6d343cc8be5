#include "application.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "../net/socket.hpp"
#include "cgi.hpp"
#include "http.hpp"

#ifdef __linux__
#include <sys/prctl.h>
#endif

extern char** environ;  // NOLINT(readability-redundant-declaration): not everywhere

namespace cgi {
namespace {

constexpr std::size_t PIECE = 64UL * 1024;  // bytes at once: what a pipe holds (pipe(7))
constexpr const char* LATE = "not finished in time";
constexpr std::size_t MAX_LINE = 4000;  // bytes of a line on stderr, so that one write(2) is atomic (PIPE_BUF, pipe(7))

// ---- signals ------------------------------------------------------------------------------------

volatile pid_t running = 0;  // for the handler

/// SIGCHLD: the application has exited. SIGALRM: it has not, in time. Otherwise our own end is wanted.
void end_application(int number) {
    const int saved_errno = errno;
    if (running != 0) {
        kill(-running, SIGKILL);
        if (number != SIGCHLD) kill(running, SIGKILL);  // should it have left its group
    }
    errno = saved_errno;
    if (number != SIGCHLD && number != SIGALRM) _exit(1);
}

constexpr int HANDLED[] = {SIGCHLD, SIGALRM, SIGTERM, SIGHUP, SIGQUIT};

sigset_t handled_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : HANDLED) sigaddset(&set, number);
    return set;
}

// ---- in the process that becomes the application ------------------------------------------------

/// Whatever has been left open, by us or by whoever started the server, is not for the application.
void keep_only_standard_descriptors() {
    DIR* const all = opendir("/dev/fd");
    if (all == nullptr) throw std::system_error(errno, std::generic_category(), "/dev/fd");
    while (const dirent* entry = readdir(all)) {
        const int fd = std::atoi(entry->d_name);  // NOLINT(cert-err34-c): "." and ".." are 0
        if (fd > STDERR_FILENO) net::check("fcntl", fcntl(fd, F_SETFD, FD_CLOEXEC));
    }
}

/// The pointers that execve(2) wants, to `texts`.
std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

/// Turns this process into the application, with `standard` for its descriptors 0, 1 and 2. Returns an errno when that
/// is impossible.
int become(const std::vector<std::string>& command, const std::vector<std::string>& environment, pid_t parent,
           std::initializer_list<int> standard) try {
    net::check("setpgid", setpgid(0, 0));
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // should our parent be killed by what it cannot handle
#endif
    if (getppid() != parent) _exit(1);
    for (int number = 1; number < NSIG; ++number) std::signal(number, SIG_DFL);  // an ignored SIGPIPE is inherited
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    int number = 0;
    for (const int fd : standard) net::check("dup2", dup2(fd, number++));
    keep_only_standard_descriptors();
    std::vector<char*> variables = pointers_to(environment);
    std::vector<char*> arguments = pointers_to(command);
    environ = variables.data();
    execvp(arguments[0], arguments.data());
    return errno;
} catch (const std::system_error& error) {
    return error.code().value();
}

// ---- in the process that serves the client ------------------------------------------------------

struct Pipe {
    Pipe() {
        int ends[2];
        net::check("pipe", pipe(ends));
        read_end = Descriptor(ends[0]);
        write_end = Descriptor(ends[1]);
    }
    Descriptor read_end, write_end;
};

/// Our end of a pipe, which shall not block us.
Descriptor never_blocking(Descriptor end) {
    net::check("fcntl", fcntl(end.number(), F_SETFL, O_NONBLOCK));
    return end;
}

bool is_worth_another_try() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

std::chrono::duration<double> left_until(Deadline deadline) { return deadline - std::chrono::steady_clock::now(); }

/// For poll(2): rounded up, so that when it has waited the deadline has come.
int milliseconds_until(Deadline deadline) {
    const double left = left_until(deadline).count() * 1000;
    return left <= 0 ? 0 : left >= INT_MAX - 1 ? INT_MAX : static_cast<int>(left) + 1;
}

/// SIGALRM in `seconds`; 0: not at all.
void set_alarm(double seconds) {
    itimerval timer = {};
    timer.it_value.tv_sec = static_cast<time_t>(seconds);
    const double rest = seconds - static_cast<double>(timer.it_value.tv_sec);
    timer.it_value.tv_usec = seconds > 0 ? std::max<suseconds_t>(1, static_cast<suseconds_t>(rest * 1e6)) : 0;
    setitimer(ITIMER_REAL, &timer, nullptr);
}

/// A line on stderr, in one write. What would steer a terminal becomes a question mark.
void print_error(std::string line) {
    std::replace_if(line.begin(), line.end(), http::is_control, '?');
    net::write_all(STDERR_FILENO, line + '\n');
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

void Descriptor::close() {
    if (fd_ != -1) ::close(std::exchange(fd_, -1));
}

Application::Application() {
    struct sigaction action = {};
    action.sa_handler = end_application;
    action.sa_mask = handled_signals();
    action.sa_flags = SA_NOCLDSTOP;
    for (const int number : HANDLED) sigaction(number, &action, nullptr);
    std::signal(SIGINT, SIG_IGN);  // a terminal's Ctrl-C reaches us as well
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

void Application::start(const std::vector<std::string>& command, const std::vector<std::string>& environment) {
    try {
        Pipe in, out, err, failure;
        const sigset_t handled = handled_signals();
        sigprocmask(SIG_BLOCK, &handled, nullptr);  // until the handler knows whom to kill
        const pid_t parent = getpid();
        const pid_t pid = fork();
        if (pid == 0) {
            const int error = become(command, environment, parent,
                                     {in.read_end.number(), out.write_end.number(), err.write_end.number()});
            net::write_all(failure.write_end.number(), {reinterpret_cast<const char*>(&error), sizeof error});
            _exit(127);
        }
        if (pid > 0) setpgid(pid, pid);  // as the child does: whoever comes first
        running = std::max(pid, 0);
        sigprocmask(SIG_UNBLOCK, &handled, nullptr);
        pid_ = net::check("fork", pid);
        is_over_ = false;
        stdin_ = never_blocking(std::move(in.write_end));
        stdout_ = never_blocking(std::move(out.read_end));
        stderr_ = never_blocking(std::move(err.read_end));
        failure.write_end.close();
        int error = 0;
        ssize_t size = 0;  // nothing comes when the command is executed: the pipe is closed then
        while ((size = read(failure.read_end.number(), &error, sizeof error)) == -1 && errno == EINTR) continue;
        if (size != sizeof error) return;
        complaint_ = "cannot start " + command[0] + ": " + std::strerror(error);
    } catch (const std::system_error& error) {
        print_error(std::string("step_h: ") + error.what());
        throw http::Error(503, "no process or no descriptor to be had");
    }
    throw http::Error(500, complaint_);
}

// ---- between the client and the application -----------------------------------------------------

/// One request and its answer. Each of the two buffers holds a piece at most, and is filled only when it is empty, so
/// that whoever is slow slows down the other end, and nothing else.
class Exchange {
public:
    Exchange(Application& application, const http::Request& request, int client, const std::string& body_begun)
        : application_(application),
          client_(client),
          is_head_(request.method == "HEAD"),
          body_left_(request.content_length.value_or(0)),
          to_application_(
              body_begun.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, body_begun.size())))) {
        body_left_ -= to_application_.size();
        if (request.expects_continue && body_left_ > 0 && body_begun.empty()) {
            net::write_all(client_, "HTTP/1.1 100 Continue\r\n\r\n");
        }
        if (has_all_input()) application_.stdin_.close();
    }

    /// Returns when the client has been sent all of it.
    void run(Deadline deadline) {
        while ((application_.stdout_.is_open() && left_of_answer_ != 0) || !to_client_.empty()) {
            wait_and_pass_on(deadline);
        }
        if (left_of_answer_ == 0) return;  // else its end is the end of the application, and shall be a good one
        const int status = application_.finish(deadline);
        if (left_until(deadline).count() <= 0) throw http::Error(504, LATE);
        if (WIFSIGNALED(status)) throw http::Error(502, "it crashed");
        if (left_of_answer_.value_or(0) > 0) throw http::Error(502, "less than its Content-Length");
        begin_answer();
        while (!to_client_.empty()) wait_and_pass_on(deadline);
    }

    bool has_sent() const { return sent_ > 0; }

    Answer answer(bool is_whole) const {
        if (!has_sent()) return {CLIENT_IS_GONE, 0, is_whole};
        const std::size_t head_size = response().head.size();
        return {response().status, sent_ > head_size ? sent_ - head_size : 0, is_whole};
    }

private:
    const Response& response() const { return parser_.response(); }
    bool has_all_input() const { return body_left_ == 0 && to_application_.empty(); }
    bool wants_input() const { return body_left_ > 0 && to_application_.empty(); }

    void wait_and_pass_on(Deadline deadline) {
        const auto when = [](bool condition, int event) { return static_cast<short>(condition ? event : 0); };
        pollfd events[] = {
            {client_, static_cast<short>(when(wants_input(), POLLIN) | when(!to_client_.empty(), POLLOUT)), 0},
            {application_.stdin_.number(), when(!to_application_.empty(), POLLOUT), 0},
            {to_client_.empty() ? application_.stdout_.number() : -1, POLLIN, 0},
            {application_.stderr_.number(), POLLIN, 0},
        };
        const int ready = poll(events, std::size(events), milliseconds_until(deadline));
        if (left_until(deadline).count() <= 0) {
            const bool is_clients_fault = wants_input() && application_.stdin_.is_open();
            throw http::Error(is_clients_fault ? 408 : 504, LATE);
        }
        if (ready == -1 && errno != EINTR) net::check("poll", ready);
        if (ready <= 0) return;
        if ((events[0].revents & (POLLERR | POLLHUP)) != 0) throw http::Error(CLIENT_IS_GONE, "");
        if ((events[0].revents & POLLIN) != 0) take_input();
        if ((events[0].revents & POLLOUT) != 0) send_output();
        if ((events[1].revents & POLLERR) != 0) refuse_input();
        else if ((events[1].revents & POLLOUT) != 0) pass_input();
        if (events[2].revents != 0) take_output();
        if (events[3].revents != 0) application_.read_stderr();
    }

    /// From the client. When the application has closed its stdin, the rest is received all the same: a client may well
    /// send all of its request before it looks for an answer.
    void take_input() {
        const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, sizeof piece_));
        const ssize_t size = recv(client_, piece_, most, MSG_DONTWAIT);
        if (size == -1 && is_worth_another_try()) return;
        if (size == -1) throw http::Error(CLIENT_IS_GONE, "");
        if (size == 0 && application_.stdin_.is_open() && !has_sent()) {
            throw http::Error(400, "body shorter than its Content-Length");
        }
        if (size == 0) return no_more_input();
        body_left_ -= static_cast<std::uint64_t>(size);
        if (application_.stdin_.is_open()) to_application_.assign(piece_, static_cast<std::size_t>(size));
    }

    /// The client has broken off its body, but has its answer, or a part of it, already.
    void no_more_input() {
        body_left_ = 0;
        application_.stdin_.close();
    }

    /// To the application's stdin, which ends with the body.
    void pass_input() {
        const ssize_t size = write(application_.stdin_.number(), to_application_.data(), to_application_.size());
        if (size == -1 && is_worth_another_try()) return;
        if (size == -1) return refuse_input();
        to_application_.erase(0, static_cast<std::size_t>(size));
        if (has_all_input()) application_.stdin_.close();
    }

    /// The application has closed its stdin.
    void refuse_input() {
        to_application_.clear();
        application_.stdin_.close();
    }

    /// From the application's stdout.
    void take_output() {
        const ssize_t size = read(application_.stdout_.number(), piece_, sizeof piece_);
        if (size == -1 && is_worth_another_try()) return;
        std::string_view output(piece_, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
        if (size <= 0) application_.stdout_.close();
        if (!parser_.is_complete()) {
            output.remove_prefix(parser_.feed(output));
            if (parser_.is_complete()) know_size();
            else if (size <= 0) throw http::Error(502, "no valid header");
        }
        if (output.empty()) return;
        begin_answer();
        if (is_head_ || !response().has_body) return;
        if (left_of_answer_) {
            output =
                output.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(*left_of_answer_, output.size())));
            *left_of_answer_ -= output.size();
        }
        to_client_ += output;
    }

    void know_size() {
        left_of_answer_ = response().content_length;
        if (left_of_answer_ && (is_head_ || !response().has_body)) left_of_answer_ = 0;
        if (left_of_answer_ == 0) begin_answer();
    }

    /// The head waits for the body's first bytes: an application that crashes before leaves room for an error page.
    void begin_answer() {
        if (!std::exchange(has_begun_, true)) to_client_ = response().head;
    }

    /// To the client.
    void send_output() {
        const ssize_t size = send(client_, to_client_.data(), to_client_.size(), MSG_DONTWAIT);
        if (size == -1 && is_worth_another_try()) return;
        if (size == -1) throw http::Error(CLIENT_IS_GONE, "");
        sent_ += static_cast<std::uint64_t>(size);
        to_client_.erase(0, static_cast<std::size_t>(size));
    }

    Application& application_;
    int client_;
    bool is_head_;
    std::uint64_t body_left_;  // to be received
    std::string to_application_;
    std::string to_client_;
    std::optional<std::uint64_t> left_of_answer_;  // to be taken; unknown without a Content-Length
    std::uint64_t sent_ = 0;
    ResponseParser parser_;
    bool has_begun_ = false;
    char piece_[PIECE];
};

Answer Application::serve(const http::Request& request, int client, const std::string& body_begun, Deadline deadline) {
    Exchange exchange(*this, request, client, body_begun);
    try {
        exchange.run(deadline);
        return exchange.answer(true);
    } catch (const http::Error& error) {
        if (error.status() == 502 || error.status() == 504) complaint_ = error.what();
        else is_in_the_way_ = true;
        if (error.status() != 502) kill_group();
        if (!exchange.has_sent() && error.status() != CLIENT_IS_GONE) throw;
        return exchange.answer(false);
    }
}

// ---- the end ------------------------------------------------------------------------------------

void Application::kill_group() { end_application(SIGALRM); }

Application::~Application() {
    if (pid_ == 0) return;
    finish(Deadline::min());
    report();
}

void Application::read_stderr() {
    static char piece[PIECE];
    const ssize_t size = read(stderr_.number(), piece, sizeof piece);
    if (size == -1 && is_worth_another_try()) return;
    for (const char byte : std::string_view(piece, static_cast<std::size_t>(std::max<ssize_t>(size, 0)))) {
        if (byte != '\n') stderr_line_ += byte;
        if (byte == '\n' || stderr_line_.size() == MAX_LINE)
            print_error(std::to_string(pid_) + ": " + std::exchange(stderr_line_, ""));
    }
    if (size > 0) return;
    if (!stderr_line_.empty()) print_error(std::to_string(pid_) + ": " + std::exchange(stderr_line_, ""));
    stderr_.close();
}

void Application::report() const {
    const bool is_well = WIFEXITED(status_) && WEXITSTATUS(status_) == 0 && complaint_.empty();
    if (is_well || is_in_the_way_) return;
    const std::string fate = WIFEXITED(status_) ? "exited with status " + std::to_string(WEXITSTATUS(status_))
                                                : "was killed by signal " + std::to_string(WTERMSIG(status_));
    print_error("step_h: application " + std::to_string(pid_) + ' ' + fate +
                (complaint_.empty() ? "" : ": " + complaint_));
}

/// Reads to the end what the application writes still: nobody wants its stdout, but it would take the end of it for an
/// error.
void Application::drain(Deadline deadline) {
    static char piece[PIECE];
    while ((stdout_.is_open() || stderr_.is_open()) && left_until(deadline).count() > 0) {
        pollfd events[] = {{stdout_.number(), POLLIN, 0}, {stderr_.number(), POLLIN, 0}};
        if (poll(events, std::size(events), milliseconds_until(deadline)) <= 0) continue;
        if (events[0].revents != 0 && read(stdout_.number(), piece, sizeof piece) == 0) stdout_.close();
        if (events[1].revents != 0) read_stderr();
    }
}

int Application::finish(Deadline deadline) {
    if (is_over_) return status_;
    stdin_.close();
    drain(deadline);
    const double left = left_until(deadline).count();
    if (left <= 0) kill_group();
    else set_alarm(left);  // end_application does the same then
    siginfo_t ignored;
    while (waitid(P_PID, static_cast<id_t>(pid_), &ignored, WEXITED | WNOWAIT) == -1 && errno == EINTR) continue;
    set_alarm(0);
    running = 0;  // from here on the pid may become another's
    while (waitpid(pid_, &status_, 0) == -1 && errno == EINTR) continue;
    is_over_ = true;
    if (WIFSIGNALED(status_) && left_until(deadline).count() <= 0) complaint_ = LATE;
    if (stderr_.is_open()) read_stderr();
    return status_;
}

}  // namespace cgi
