// The article's first client: it connects, sends a request and prints the response.
#include "../net/socket.hpp"

void ask() {
    net::Socket sock(AF_INET, SOCK_STREAM);
    sock.connect(net::server_address());
    net::print("my port is ", sock.port());

    sock.sendall("test");
    net::print(sock.recv(1024));
}

int main(int argc, char* argv[]) { return net::run(argc, argv, ask); }
