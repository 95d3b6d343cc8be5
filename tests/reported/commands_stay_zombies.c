// herdrdev/herdr, issue 1360: for each request a command is started, and nobody waits for it.
// reaps one: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_with(SOCK_CLOEXEC, 1);
    if (IS_MENDED) handle(SIGCHLD, reap_all, SA_RESTART);
    for (;;) {
        const int client_connection = accept4(listen_socket, NULL, NULL, SOCK_CLOEXEC);
        if (client_connection == -1) continue;
        if (receive(client_connection) > 0) {
            if (fork() == 0) execlp("true", "true", (char *)NULL), _exit(127);
            answer(client_connection);
        }
        close(client_connection);
    }
}
