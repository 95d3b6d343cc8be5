// An everyday mistake: a child that has served its client goes on in the accept loop, as a second server.
// child exits: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_on_port();
    handle(SIGCHLD, reap_all, SA_RESTART);
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        if (fork() == 0) {
            serve(client_connection);
            if (IS_MENDED) _exit(0);
        }
        close(client_connection);
    }
}
