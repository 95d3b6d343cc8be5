// cesanta/mongoose, issue 1302: a helper inherits the listening socket, and lives on when the server was killed.
// restarts at once: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_with(IS_MENDED ? SOCK_CLOEXEC : 0, 1);
    if (fork() == 0) execlp("sleep", "sleep", "600", (char *)NULL), _exit(127);
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection != -1) serve(client_connection);
    }
}
