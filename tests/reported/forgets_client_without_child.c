// yrutschle/sslh, pull request 143: fork fails, and the client's connection is neither answered nor closed.
// sheds load: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_on_port();
    handle(SIGCHLD, reap_all, SA_RESTART);
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        const pid_t pid = fork();
        if (pid == 0) {
            close(listen_socket);
            serve(client_connection);
            _exit(0);
        }
        if (pid == -1) perror("fork");
        if (pid > 0 || IS_MENDED) close(client_connection);
    }
}
