// apache/trafficserver, pull request 1: on SIGTERM the parent exits while its children are still at work.
// stops gracefully: no
#include "server.h"

static volatile sig_atomic_t stopping = 0;

static void stop(int number) {
    (void)number;
    stopping = 1;
}

int main(void) {
    const int listen_socket = listen_on_port();
    handle(SIGCHLD, reap_all, SA_RESTART);
    handle(SIGTERM, stop, 0);
    while (!stopping) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        if (fork() == 0) {
            close(listen_socket);
            serve(client_connection);
            _exit(0);
        }
        close(client_connection);
    }
    close(listen_socket);
    while (IS_MENDED && (wait(NULL) > 0 || errno == EINTR)) continue;
}
