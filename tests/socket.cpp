// net/socket.hpp, without a step.
#include "../net/socket.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "support.hpp"

namespace {

/// A listening socket, and a client that is connected to it.
struct Pair {
    Pair() {
        listener.bind(loopback(0));
        listener.listen(5);
        client.connect(loopback(listener.port()));
    }
    net::Socket listener{AF_INET, SOCK_STREAM};
    net::Socket client{AF_INET, SOCK_STREAM};
};

bool is_open(int fd) { return fcntl(fd, F_GETFD) != -1; }

}  // namespace

TEST_CASE("socket: closes at the end of its scope") {
    int fd = -1;
    {
        const net::Socket socket(AF_INET, SOCK_STREAM);
        fd = socket.fileno();
        CHECK(is_open(fd));
    }
    CHECK_FALSE(is_open(fd));
}

TEST_CASE("socket: closes once when it is closed twice") {
    net::Socket first(AF_INET, SOCK_STREAM);
    const int fd = first.fileno();
    first.close();
    CHECK(first.fileno() == -1);
    net::Socket second(AF_INET, SOCK_STREAM);
    REQUIRE(second.fileno() == fd);  // the kernel gives out the lowest free number
    first.close();
    CHECK(is_open(fd));
}

TEST_CASE("socket: a move passes the descriptor on, and leaves the source closed") {
    net::Socket from(AF_INET, SOCK_STREAM);
    const int fd = from.fileno();
    net::Socket to = std::move(from);
    CHECK(to.fileno() == fd);
    // NOLINTBEGIN(bugprone-use-after-move,clang-analyzer-cplusplus.Move): this is the test
    CHECK(from.fileno() == -1);
    from.close();
    // NOLINTEND(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
    CHECK(is_open(fd));
    CHECK_THROWS_WITH(from.listen(5), "listen: Bad file descriptor");
}

TEST_CASE("socket: an error names the call that failed") {
    net::Socket closed(AF_INET, SOCK_STREAM);
    closed.close();
    CHECK_THROWS_WITH(closed.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1), "setsockopt: Bad file descriptor");
    CHECK_THROWS_WITH(closed.bind(loopback(0)), "bind: Bad file descriptor");
    CHECK_THROWS_WITH(closed.listen(5), "listen: Bad file descriptor");
    CHECK_THROWS_WITH(closed.accept(), "accept: Bad file descriptor");
    CHECK_THROWS_WITH(closed.connect(loopback(1)), "connect: Bad file descriptor");
    CHECK_THROWS_WITH(closed.recv(1), "recv: Bad file descriptor");
    CHECK_THROWS_WITH(closed.sendall("x"), "write: Bad file descriptor");
    CHECK_THROWS_WITH(closed.port(), "getsockname: Bad file descriptor");
    CHECK_THROWS_WITH(net::Socket(AF_INET, -1), "socket: Invalid argument");
}

TEST_CASE("socket: accept can return an error instead of throwing it") {
    Pair pair;
    std::error_code error = std::make_error_code(std::errc::io_error);
    const net::Socket connection = pair.listener.accept(error);
    CHECK_FALSE(error);
    CHECK(is_open(connection.fileno()));
    pair.listener.close();
    CHECK(pair.listener.accept(error).fileno() == -1);
    CHECK(error == std::errc::bad_file_descriptor);
}

TEST_CASE("socket: sendall sends all bytes, in as many parts as the kernel takes") {
    Pair pair;
    net::Socket server = pair.listener.accept();
    server.setsockopt(SOL_SOCKET, SO_SNDBUF, 1);  // the kernel uses its minimum, far below the text's size
    const std::string text(4'000'000, 'x');
    std::size_t received = 0;
    std::thread reader([&] {
        for (std::string part; !(part = pair.client.recv(65536)).empty();) received += part.size();
    });
    server.sendall(text);
    server.close();
    reader.join();
    CHECK(received == text.size());
}

TEST_CASE("socket: sendall goes on when a signal interrupts it") {
    struct sigaction action = {};
    action.sa_handler = [](int) {};  // without SA_RESTART
    struct sigaction before = {};
    sigaction(SIGUSR1, &action, &before);
    Pair pair;
    net::Socket server = pair.listener.accept();
    server.setsockopt(SOL_SOCKET, SO_SNDBUF, 1);
    const std::string text(4'000'000, 'x');
    std::size_t received = 0;
    const pthread_t sender = pthread_self();
    std::thread reader([&] {
        for (std::string part; !(part = pair.client.recv(65536)).empty();) {
            received += part.size();
            pthread_kill(sender, SIGUSR1);
        }
    });
    server.sendall(text);
    server.close();
    reader.join();
    sigaction(SIGUSR1, &before, nullptr);
    CHECK(received == text.size());
}

TEST_CASE("socket: a peer that has closed or reset the connection is no error") {
    Pair pair;
    net::Socket server = pair.listener.accept();
    SUBCASE("the peer has closed") {
        pair.client.close();
        CHECK(server.recv(1024).empty());
    }
    SUBCASE("the peer has reset") {
        const linger at_once = {1, 0};
        setsockopt(pair.client.fileno(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        pair.client.close();
        CHECK(server.recv(1024).empty());
    }
    void (*before)(int) = std::signal(SIGPIPE, SIG_IGN);  // net::run ignores it too
    server.sendall("answer");
    server.sendall("answer");
    std::signal(SIGPIPE, before);
}

TEST_CASE("socket: close reads the rest of the request, so that the client sees no reset") {
    Pair pair;
    net::Socket server = pair.listener.accept();
    const std::string request = "GET /" + std::string(60'000, 'x') + " HTTP/1.1\r\n\r\n";
    pair.client.sendall(request);
    CHECK(server.recv(1024).size() == 1024);
    server.sendall(PAGE);
    server.close();
    std::string answer;
    for (std::string part; !(part = pair.client.recv(1024)).empty();) answer += part;
    CHECK(answer == PAGE);
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(pair.client.fileno(), SOL_SOCKET, SO_ERROR, &error, &size);
    CHECK(error == 0);
}

TEST_CASE("socket: closing a copy that received nothing leaves the bytes for the other copy") {
    Pair pair;
    net::Socket server = pair.listener.accept();
    const int copy = dup(server.fileno());  // as a child has one after fork
    pair.client.sendall(REQUEST);
    server.close();
    char text[100];
    CHECK(recv(copy, text, sizeof text, 0) == static_cast<ssize_t>(REQUEST.size()));
    ::close(copy);
}

TEST_CASE("number: refuses everything but a plain number within its range") {
    for (const char* bad :
         {"", " ", "abc", " 80", "80 ", "+80", "-1", "8o", "0x50", "1.5", "1e3", "65536", "99999999999999999999"}) {
        CAPTURE(bad);
        CHECK_THROWS_WITH(net::number<in_port_t>("PORT", bad, 8888, 65535),
                          ("PORT must be a whole number from 0 to 65535, got \"" + std::string(bad) + '"').c_str());
    }
    CHECK(net::number<in_port_t>("PORT", nullptr, 8888, 65535) == 8888);
    CHECK(net::number<in_port_t>("PORT", "0", 8888, 65535) == 0);
    CHECK(net::number<in_port_t>("PORT", "65535", 8888, 65535) == 65535);
    for (const char* bad :
         {"", " 1", "1 ", "nan", "inf", "-1", "+1", "1e400", "1,5", "1.2.3", ".", "0x1p3", "1000000000.5"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(net::number("SLEEP", bad, 60.0, 1'000'000'000), std::invalid_argument);
    }
    CHECK(net::number("SLEEP", "0", 60.0, 1'000'000'000) == 0.0);
    CHECK(net::number("SLEEP", ".25", 60.0, 1'000'000'000) == 0.25);
    CHECK(net::number("SLEEP", "2.5", 60.0, 1'000'000'000) == 2.5);
}
