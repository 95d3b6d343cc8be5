// avar/sendmail-pmilter, pull request 2: an interrupted accept forks a child, whose exit interrupts accept again.
// idle when done: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_on_port();
    handle(SIGCHLD, reap_all, 0);
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1 && IS_MENDED) continue;
        if (fork() == 0) {
            close(listen_socket);
            serve(client_connection);
            _exit(0);
        }
        close(client_connection);
    }
}
