#include "calls.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <string>

#include "tracer.hpp"

namespace replay {
namespace {

/// The format of a call's arguments, one letter each. A number is d, a pointer p, a socket address a. Bytes whose
/// number is the next argument are b, and bytes that the call has filled in r. A signal is g, a timespec t, an address
/// family f, a socket option o, an option of waitpid w. An uppercase D is the descriptor that the call uses.
struct Format {
    const char* name;
    const char* letters;
};

const std::map<long, Format>& formats() {
    static const std::map<long, Format> FORMATS = {
        {SYS_socket, {"socket", "fdd"}},
        {SYS_setsockopt, {"setsockopt", "Ddo"}},
        {SYS_bind, {"bind", "Dad"}},
        {SYS_listen, {"listen", "Dd"}},
        {SYS_connect, {"connect", "Dad"}},
        {SYS_accept4, {"accept4", "Dppd"}},
        {SYS_recvfrom, {"recv", "Drdd"}},
        {SYS_recvmsg, {"recvmsg", "Dpd"}},
        {SYS_sendto, {"send", "Dbdd"}},
        {SYS_sendmsg, {"sendmsg", "Dpd"}},
        {SYS_read, {"read", "Drd"}},
        {SYS_write, {"write", "Dbd"}},
        {SYS_close, {"close", "D"}},
        {SYS_shutdown, {"shutdown", "Dd"}},
        {SYS_wait4, {"waitpid", "dpw"}},
        {SYS_waitid, {"waitid", "ddpd"}},
        {SYS_kill, {"kill", "dg"}},
        {SYS_rt_sigaction, {"sigaction", "gp"}},
        {SYS_nanosleep, {"nanosleep", "t"}},
        {SYS_clock_nanosleep, {"clock_nanosleep", "ddt"}},
        {SYS_ppoll, {"ppoll", "pdp"}},
        {SYS_pselect6, {"pselect", "dppp"}},
        {SYS_epoll_pwait, {"epoll_wait", "Dpdd"}},
#ifdef SYS_accept
        {SYS_accept, {"accept", "Dpp"}},
#endif
#ifdef SYS_poll
        {SYS_poll, {"poll", "pdd"}},
#endif
#ifdef SYS_select
        {SYS_select, {"select", "dppp"}},
#endif
#ifdef SYS_epoll_wait
        {SYS_epoll_wait, {"epoll_wait", "Dpdd"}},
#endif
#ifdef SYS_pause
        {SYS_pause, {"pause", ""}},
#endif
    };
    return FORMATS;
}

constexpr std::size_t MOST_BYTES = 48;

/// Bytes as a C string of printable ASCII; a long one is cut off with "...".
std::string literal(const std::string& bytes, std::size_t all) {
    std::string text = "\"";
    for (const char byte : bytes) {
        if (byte == '\r') text += "\\r";
        else if (byte == '\n') text += "\\n";
        else if (byte == '"' || byte == '\\') text += std::string("\\") + byte;
        else text += byte < ' ' || byte > '~' ? '.' : byte;
    }
    return text + '"' + (all > bytes.size() ? "..." : "");
}

std::string bytes_at(pid_t pid, std::uint64_t address, std::int64_t size) {
    const auto all = static_cast<std::size_t>(std::max<std::int64_t>(size, 0));
    return literal(Tracer::memory(pid, address, std::min(all, MOST_BYTES)), all);
}

std::string address_at(pid_t pid, std::uint64_t address) {
    const std::string bytes = Tracer::memory(pid, address, sizeof(sockaddr_in6));
    sockaddr_in in = {};
    if (bytes.size() < sizeof in) return "...";
    std::memcpy(&in, bytes.data(), sizeof in);
    char text[INET6_ADDRSTRLEN] = "...";
    if (in.sin_family == AF_INET) inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    else if (in.sin_family == AF_INET6) inet_ntop(AF_INET6, bytes.data() + 8, text, sizeof text);
    else return "...";
    return std::string(text) + ':' + std::to_string(ntohs(in.sin_port));
}

std::string time_at(pid_t pid, std::uint64_t address) {
    timespec time = {};
    const std::string bytes = Tracer::memory(pid, address, sizeof time);
    if (bytes.size() < sizeof time) return "...";
    std::memcpy(&time, bytes.data(), sizeof time);
    char text[40];
    std::snprintf(text, sizeof text, "%g s",
                  static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9);
    return text;
}

std::string family(std::uint64_t number) {
    if (number == AF_INET) return "AF_INET";
    if (number == AF_INET6) return "AF_INET6";
    return number == AF_UNIX ? "AF_UNIX" : std::to_string(number);
}

std::string option_name(std::uint64_t level, std::uint64_t option) {
    if (level == SOL_SOCKET && option == SO_REUSEADDR) return "SO_REUSEADDR";
    if (level == SOL_SOCKET && option == SO_REUSEPORT) return "SO_REUSEPORT";
    return std::to_string(option);
}

std::string argument(const Tracee& tracee, char letter, std::size_t i) {
    const std::uint64_t value = tracee.call.arguments[i];
    const std::uint64_t next = i + 1 < 6 ? tracee.call.arguments[i + 1] : 0;
    switch (letter) {
        case 'p':
            return value == 0 ? "NULL" : "...";
        case 'a':
            return address_at(tracee.pid, value);
        case 'b':
            return bytes_at(tracee.pid, value, static_cast<std::int64_t>(next));
        case 'r':
            return tracee.is_in_call || tracee.call.is_error ? "..." : bytes_at(tracee.pid, value, tracee.call.result);
        case 'g':
            return signal_name(static_cast<int>(value));
        case 't':
            return time_at(tracee.pid, value);
        case 'f':
            return family(value);
        case 'o':
            return option_name(tracee.call.arguments[i - 1], value);
        case 'w':
            return value == 1 ? "WNOHANG" : std::to_string(value);
        default:
            return std::to_string(static_cast<std::int32_t>(value));
    }
}

}  // namespace

std::optional<ShownCall> shown_call(const Tracee& tracee) {
    const auto found = formats().find(tracee.call.number);
    if (found == formats().end()) return std::nullopt;
    ShownCall shown;
    shown.name = found->second.name;
    const std::string letters = found->second.letters;
    for (std::size_t i = 0; i < letters.size(); ++i) {
        if (letters[i] == 'D') shown.descriptor = static_cast<int>(tracee.call.arguments[i]);
        shown.arguments += (i == 0 ? "" : ", ") + argument(tracee, letters[i], i);
    }
    const bool is_local = (shown.name == "socket" && shown.arguments.find("AF_INET") == std::string::npos) ||
                          (shown.name == "connect" && shown.arguments.find(':') == std::string::npos);
    if (is_local) return std::nullopt;  // not a TCP socket
    if (shown.name == "sigaction" && (tracee.call.arguments[0] != SIGCHLD || tracee.call.arguments[1] == 0))
        return std::nullopt;
    return shown;
}

// musl has no such tables: there this code knows only the names that matter in the steps.
std::string error_name(int number) {
#ifdef __GLIBC__
    if (const char* const name = strerrorname_np(number)) return name;
#else
    if (number == EINTR) return "EINTR";
    if (number == ECHILD) return "ECHILD";
#endif
    return std::to_string(number);
}

std::string signal_name(int number) {
#ifdef __GLIBC__
    if (const char* const name = sigabbrev_np(number)) return std::string("SIG") + name;
#else
    if (number == SIGCHLD) return "SIGCHLD";
#endif
    return std::to_string(number);
}

bool is_restart(const Call& call) { return call.result <= -512 && call.result >= -516; }

}  // namespace replay
