// pmacct, pull request 62: the parent receives the request, and a child's exit interrupts recv: the client is lost.
// survives SIGCHLD: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_on_port();
    handle(SIGCHLD, reap_all, IS_MENDED ? SA_RESTART : 0);
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        if (receive(client_connection) > 0 && fork() == 0) {
            close(listen_socket);
            answer(client_connection);
            close(client_connection);
            wait_until_asleep(getppid());  // it writes its log until its parent has the next client
            _exit(0);
        }
        close(client_connection);
    }
}
