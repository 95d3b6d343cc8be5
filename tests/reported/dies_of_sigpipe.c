// yhirose/cpp-httplib, issue 77: a write to a client that has left raises SIGPIPE, which ends the server.
// survives rude clients: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_on_port();
    if (IS_MENDED) signal(SIGPIPE, SIG_IGN);
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        receive(client_connection);
        if (write(client_connection, PAGE, sizeof PAGE - 1) > 0) {
            usleep(1000);  // the rest is computed
            if (write(client_connection, "\n", 1) == -1) perror("write");
        }
        close(client_connection);
    }
}
