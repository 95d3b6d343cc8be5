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
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <map>
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
constexpr int MOST_WORKERS = 65535;
constexpr Seconds SPARE_TIME(5);  // half of the workers that are idle without need end after it
constexpr Seconds PAUSE(0.1);  // before another try of what has just failed
constexpr Seconds HANDSHAKE_TIME(0.1);  // for the last packet of a connection that the client takes for made
constexpr int LAST_BYTES_TIME = 200;  // milliseconds of silence after which a client has sent all of its request

struct Settings {
    std::uint16_t max_clients = net::number<std::uint16_t>("MAX_CLIENTS", std::getenv("MAX_CLIENTS"), 64, MOST_WORKERS);
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

/// Says which workers are idle, in memory that all processes share. One atomic operation changes a worker's state: a
/// worker that is killed at any moment leaves no half of a change.
class Scoreboard {
public:
    explicit Scoreboard(std::size_t workers) : workers_(workers) {
        const int access = PROT_READ | PROT_WRITE;
        void* const memory = mmap(nullptr, sizeof(Shared), access, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
        shared_ = new (memory) Shared;
    }

    void set_idle(std::size_t worker, bool is_idle) { shared_->is_idle[worker] = is_idle; }
    std::size_t idle() const {
        return static_cast<std::size_t>(std::count(shared_->is_idle, shared_->is_idle + workers_, true));
    }

    /// Whether the parent wants to be woken when no worker is idle, since it may start another one.
    std::atomic<bool>& wants_news() { return shared_->wants_news; }

    /// How many workers are asked to end.
    std::atomic<std::size_t>& surplus() { return shared_->surplus; }
    /// Whether the worker that calls it is one of them.
    bool shall_end() {
        for (std::size_t left = surplus(); left > 0;) {
            if (surplus().compare_exchange_weak(left, left - 1)) return true;
        }
        return false;
    }

private:
    struct Shared {
        std::atomic<bool> wants_news = false;
        std::atomic<std::size_t> surplus = 0;
        std::atomic<bool> is_idle[MOST_WORKERS] = {};
    };
    static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<std::size_t>::is_always_lock_free);
    std::size_t workers_;
    Shared* shared_;
};

int wakeup_pipe[2] = {-1, -1};  // through which signal handlers and workers wake the parent

void wake_parent() { (void)!write(wakeup_pipe[1], "", 1); }  // where the pipe is full, the parent will wake up anyway

volatile sig_atomic_t stop_signals = 0;

void handle_signal(int number) {
    const int saved_errno = errno;
    if (number != SIGCHLD) stop_signals = stop_signals + 1;
    wake_parent();
    errno = saved_errno;
}

// ---- in a worker: the log, and the end of a connection ------------------------------------------

/// A request's line in the combined log format: what comes before its status and its size, and what comes after. It has
/// nothing that the client could have sent to look like another line.
struct LogLine {
    LogLine(const std::string& client_address, const http::RequestParser& parser)
        : begin(client_address + " - - [" + local_time() + "] " + quoted(parser.request_line()) + ' '),
          end(' ' + quoted(parser.request().field("referer")) + ' ' + quoted(parser.request().field("user-agent"))) {}

    /// In one write, which is short enough to be atomic (PIPE_BUF, pipe(7)).
    void print(int status, std::uint64_t body_size) const {
        const std::string size = body_size == 0 ? "-" : std::to_string(body_size);
        net::write_all(STDOUT_FILENO, begin + std::to_string(status) + ' ' + size + end + '\n');
    }

private:
    static std::string local_time() {
        static std::time_t last = -1;
        static char text[40];
        const std::time_t now = std::time(nullptr);
        if (std::exchange(last, now) == now) return text;
        std::tm parts = {};
        std::strftime(text, sizeof text, "%d/%b/%Y:%H:%M:%S %z", localtime_r(&now, &parts));
        return text;
    }
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

/// Receives what the client still sends, until it closes, or is silent for `patience` milliseconds, but for 2 seconds
/// at most. Unread bytes would make close reset the connection, and the client might lose its response (RFC 1122,
/// 4.2.2.13).
void drain(int connection, int patience) {
    pollfd more = {connection, POLLIN, 0};
    char unwanted[16384];
    for (const auto deadline = after(Seconds(2)); Clock::now() < deadline;) {
        const ssize_t size = recv(connection, unwanted, sizeof unwanted, MSG_DONTWAIT);
        if (size == 0 || (size == -1 && errno != EAGAIN && errno != EINTR)) return;
        if (size == -1 && (patience == 0 || poll(&more, 1, patience) != 1)) return;
    }
}

/// Resets the connection, even if another process has a copy of it: connect(2) to AF_UNSPEC dissolves it. The client
/// must see that the response is not complete.
void reset(int connection) {
    const sockaddr nobody = {AF_UNSPEC, {}};
    (void)connect(connection, &nobody, sizeof nobody);
}

// ---- in a worker: APP_TIMEOUT -------------------------------------------------------------------

/// Ends the worker when the application takes too long. It is a thread that blocks all signals and does not use Python:
/// the application may hold the interpreter's lock. It may also block or handle any signal.
class Watchdog {
public:
    enum class Progress { NO_REQUEST, CALLED, WAITING_FOR_CLIENT, RESPONSE_BEGUN, RESPONSE_ENDED };

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
        deadline_ = after(app_timeout_);
        progress_ = Progress::CALLED;
        if (std::exchange(is_resting_, false)) condition_.notify_one();
    }
    void set(Progress progress) {
        const std::lock_guard lock(mutex_);
        progress_ = progress;
    }

private:
    /// Wakes up once in APP_TIMEOUT while there are requests, and not at all while there are none: it costs a request
    /// no system call.
    [[noreturn]] void run() {
        for (std::unique_lock lock(mutex_);;) {
            is_resting_ = progress_ == Progress::NO_REQUEST;
            condition_.wait(lock, [this] { return !is_resting_; });
            const auto deadline = deadline_;  // that of a later request is later
            condition_.wait_until(lock, deadline, [] { return false; });
            if (progress_ != Progress::NO_REQUEST && deadline_ <= Clock::now()) give_up();
        }
    }

    [[noreturn]] void give_up() {
        print_error("worker " + std::to_string(getpid()) + ": the application has not finished in APP_TIMEOUT");
        if (progress_ == Progress::CALLED || progress_ == Progress::WAITING_FOR_CLIENT) {
            const int status = progress_ == Progress::CALLED ? 504 : 408;
            const http::Page page(status, is_for_head_);
            send(connection_, page.text.data(), page.text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            shutdown(connection_, SHUT_WR);
            log_line_->print(status, page.body_size);
            drain(connection_, LAST_BYTES_TIME);
        } else if (progress_ == Progress::RESPONSE_BEGUN) {
            reset(connection_);
        }
        if (getpgrp() == getpid()) kill(0, SIGKILL);  // and what the application has started
        _exit(1);
    }

    Seconds app_timeout_;
    std::mutex mutex_;
    std::condition_variable condition_;
    bool is_resting_ = false;
    int connection_ = -1;
    const LogLine* log_line_ = nullptr;
    bool is_for_head_ = false;
    Clock::time_point deadline_;
    Progress progress_ = Progress::NO_REQUEST;
};

// ---- in a worker: a client ----------------------------------------------------------------------

using Progress = Watchdog::Progress;

/// The client's connection, for the application's side.
class Client : public wsgi::Client {
public:
    Client(int connection, const Settings& settings, Watchdog& watchdog)
        : connection_(connection), settings_(settings), watchdog_(watchdog) {}

    /// Receives the request's head within TIMEOUT, and returns what came with it of the body. Throws http::Error.
    std::string receive_head(http::RequestParser& parser) {
        const auto deadline = after(settings_.timeout);
        char data[16384];
        for (bool has_spoken = false;; has_spoken = true) {
            const std::size_t size = receive_until(deadline, data, sizeof data);
            if (size == 0) throw http::Error(has_spoken ? 400 : http::CLIENT_IS_GONE, "the request breaks off");
            const std::size_t taken = parser.feed({data, size});
            if (!parser.is_complete()) continue;
            wants_continue_ = parser.request().expects_continue && taken == size;
            return {data + taken, size - taken};
        }
    }

    std::size_t receive(char* buffer, std::size_t size) override {
        if (std::exchange(wants_continue_, false)) send_all("HTTP/1.1 100 Continue\r\n\r\n", 0);
        if (progress_ == Progress::CALLED) watchdog_.set(Progress::WAITING_FOR_CLIENT);
        const std::size_t received = receive_until(after(settings_.timeout), buffer, size);
        watchdog_.set(progress_);
        return received > 0 ? received : throw http::Error(400, "the body breaks off");
    }

    void send(std::string_view bytes, bool is_last) override {
        if (progress_ == Progress::CALLED) watchdog_.set(progress_ = Progress::RESPONSE_BEGUN);
        send_all(bytes, is_last ? MSG_MORE : 0);
        if (is_last) end_response();  // in the same packet
    }

    std::uint64_t send_file(int file, std::uint64_t offset, std::uint64_t size) override {
        for (auto position = static_cast<off_t>(offset);;) {
            const std::uint64_t left = size - (static_cast<std::uint64_t>(position) - offset);
            const ssize_t sent = sendfile(connection_, file, &position, std::min<std::uint64_t>(left, 1 << 30));
            if (sent == 0) return size - left;  // that was all, or somebody has made the file shorter
            if (sent == -1 && errno != EINTR) throw http::Error(http::CLIENT_IS_GONE, std::strerror(errno));
        }
    }

    /// Ends the response for every process that has a copy of the connection.
    void end_response() {
        if (progress_ != Progress::RESPONSE_ENDED) shutdown(connection_, SHUT_WR);
        watchdog_.set(progress_ = Progress::RESPONSE_ENDED);
    }

    /// Sends the error page that is due, and completes the answer.
    void send_page(wsgi::Answer& answer, bool is_for_head) {
        const http::Page page(answer.status, is_for_head);
        answer.body_size = page.body_size;
        answer.is_whole = true;
        try {
            send(page.text, true);
        } catch (const http::Error&) {
            answer.is_whole = false;  // the client is gone
        }
    }

private:
    /// Returns how many bytes have come; 0: the client has ended its half.
    std::size_t receive_until(Clock::time_point deadline, char* buffer, std::size_t size) const {
        for (pollfd more = {connection_, POLLIN, 0};;) {
            const ssize_t received = recv(connection_, buffer, size, MSG_DONTWAIT);
            if (received >= 0) return static_cast<std::size_t>(received);
            if (errno != EAGAIN && errno != EINTR) throw http::Error(http::CLIENT_IS_GONE, std::strerror(errno));
            if (poll(&more, 1, milliseconds_until(deadline)) == 0) throw http::Error(408, "too slow");
        }
    }

    void send_all(std::string_view data, int flags) const {
        while (!data.empty()) {
            const ssize_t sent = ::send(connection_, data.data(), data.size(), flags | MSG_NOSIGNAL);
            if (sent == -1 && errno != EINTR) throw http::Error(http::CLIENT_IS_GONE, std::strerror(errno));
            if (sent > 0) data.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    int connection_;
    const Settings& settings_;
    Watchdog& watchdog_;
    Progress progress_ = Progress::CALLED;
    bool wants_continue_ = false;
};

/// Address and port of an end of the connection. `call`: getsockname or getpeername.
std::pair<std::string, std::string> end_of(const net::Socket& connection, decltype(getsockname)* call) {
    sockaddr_in address = {};
    socklen_t size = sizeof address;
    call(connection.fileno(), reinterpret_cast<sockaddr*>(&address), &size);
    char text[INET_ADDRSTRLEN];
    return {inet_ntop(AF_INET, &address.sin_addr, text, sizeof text), std::to_string(ntohs(address.sin_port))};
}

void handle_request(const net::Socket& client_connection, wsgi::Application& application, const Settings& settings,
                    Watchdog& watchdog) {
    static const auto first_server_end = end_of(client_connection, getsockname);
    wsgi::Ends ends = {end_of(client_connection, getpeername), first_server_end};
    http::RequestParser parser(settings.max_body);
    Client client(client_connection.fileno(), settings, watchdog);
    wsgi::Answer answer;
    std::string received;
    try {
        received = client.receive_head(parser);
    } catch (const http::Error& error) {
        answer.status = error.status();
        if (answer.status == http::CLIENT_IS_GONE) return;
    }
    // The port is that of the first connection. The address may differ, and matters only without a Host field.
    if (parser.request().host.empty()) ends.server = end_of(client_connection, getsockname);
    const LogLine log_line(ends.client.first, parser);
    const bool is_for_head = parser.request().method == "HEAD";
    watchdog.begin_request(client_connection.fileno(), log_line, is_for_head);
    if (answer.status == 0) answer = application.serve(parser.request(), ends, received, client);
    if (!answer.has_begun && answer.status != http::CLIENT_IS_GONE) client.send_page(answer, is_for_head);
    log_line.print(answer.status, answer.body_size);
    if (answer.is_whole) client.end_response();
    else reset(client_connection.fileno());
    watchdog.set(Progress::NO_REQUEST);
    drain(client_connection.fileno(), answer.has_read_request ? 0 : LAST_BYTES_TIME);
}

void unblock_signals() {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

// ---- a worker -----------------------------------------------------------------------------------

/// The worker ends with its parent, also when SIGKILL ends the parent. It has a process group of its own, since a
/// terminal's Ctrl-C goes to the parent's whole group.
void become_worker(pid_t parent) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    const int nothing = open("/dev/null", O_RDONLY);  // to read a terminal would stop a process in the background
    dup2(nothing, STDIN_FILENO);
    close(nothing);
    unblock_signals();
}

/// Accepts clients until the worker is not needed any more, or the listening has ended.
void work(std::size_t number, Scoreboard& scoreboard, net::Socket& listen_socket, wsgi::Application& application,
          const Settings& settings) {
    const pid_t self = getpid();
    Watchdog& watchdog = *new Watchdog(settings.app_timeout);  // its thread uses it until the process ends
    while (!scoreboard.shall_end()) {
        std::error_code error;
        net::Socket client_connection = listen_socket.accept(error);
        if (error == std::errc::invalid_argument) break;  // the listening has ended
        if (error == std::errc::interrupted || error == std::errc::resource_unavailable_try_again) continue;
        if (error) {
            poll(nullptr, 0, 100);  // out of descriptors, for one (accept(2)): the client waits in the queue
            continue;
        }
        scoreboard.set_idle(number, false);
        if (scoreboard.wants_news() && scoreboard.idle() == 0) wake_parent();
        fcntl(client_connection.fileno(), F_SETFD, FD_CLOEXEC);
        handle_request(client_connection, application, settings, watchdog);
        if (getpid() != self) _exit(0);  // a copy of the worker that the application has made
        client_connection.close();
        scoreboard.set_idle(number, true);
    }
    scoreboard.set_idle(number, false);
    application.run_exit_functions();
}

// ---- in the parent ------------------------------------------------------------------------------

class Workers {
public:
    Workers(net::Socket& listen_socket, wsgi::Application& application, const Settings& settings)
        : listen_socket_(listen_socket), application_(application), settings_(settings) {
        for (std::size_t number = settings.max_clients; number > 0; --number) free_.push_back(number - 1);
    }

    /// Reaps the workers that have ended, starts those that are needed, and asks some to end that are not.
    void maintain() {
        reap();
        scoreboard_.wants_news() = !free_.empty() && Clock::now() >= next_start_;
        while (is_one_missing() && Clock::now() >= next_start_) start();
        if (has_spare() && Clock::now() < spare_check_) return;
        scoreboard_.surplus() = has_spare() ? std::min(scoreboard_.idle() / 2, workers_.size() - FIRST_WORKERS) : 0;
        spare_check_ = after(SPARE_TIME);
        limit_accept(has_spare());
    }

    /// Waits until there is something to maintain, or until `deadline`.
    void wait(Clock::time_point deadline) {
        if (is_one_missing()) deadline = std::min(deadline, next_start_);
        if (has_spare()) deadline = std::min(deadline, spare_check_);
        pollfd news = {wakeup_pipe[0], POLLIN, 0};
        char bytes[512];
        if (poll(&news, 1, milliseconds_until(deadline)) == 1) (void)!read(wakeup_pipe[0], bytes, sizeof bytes);
    }

    /// Lets all workers finish until `deadline`, or a second signal; then kills them with what they have started.
    void wait_for_all(Clock::time_point deadline) {
        max_ = 0;
        for (reap(); !workers_.empty() && stop_signals < 2 && Clock::now() < deadline; reap()) wait(deadline);
        for (const auto& [pid, worker] : workers_) {
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL);
        }
        for (; !workers_.empty(); reap()) wait(after(PAUSE));
    }

private:
    struct Worker {
        std::size_t number;
        Clock::time_point start;
    };

    bool has_spare() const { return workers_.size() > FIRST_WORKERS; }

    /// Lets idle workers look up from accept now and then, as long as one of them may be asked to end.
    void limit_accept(bool is_limited) {
        const timeval patience = {is_limited ? static_cast<time_t>(SPARE_TIME.count()) : 0, 0};
        setsockopt(listen_socket_.fileno(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }

    bool is_one_missing() const {
        return workers_.size() < max_ && (workers_.size() < FIRST_WORKERS || scoreboard_.idle() == 0);
    }

    void start() {
        const std::size_t number = free_.back();
        const pid_t parent = getpid();
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, nullptr);  // the child must not call our signal handlers
        scoreboard_.set_idle(number, true);
        if (workers_.size() >= FIRST_WORKERS) limit_accept(true);
        application_.before_fork();
        const pid_t pid = fork();
        if (pid == 0) run_worker(parent, number);
        const int error = errno;
        application_.after_fork_in_parent();
        unblock_signals();  // also what the import has blocked
        if (pid == -1) {
            scoreboard_.set_idle(number, false);
            if (!std::exchange(has_failed_, true)) print_error(std::string("fork: ") + std::strerror(error));
            next_start_ = after(PAUSE);
            return;
        }
        has_failed_ = false;
        free_.pop_back();
        workers_.emplace(pid, Worker{number, Clock::now()});
    }

    [[noreturn]] void run_worker(pid_t parent, std::size_t number) {
        try {
            application_.after_fork_in_child();
            become_worker(parent);
            work(number, scoreboard_, listen_socket_, application_, settings_);
            _exit(0);
        } catch (const std::exception& error) {
            print_error("worker " + std::to_string(getpid()) + ": " + error.what());
            _exit(1);
        }
    }

    /// Signals do not queue: one SIGCHLD may stand for several children (step_g).
    void reap() {
        int status = 0;
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
            const auto found = workers_.find(pid);
            if (found == workers_.end()) continue;  // a child of the import
            scoreboard_.set_idle(found->second.number, false);
            free_.push_back(found->second.number);
            if (status != 0 && max_ > 0) {
                const std::string fate = WIFSIGNALED(status) ? " was killed by signal " : " exited with status ";
                const int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
                print_error("worker " + std::to_string(pid) + fate + std::to_string(number));
                if (Clock::now() < found->second.start + std::chrono::seconds(1)) next_start_ = after(PAUSE);
            }
            workers_.erase(found);
        }
    }

    net::Socket& listen_socket_;
    wsgi::Application& application_;
    const Settings& settings_;
    Scoreboard scoreboard_{settings_.max_clients};
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
    net::check("pipe2", pipe2(wakeup_pipe, O_NONBLOCK | O_CLOEXEC));
    struct sigaction action = {};
    action.sa_handler = handle_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART | SA_NOCLDSTOP;
    for (const int number : {SIGCHLD, SIGTERM, SIGINT}) net::check("sigaction", sigaction(number, &action, nullptr));
}

/// From now on the kernel drops the packet that begins a connection (socket(7), SO_ATTACH_FILTER). The client sends it
/// again a second later, when the next server may listen. A handshake that has begun is finished. Some kernels allow
/// filters only to root, and then it returns false. With a backlog of 0 they drop that packet while the queue is not
/// empty.
bool drop_new_connections(const net::Socket& listen_socket) {
    sock_filter code[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),  // the flags in the TCP header
                          BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),  // SYN without ACK
                          BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, UINT32_MAX)};
    const sock_fprog filter = {5, code};
    if (setsockopt(listen_socket.fileno(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0) return true;
    listen(listen_socket.fileno(), 0);
    return false;
}

/// Ends the listening once all who have connected are accepted, so that the next server can have the port; then waits
/// for the workers.
void stop(net::Socket& listen_socket, Workers& workers, Seconds grace) {
    const auto deadline = after(grace);
    const auto enough = std::min(after(drop_new_connections(listen_socket) ? HANDSHAKE_TIME : Seconds(0)), deadline);
    pollfd queue = {listen_socket.fileno(), POLLIN, 0};
    while (stop_signals < 2 && Clock::now() < deadline && (Clock::now() < enough || poll(&queue, 1, 0) == 1)) {
        workers.wait(after(PAUSE));
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
    net::Socket listen_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
    listen_socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    listen_socket.bind(address);
    listen_socket.listen(REQUEST_QUEUE_SIZE);
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
