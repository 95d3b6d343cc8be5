// An everyday mistake: the parent waits for each child before it accepts the next client.
// concurrent: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_on_port();
    if (IS_MENDED) handle(SIGCHLD, reap_all, SA_RESTART);
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        const pid_t pid = fork();
        if (pid == 0) {
            close(listen_socket);
            serve(client_connection);
            _exit(0);
        }
        close(client_connection);
        if (!IS_MENDED) waitpid(pid, NULL, 0);
    }
}
