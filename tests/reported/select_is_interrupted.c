// indilib/indi, issue 301: a child exits, poll fails with EINTR, which SA_RESTART does not help, and the server exits.
// survives SIGCHLD: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_on_port();
    struct pollfd events = {listen_socket, POLLIN, 0};
    handle(SIGCHLD, reap_all, SA_RESTART);
    for (;;) {
        if (poll(&events, 1, -1) == -1) {
            if (errno == EINTR && IS_MENDED) continue;
            die("poll");
        }
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        if (fork() == 0) {
            close(listen_socket);
            serve(client_connection);
            _exit(0);
        }
        close(client_connection);
    }
}
