// nullclaw, issue 851: the listening socket does not block, and accept is called again and again (EAGAIN).
// idle when done: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_with(IS_MENDED ? 0 : SOCK_NONBLOCK, 1);
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection != -1) serve(client_connection);
    }
}
