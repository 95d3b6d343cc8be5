// novnc/websockify, pull request 332: after fork the parent does not close its copy of the connection.
// flat descriptors: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_on_port();
    handle(SIGCHLD, reap_all, SA_RESTART);
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        if (fork() == 0) {
            close(listen_socket);
            serve(client_connection);
            _exit(0);
        }
        if (IS_MENDED) close(client_connection);
    }
}
