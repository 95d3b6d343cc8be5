// RakuenSoftware/aimee, pull request 2297: a helper inherits the connection, and the client waits for the end.
// closes: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_with(SOCK_CLOEXEC, 1);
    handle(SIGCHLD, reap_all, SA_RESTART);
    for (;;) {
        const int client_connection = accept4(listen_socket, NULL, NULL, IS_MENDED ? SOCK_CLOEXEC : 0);
        if (client_connection == -1) continue;
        if (receive(client_connection) > 0) {
            if (fork() == 0) execlp("sleep", "sleep", "600", (char *)NULL), _exit(127);
            answer(client_connection);
        }
        close(client_connection);
    }
}
