// Concurrent WSGI server: imports the application once, forks ahead, and every worker accepts for itself.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "../net/socket.hpp"
#include "http.hpp"
#include "wsgi.hpp"

constexpr int REQUEST_QUEUE_SIZE = 1024;

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t FIRST_WORKERS = 2;
constexpr Seconds SPARE_TIME(5);  // workers that were not needed for so long end
constexpr Seconds PAUSE(0.1);  // before another try of what has just failed
constexpr Seconds HANDSHAKE_TIME(0.1);  // for a connection that the client takes for made already

struct Settings {
    std::uint16_t max_clients = net::number<std::uint16_t>("MAX_CLIENTS", std::getenv("MAX_CLIENTS"), 64, 65535);
    Seconds timeout = net::seconds("TIMEOUT", 10);
    Seconds app_timeout = net::seconds("APP_TIMEOUT", 30);
    Seconds grace = net::seconds("GRACE", 30);
    std::uint64_t max_body = net::number<std::uint64_t>("MAX_BODY", std::getenv("MAX_BODY"), 100, 1'000'000) << 20;
};

Clock::time_point after(Seconds seconds) { return Clock::now() + std::chrono::duration_cast<Clock::duration>(seconds); }

/// For poll(2): milliseconds, rounded up, so that after the wait the time is over.
int milliseconds_until(Clock::time_point time) {
    const double left = Seconds(time - Clock::now()).count() * 1000;
    return left <= 0 ? 0 : left >= INT_MAX - 1 ? INT_MAX : static_cast<int>(left) + 1;
}

void print_error(const std::string& text) { net::write_all(STDERR_FILENO, "step_h: " + text + '\n'); }

// ---- what parent and workers share --------------------------------------------------------------

/// Says which workers are idle, in memory that all processes share. One atomic operation changes a worker's state, so
/// one that is killed at any moment leaves a true one.
class Scoreboard {
public:
    explicit Scoreboard(std::size_t workers) : words_((workers + 63) / 64) {
        void* const memory = mmap(nullptr, sizeof(Shared) + words_ * sizeof(Word), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
        shared_ = new (memory) Shared;
        idle_ = reinterpret_cast<Word*>(shared_ + 1);
        std::uninitialized_value_construct_n(idle_, words_);
    }

    void set_idle(std::size_t worker) { idle_[worker / 64] |= bit(worker); }
    /// Returns how many others are idle.
    std::size_t set_busy(std::size_t worker) {
        idle_[worker / 64] &= ~bit(worker);
        const std::size_t others = idle();
        for (std::size_t fewest = shared_->fewest_idle; others < fewest;) {
            if (shared_->fewest_idle.compare_exchange_weak(fewest, others)) break;
        }
        return others;
    }
    bool is_idle(std::size_t worker) const { return (idle_[worker / 64] & bit(worker)) != 0; }
    std::size_t idle() const {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < words_; ++i) sum += static_cast<std::size_t>(std::popcount(idle_[i].load()));
        return sum;
    }

    /// Returns how few have been idle at once since the last call.
    std::size_t take_fewest_idle() { return shared_->fewest_idle.exchange(idle()); }

    /// Whether the parent wants to be woken when no worker is idle: it may start another one.
    std::atomic<bool>& wants_news() { return shared_->wants_news; }

    void ask_to_end(std::size_t workers) { shared_->surplus = workers; }
    /// Whether the worker that asks is one of those that are to end.
    bool shall_end() {
        for (std::size_t left = shared_->surplus; left > 0;) {
            if (shared_->surplus.compare_exchange_weak(left, left - 1)) return true;
        }
        return false;
    }

private:
    using Word = std::atomic<std::uint64_t>;
    static_assert(Word::is_always_lock_free);
    struct Shared {
        std::atomic<std::size_t> fewest_idle = 0;
        std::atomic<std::size_t> surplus = 0;
        std::atomic<bool> wants_news = false;
    };
    static std::uint64_t bit(std::size_t worker) { return std::uint64_t{1} << worker % 64; }

    std::size_t words_;
    Shared* shared_;
    Word* idle_;
};

/// A pipe through which signal handlers and workers wake the parent.
int wakeup_pipe[2] = {-1, -1};

void wake_parent() { (void)!write(wakeup_pipe[1], "", 1); }  // when it is full the parent will wake up anyway

volatile sig_atomic_t stop_signals = 0;

void handle_signal(int number) {
    const int saved_errno = errno;
    if (number != SIGCHLD) stop_signals = stop_signals + 1;
    wake_parent();
    errno = saved_errno;
}

// ---- in a worker: the log -----------------------------------------------------------------------

/// The two halves of a request's line in the log, between which its status and its size come.
struct LogLine {
    /// In the combined log format, with nothing that the client could have sent to look like another line.
    LogLine(const std::string& client_address, const http::RequestParser& parser) {
        const std::time_t now = std::time(nullptr);
        std::tm parts = {};
        localtime_r(&now, &parts);
        char time[40];
        time[std::strftime(time, sizeof time, "%d/%b/%Y:%H:%M:%S %z", &parts)] = '\0';
        begin = client_address + " - - [" + time + "] " + quoted(parser.request_line()) + ' ';
        end =
            ' ' + quoted(parser.request().field("referer")) + ' ' + quoted(parser.request().field("user-agent")) + '\n';
    }

    /// Prints the line in one write, which is short enough to be atomic (PIPE_BUF, pipe(7)).
    void print(int status, std::uint64_t body_size) const {
        const std::string size = body_size == 0 ? "-" : std::to_string(body_size);
        net::write_all(STDOUT_FILENO, begin + std::to_string(status) + ' ' + size + end);
    }

private:
    static std::string quoted(const std::string& text) {
        std::string safe;
        for (const char byte : text.substr(0, 600)) {
            if (byte == '"' || byte == '\\') safe += '\\';
            if (byte >= ' ' && byte < '\x7f') safe += byte;
            else safe += {'\\', 'x', "0123456789abcdef"[byte >> 4 & 15], "0123456789abcdef"[byte & 15]};
        }
        return '"' + (safe.empty() ? "-" : safe.substr(0, 1200)) + '"';
    }

    std::string begin, end;
};

// ---- in a worker: the end of a connection -------------------------------------------------------

/// Ends the response for every process that has a copy of the connection. Then receives what the client sends still,
/// until it closes, or is silent for `patience` milliseconds, or 2 seconds are over: unread bytes would make close
/// reset the connection, and the client might lose its response (RFC 1122, 4.2.2.13).
void end_response(int connection, int patience) {
    shutdown(connection, SHUT_WR);
    pollfd more = {connection, POLLIN, 0};
    char unwanted[16384];
    for (const auto deadline = after(Seconds(2)); Clock::now() < deadline && poll(&more, 1, patience) == 1;) {
        if (recv(connection, unwanted, sizeof unwanted, MSG_DONTWAIT) <= 0) return;
    }
}

/// Resets the connection, also when another process has a copy of it (tcp_disconnect): the client must not take the
/// response for whole.
void reset(int connection) {
    const sockaddr nobody = {AF_UNSPEC, {}};
    connect(connection, &nobody, sizeof nobody);
}

// ---- in a worker: APP_TIMEOUT -------------------------------------------------------------------

/// Ends the worker when the application takes too long. It is a thread, with all signals blocked, and without
/// Python: the application may hold the interpreter's lock, or block and handle any signal.
class Watchdog {
public:
    explicit Watchdog(Seconds app_timeout) : app_timeout_(app_timeout) {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        std::thread([this] { run(); }).detach();
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    void begin_request(int connection, const LogLine& log_line, bool is_for_head) {
        const std::lock_guard lock(mutex_);
        connection_ = connection;
        log_line_ = &log_line;
        is_for_head_ = is_for_head;
        has_begun_ = is_waiting_for_client_ = false;
        deadline_ = after(app_timeout_);
        if (std::exchange(is_resting_, false)) condition_.notify_one();
    }
    void begin_response() {
        const std::lock_guard lock(mutex_);
        has_begun_ = true;
    }
    void set_waiting_for_client(bool is_waiting) {
        const std::lock_guard lock(mutex_);
        is_waiting_for_client_ = is_waiting;
    }
    void end_request() {
        const std::lock_guard lock(mutex_);
        log_line_ = nullptr;
    }

private:
    /// Wakes up once in APP_TIMEOUT while there are requests, and not at all while there are none: to begin a request
    /// costs no system call.
    [[noreturn]] void run() {
        for (std::unique_lock lock(mutex_);;) {
            if (log_line_ == nullptr) {
                is_resting_ = true;
                condition_.wait(lock, [this] { return !is_resting_; });
            }
            const auto deadline = deadline_;
            condition_.wait_until(lock, deadline);
            if (log_line_ != nullptr && deadline_ <= Clock::now()) give_up();
        }
    }

    [[noreturn]] void give_up() {
        print_error("worker " + std::to_string(getpid()) + ": the application has not finished in APP_TIMEOUT");
        if (has_begun_) {
            reset(connection_);
        } else {
            const int status = is_waiting_for_client_ ? 408 : 504;
            const http::Page page(status, is_for_head_);
            send(connection_, page.text.data(), page.text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            log_line_->print(status, page.body_size);
            end_response(connection_, 200);
        }
        if (getpgrp() == getpid()) kill(0, SIGKILL);  // and what the application has started
        _exit(1);
    }

    Seconds app_timeout_;
    std::mutex mutex_;
    std::condition_variable condition_;
    bool is_resting_ = false;
    int connection_ = -1;
    const LogLine* log_line_ = nullptr;  // null: no request
    bool is_for_head_ = false;
    bool has_begun_ = false;
    bool is_waiting_for_client_ = false;
    Clock::time_point deadline_;
};

// ---- in a worker: a client ----------------------------------------------------------------------

/// The client's connection for the application's side. Its functions throw http::Error.
class Client : public wsgi::Client {
public:
    Client(int connection, const Settings& settings, Watchdog& watchdog)
        : connection_(connection), settings_(settings), watchdog_(watchdog) {}

    /// Receives the request's head within TIMEOUT, and returns what came with it of the body.
    std::string receive_head(http::RequestParser& parser) {
        const auto deadline = after(settings_.timeout);
        std::string data(16384, '\0');
        for (bool has_spoken = false;; has_spoken = true) {
            const std::size_t size = receive_until(deadline, data.data(), data.size());
            if (size == 0) throw http::Error(has_spoken ? 400 : http::CLIENT_IS_GONE, "the request breaks off");
            const std::size_t taken = parser.feed({data.data(), size});
            if (!parser.is_complete()) continue;
            is_waited_for_ = parser.request().expects_continue && taken == size;
            return data.substr(taken, size - taken);
        }
    }

    std::size_t receive(char* buffer, std::size_t size) override {
        if (std::exchange(is_waited_for_, false)) send_all({"HTTP/1.1 100 Continue\r\n\r\n", ""});
        watchdog_.set_waiting_for_client(true);
        const std::size_t received = receive_until(after(settings_.timeout), buffer, size);
        watchdog_.set_waiting_for_client(false);
        return received > 0 ? received : throw http::Error(400, "the body breaks off");
    }

    void send(std::string_view head, std::string_view block) override {
        if (!head.empty()) watchdog_.begin_response();
        send_all({head, block});
    }

    std::uint64_t send_file(int file, std::uint64_t offset, std::uint64_t size) override {
        const std::uint64_t end = offset + size;
        for (auto position = static_cast<off_t>(offset); static_cast<std::uint64_t>(position) < end;) {
            const std::uint64_t left = end - static_cast<std::uint64_t>(position);
            const ssize_t sent = sendfile(connection_, file, &position, std::min<std::uint64_t>(left, 1 << 30));
            if (sent == 0) return size - left;  // somebody has made the file shorter
            if (sent == -1 && errno != EINTR) throw http::Error(http::CLIENT_IS_GONE, std::strerror(errno));
        }
        return size;
    }

private:
    /// Returns how many bytes have come; 0: the client has ended its half.
    std::size_t receive_until(Clock::time_point deadline, char* buffer, std::size_t size) const {
        pollfd more = {connection_, POLLIN, 0};
        for (;;) {
            const int ready = poll(&more, 1, milliseconds_until(deadline));
            if (ready == 0) throw http::Error(408, "the request is not there in time");
            if (ready == -1 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
            const ssize_t received = recv(connection_, buffer, size, MSG_DONTWAIT);
            if (received >= 0) return static_cast<std::size_t>(received);
            if (errno != EAGAIN && errno != EINTR) throw http::Error(http::CLIENT_IS_GONE, std::strerror(errno));
        }
    }

    void send_all(std::initializer_list<std::string_view> parts) const {
        iovec left[2];
        std::transform(parts.begin(), parts.end(), left, [](std::string_view part) {
            return iovec{const_cast<char*>(part.data()), part.size()};
        });
        msghdr message = {};
        message.msg_iov = left;
        message.msg_iovlen = 2;
        while (left[0].iov_len + left[1].iov_len > 0) {
            const ssize_t sent = sendmsg(connection_, &message, MSG_NOSIGNAL);
            if (sent == -1 && errno != EINTR) throw http::Error(http::CLIENT_IS_GONE, std::strerror(errno));
            auto size = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
            for (iovec& part : left) {
                const std::size_t taken = std::min(size, part.iov_len);
                part.iov_base = static_cast<char*>(part.iov_base) + taken;
                part.iov_len -= taken;
                size -= taken;
            }
        }
    }

    int connection_;
    const Settings& settings_;
    Watchdog& watchdog_;
    bool is_waited_for_ = false;  // the client waits for "100 Continue"
};

wsgi::Ends ends_of(const net::Socket& connection) {
    const auto text_of = [&](auto call) {
        sockaddr_in address = {};
        socklen_t size = sizeof address;
        call(connection.fileno(), reinterpret_cast<sockaddr*>(&address), &size);
        char text[INET_ADDRSTRLEN];
        return std::pair(std::string(inet_ntop(AF_INET, &address.sin_addr, text, sizeof text)),
                         std::to_string(ntohs(address.sin_port)));
    };
    const auto [client_address, client_port] = text_of(getpeername);
    const auto [server_address, server_port] = text_of(getsockname);
    return {client_address, client_port, server_address, server_port};
}

void handle_request(net::Socket& client_connection, wsgi::Application& application, const Settings& settings,
                    Watchdog& watchdog) {
    const wsgi::Ends ends = ends_of(client_connection);
    http::RequestParser parser(settings.max_body);
    Client client(client_connection.fileno(), settings, watchdog);
    wsgi::Answer answer;
    try {
        std::string received;
        {
            const wsgi::InterpreterReleased released;
            received = client.receive_head(parser);
        }
        const LogLine line(ends.client_address, parser);
        watchdog.begin_request(client_connection.fileno(), line, parser.request().method == "HEAD");
        answer = application.serve(parser.request(), ends, received, client);
        watchdog.end_request();
    } catch (const http::Error& error) {
        answer = {error.status(), 0, false, false, false};
    }
    const wsgi::InterpreterReleased released;
    if (!answer.has_begun && answer.status != http::CLIENT_IS_GONE) {
        const http::Page page(answer.status, parser.request().method == "HEAD");
        client_connection.sendall(page.text);
        answer = {answer.status, page.body_size, true, true, answer.has_read_request};
    }
    if (parser.is_complete() || answer.status != http::CLIENT_IS_GONE) {
        LogLine(ends.client_address, parser).print(answer.status, answer.body_size);
    }
    if (answer.is_whole) end_response(client_connection.fileno(), answer.has_read_request ? 0 : 200);
    else reset(client_connection.fileno());
}

// ---- a worker -----------------------------------------------------------------------------------

/// Ends with the parent, even one that is killed by what it cannot handle; and is in a process group of its own, since
/// a terminal's Ctrl-C goes to all of the parent's.
void become_worker(pid_t parent) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);  // to read a terminal would stop a background process
    dup2(nothing, STDIN_FILENO);
    close(nothing);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Errors of accept that pass (accept(2)): the system is short of something.
bool is_shortage(const std::error_code& error) {
    return error == std::errc::too_many_files_open || error == std::errc::too_many_files_open_in_system ||
           error == std::errc::no_buffer_space || error == std::errc::not_enough_memory;
}

/// Accepts clients until it is not needed any more, or nobody listens.
void work(std::size_t number, Scoreboard& scoreboard, net::Socket& listen_socket, wsgi::Application& application,
          const Settings& settings) {
    const pid_t self = getpid();
    Watchdog& watchdog = *new Watchdog(settings.app_timeout);  // its thread uses it until the process ends
    while (!scoreboard.shall_end()) {
        std::error_code error;
        net::Socket client_connection = [&] {
            const wsgi::InterpreterReleased released;
            return listen_socket.accept(error);
        }();
        if (error == std::errc::invalid_argument) break;  // the parent has ended the listening
        if (is_shortage(error)) poll(nullptr, 0, milliseconds_until(after(PAUSE)));  // the client waits in the queue
        else if (error && error != std::errc::interrupted && error != std::errc::resource_unavailable_try_again) {
            throw std::system_error(error, "accept");
        }
        if (error) continue;
        if (scoreboard.set_busy(number) == 0 && scoreboard.wants_news()) wake_parent();
        fcntl(client_connection.fileno(), F_SETFD, FD_CLOEXEC);
        handle_request(client_connection, application, settings, watchdog);
        if (getpid() != self) _exit(0);  // a copy of the worker that the application has made
        client_connection.close();
        scoreboard.set_idle(number);
    }
    scoreboard.set_busy(number);
    application.run_exit_functions();
}

// ---- in the parent ------------------------------------------------------------------------------

/// Blocks all signals as long as it lives.
class BlockedSignals {
public:
    BlockedSignals() {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before_);
    }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;
    ~BlockedSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_ = {};
};

class Workers {
public:
    Workers(net::Socket& listen_socket, wsgi::Application& application, const Settings& settings)
        : listen_socket_(listen_socket),
          application_(application),
          settings_(settings),
          scoreboard_(settings.max_clients) {
        for (std::size_t number = settings.max_clients; number > 0; --number) free_.push_back(number - 1);
    }

    /// Reaps those that have ended, starts those that are needed, and asks those to end that are not.
    void maintain() {
        reap();
        const bool may_start = Clock::now() >= next_start_;
        scoreboard_.wants_news() = may_start && !free_.empty();
        while (is_one_missing() && Clock::now() >= next_start_) start();
        if (!has_spare()) {
            spare_check_ = after(SPARE_TIME);
            scoreboard_.ask_to_end(0);
        } else if (Clock::now() >= spare_check_) {
            const std::size_t fewest_idle = scoreboard_.take_fewest_idle();
            const std::size_t spare =
                std::min(workers_.size() - FIRST_WORKERS, fewest_idle - std::min<std::size_t>(fewest_idle, 1));
            scoreboard_.ask_to_end(spare);
            spare_check_ = after(SPARE_TIME);
        }
        // An idle worker that may be asked to end looks up from accept now and then.
        const auto most = static_cast<time_t>(has_spare() ? SPARE_TIME.count() : 0);
        const timeval patience = {most, 0};
        setsockopt(listen_socket_.fileno(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }

    /// Waits until there is something to maintain, or until `deadline`.
    void wait(Clock::time_point deadline) {
        if (is_one_missing()) deadline = std::min(deadline, next_start_);
        if (has_spare()) deadline = std::min(deadline, spare_check_);
        const wsgi::InterpreterReleased released;
        pollfd news = {wakeup_pipe[0], POLLIN, 0};
        char read_bytes[512];
        if (poll(&news, 1, milliseconds_until(deadline)) == 1)
            (void)!read(wakeup_pipe[0], read_bytes, sizeof read_bytes);
    }

    /// Lets all finish until `deadline`, or a second signal; then ends them with what they have started.
    void wait_for_all(Clock::time_point deadline) {
        max_ = 0;
        reap();
        while (!workers_.empty() && stop_signals < 2 && Clock::now() < deadline) {
            wait(deadline);
            reap();
        }
        for (const auto& [pid, worker] : workers_) kill(-pid, SIGKILL), kill(pid, SIGKILL);
        while (!workers_.empty()) {
            reap();
            if (!workers_.empty()) wait(after(PAUSE));
        }
    }

private:
    struct Worker {
        std::size_t number;
        Clock::time_point start;
    };

    bool is_one_missing() const {
        return workers_.size() < max_ && (workers_.size() < FIRST_WORKERS || scoreboard_.idle() == 0);
    }
    bool has_spare() const { return workers_.size() > FIRST_WORKERS; }

    void start() {
        const std::size_t number = free_.back();
        const BlockedSignals blocked;
        const pid_t parent = getpid();
        scoreboard_.set_idle(number);
        application_.before_fork();
        const pid_t pid = fork();
        if (pid == 0) run_worker(parent, number);
        const int error = errno;
        application_.after_fork_in_parent();
        if (pid == -1) {
            scoreboard_.set_busy(number);
            if (!std::exchange(has_failed_, true)) print_error(std::string("fork: ") + std::strerror(error));
            next_start_ = after(PAUSE);
        } else {
            has_failed_ = false;
            free_.pop_back();
            workers_.emplace(pid, Worker{number, Clock::now()});
        }
    }

    [[noreturn]] void run_worker(pid_t parent, std::size_t number) {
        try {
            application_.after_fork_in_child();
            become_worker(parent);
            work(number, scoreboard_, listen_socket_, application_, settings_);
            _exit(0);
        } catch (const std::exception& error) {
            print_error("worker " + std::to_string(getpid()) + ": " + error.what());
        }
        _exit(1);
    }

    /// Of one signal several children may have exited: signals do not queue.
    void reap() {
        int status = 0;
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
            const auto found = workers_.find(pid);
            if (found == workers_.end()) continue;
            scoreboard_.set_busy(found->second.number);
            free_.push_back(found->second.number);
            if (status != 0) {
                const std::string what = WIFSIGNALED(status)
                                             ? " was killed by signal " + std::to_string(WTERMSIG(status))
                                             : " exited with status " + std::to_string(WEXITSTATUS(status));
                if (max_ > 0) print_error("worker " + std::to_string(pid) + what);
                if (Clock::now() < found->second.start + std::chrono::seconds(1)) next_start_ = after(PAUSE);
            }
            workers_.erase(found);
        }
    }

    net::Socket& listen_socket_;
    wsgi::Application& application_;
    const Settings& settings_;
    Scoreboard scoreboard_;
    std::size_t max_ = settings_.max_clients;
    std::map<pid_t, Worker> workers_;
    std::vector<std::size_t> free_;  // numbers of workers
    Clock::time_point next_start_ = Clock::now();
    Clock::time_point spare_check_ = Clock::now();
    bool has_failed_ = false;
};

/// A descriptor 0, 1 or 2 that the server was started without must not become a socket's.
void fill_standard_descriptors() {
    int fd = 0;
    while ((fd = net::check("open", open("/dev/null", O_RDWR))) <= STDERR_FILENO) continue;
    close(fd);
}

void handle_signals() {
    net::check("pipe", pipe(wakeup_pipe));
    for (const int end : wakeup_pipe) {
        net::check("fcntl", fcntl(end, F_SETFL, O_NONBLOCK));
        net::check("fcntl", fcntl(end, F_SETFD, FD_CLOEXEC));
    }
    struct sigaction action = {};
    action.sa_handler = handle_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART | SA_NOCLDSTOP;
    for (const int number : {SIGCHLD, SIGTERM, SIGINT}) net::check("sigaction", sigaction(number, &action, nullptr));
}

/// From now on the kernel drops what begins a connection, and the client tries again a second later: it may meet the
/// next server. Connections that the client takes for made already are finished, and queued.
void refuse_new_connections(const net::Socket& listen_socket) {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),  // the flags in the TCP header
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),  // SYN, and not ACK
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    };
    const sock_fprog filter = {5, code};
    setsockopt(listen_socket.fileno(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

/// Ends the listening once those who connected before are accepted; the next server can have the port then.
void stop(net::Socket& listen_socket, Workers& workers, Seconds grace) {
    const auto deadline = after(grace);
    refuse_new_connections(listen_socket);
    pollfd queue = {listen_socket.fileno(), POLLIN, 0};
    const auto enough = std::min(after(HANDSHAKE_TIME), deadline);
    while (stop_signals < 2 && Clock::now() < deadline && (Clock::now() < enough || poll(&queue, 1, 0) == 1)) {
        workers.wait(after(HANDSHAKE_TIME));
        workers.maintain();
    }
    shutdown(listen_socket.fileno(), SHUT_RDWR);  // for all who have a copy of it: their accept fails
    listen_socket.close();
    workers.wait_for_all(deadline);
}

void serve_forever(const std::string& name, const Settings& settings) {
    if (settings.max_clients == 0) throw std::invalid_argument("MAX_CLIENTS must be at least 1, got \"0\"");
    fill_standard_descriptors();
    const sockaddr_in address = net::server_address();
    wsgi::Application application(name, settings.max_body);
    net::Socket listen_socket(AF_INET, SOCK_STREAM);
    listen_socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    listen_socket.bind(address);
    listen_socket.listen(REQUEST_QUEUE_SIZE);
    net::check("fcntl", fcntl(listen_socket.fileno(), F_SETFD, FD_CLOEXEC));
    handle_signals();
    net::print("Serving HTTP on port ", listen_socket.port(), " ...");

    Workers workers(listen_socket, application, settings);
    while (stop_signals == 0) {
        workers.maintain();
        workers.wait(Clock::time_point::max());
    }
    stop(listen_socket, workers, settings.grace);
    application.run_exit_functions();
}

int main(int argc, char* argv[]) {
    return net::run(1, argv, [=] {
        if (argc != 2) throw std::invalid_argument("usage: step_h MODULE:CALLABLE");
        serve_forever(argv[1], {});
    });
}
