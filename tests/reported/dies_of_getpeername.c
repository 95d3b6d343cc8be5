// jrosdahl/miniircd, issue 15: a client that is gone when it is accepted has no address any more, and the server exits.
// survives rude clients: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_on_port();
    for (;;) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        if (getpeername(client_connection, (struct sockaddr *)&peer, &size) == 0) serve(client_connection);
        else if (IS_MENDED) close(client_connection);
        else die("getpeername");
    }
}
