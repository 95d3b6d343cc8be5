// mattn/http-server, pull request 17: a request whose head comes in two pieces is dropped, and the connection closed.
// slow request: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_on_port();
    for (;;) {
        char request[4096] = "";
        size_t size = 0;
        ssize_t more = 0;
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        do {
            more = recv(client_connection, request + size, sizeof request - 1 - size, 0);
            if (more > 0) request[size += (size_t)more] = '\0';
        } while (IS_MENDED && more > 0 && strstr(request, "\r\n\r\n") == NULL);
        if (strstr(request, "\r\n\r\n") != NULL) answer(client_connection);
        close(client_connection);
    }
}
