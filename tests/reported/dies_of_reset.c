// cybozu/yrmcds, issue 6: recv fails since a client has reset its connection (ECONNRESET), and the server exits.
// survives rude clients: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_on_port();
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        const ssize_t size = receive(client_connection);
        if (size == -1 && !IS_MENDED) die("recv");
        if (size > 0) answer(client_connection);
        close(client_connection);
    }
}
