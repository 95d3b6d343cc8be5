// mattn/http-server, pull request 7: a client that closes without having sent anything keeps its descriptor here.
// survives rude clients: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_on_port();
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        const int has_asked = receive(client_connection) > 0;
        if (has_asked) answer(client_connection);
        if (has_asked || IS_MENDED) close(client_connection);
    }
}
